// Outlines of masks as closed loops along the edges of pixels, so that a mask is sharp at every zoom.

/** Columns of runs: for each column the list of [top, bottom) pairs, flat. */
function columnsOf(runs, height, width) {
  const columns = Array.from({ length: width }, () => []);
  let at = 0;
  runs.forEach((run, i) => {
    if (i % 2) {
      for (let start = at, left = run; left > 0;) {
        const x = Math.floor(start / height);
        const y = start - x * height;
        const end = Math.min(height, y + left);
        const column = columns[x];
        if (column.length && column[column.length - 1] === y) column[column.length - 1] = end;
        else column.push(y, end);
        left -= end - y;
        start += end - y;
      }
    }
    at += run;
  });
  return columns;
}

/** Parts of one list of [top, bottom) pairs that another does not cover. */
function without(pairs, others) {
  const left = [];
  let other = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    let top = pairs[i];
    const bottom = pairs[i + 1];
    while (other < others.length && others[other + 1] <= top) other += 2;
    for (let j = other; j < others.length && others[j] < bottom; j += 2) {
      if (others[j] > top) left.push(top, others[j]);
      top = Math.max(top, others[j + 1]);
    }
    if (top < bottom) left.push(top, bottom);
  }
  return left;
}

/** Loops [x, y, x, y, ...] around a mask, the inside at the right hand; holes turn the other way. */
export function loopsOf(runs, height, width) {
  const columns = columnsOf(runs, height, width);
  const edges = new Map(); // start of an edge -> ends
  const stride = width + 1;
  const edge = (x0, y0, x1, y1) => {
    const from = y0 * stride + x0;
    const to = y1 * stride + x1;
    const known = edges.get(from);
    if (known === undefined) edges.set(from, [to]);
    else known.push(to);
  };
  const nothing = [];
  for (let x = 0; x <= width; x++) {
    const here = columns[x] ?? nothing;
    const before = x ? columns[x - 1] : nothing;
    for (let i = 0; i < here.length; i += 2) {
      edge(x, here[i], x + 1, here[i]);
      edge(x + 1, here[i + 1], x, here[i + 1]);
    }
    const starts = without(here, before);
    for (let i = 0; i < starts.length; i += 2) edge(x, starts[i + 1], x, starts[i]);
    const ends = without(before, here);
    for (let i = 0; i < ends.length; i += 2) edge(x, ends[i], x, ends[i + 1]);
  }
  return chained(edges, stride);
}

function chained(edges, stride) {
  const loops = [];
  const turn = (from, at, to) => {
    // where two ways lead on, the one to the right keeps pixels that touch at corners apart
    const [ax, ay, bx, by] = [
      (at % stride) - (from % stride),
      Math.floor(at / stride) - Math.floor(from / stride),
      (to % stride) - (at % stride),
      Math.floor(to / stride) - Math.floor(at / stride),
    ];
    return ax * by - ay * bx;
  };
  for (const [start, outgoing] of edges) {
    while (outgoing.length) {
      const loop = [];
      let from = start;
      let at = outgoing.pop();
      loop.push(start % stride, Math.floor(start / stride));
      while (at !== start) {
        const ways = edges.get(at);
        if (ways.length > 1 && turn(from, at, ways[0]) > turn(from, at, ways[1])) ways.reverse();
        loop.push(at % stride, Math.floor(at / stride));
        from = at;
        at = ways.pop();
      }
      loops.push(straightened(loop));
    }
  }
  return loops;
}

/** Without the points in the middle of straight lines. */
function straightened(loop) {
  const kept = [];
  const count = loop.length;
  for (let i = 0; i < count; i += 2) {
    const [px, py] = [loop[(i + count - 2) % count], loop[(i + count - 1) % count]];
    const [nx, ny] = [loop[(i + 2) % count], loop[(i + 3) % count]];
    const [x, y] = [loop[i], loop[i + 1]];
    if (!(px === x && x === nx) && !(py === y && y === ny)) kept.push(x, y);
  }
  return kept;
}

/** Loops as one path whose corners are cut by up to half a pixel: stairs become slopes. */
export function pathOf(loops) {
  const path = new Path2D();
  for (const loop of loops) {
    const count = loop.length;
    for (let i = 0; i < count; i += 2) {
      const [x0, y0, x1, y1] = [loop[i], loop[i + 1], loop[(i + 2) % count], loop[(i + 3) % count]];
      const cut = Math.min(0.5, 0.5 / Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0)));
      const [dx, dy] = [(x1 - x0) * cut, (y1 - y0) * cut];
      if (i) path.lineTo(x0 + dx, y0 + dy);
      else path.moveTo(x0 + dx, y0 + dy);
      path.lineTo(x1 - dx, y1 - dy);
    }
    path.closePath();
  }
  return path;
}

/** Fewer points, none of those left out farther than `tolerance` pixels away (Douglas and Peucker). */
export function simplified(loop, tolerance) {
  const count = loop.length / 2;
  let far = 0;
  let most = -1;
  for (let i = 1; i < count; i++) {
    const away = (loop[2 * i] - loop[0]) ** 2 + (loop[2 * i + 1] - loop[1]) ** 2;
    if (away > most) [most, far] = [away, i];
  }
  const points = Array.from({ length: count + 1 }, (_, i) => [loop[2 * (i % count)], loop[2 * (i % count) + 1]]);
  const kept = new Set([0, far]);
  const spans = [
    [0, far],
    [far, count],
  ];
  while (spans.length) {
    const [a, b] = spans.pop();
    const [[ax, ay], [bx, by]] = [points[a], points[b]];
    const length = Math.hypot(bx - ax, by - ay) || 1;
    let [worst, at] = [tolerance, -1];
    for (let i = a + 1; i < b; i++) {
      const off = Math.abs((points[i][0] - ax) * (by - ay) - (points[i][1] - ay) * (bx - ax)) / length;
      if (off > worst) [worst, at] = [off, i];
    }
    if (at < 0) continue;
    kept.add(at);
    spans.push([a, at], [at, b]);
  }
  return [...kept].sort((a, b) => a - b).map((i) => points[i]);
}
