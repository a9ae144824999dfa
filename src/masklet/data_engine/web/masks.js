// COCO run lengths: column after column, outside first, as a string of characters of six bits.
// A run is written as its difference from the one two before it (the first three as they are), five bits a character,
// the lowest first; the sixth bit says that more follow; the sign is that of the last five.

/** Counts string -> run lengths, outside first. */
export function decodeCounts(text) {
  const runs = [];
  for (let at = 0; at < text.length;) {
    let value = 0;
    let shift = 0;
    let code;
    do {
      code = text.charCodeAt(at++) - 48;
      value |= (code & 31) << shift;
      shift += 5;
    } while (code & 32);
    if (code & 16 && shift < 32) value |= -1 << shift;
    runs.push(runs.length > 2 ? value + runs[runs.length - 2] : value);
  }
  return runs;
}

/** Run lengths -> counts string. */
export function encodeCounts(runs) {
  let text = "";
  runs.forEach((run, at) => {
    let value = at > 2 ? run - runs[at - 2] : run;
    for (let more = true; more;) {
      let code = value & 31;
      value >>= 5;
      more = code & 16 ? value !== -1 : value !== 0;
      if (more) code |= 32;
      text += String.fromCharCode(code + 48);
    }
  });
  return text;
}

export const areaOf = (runs) => runs.reduce((sum, run, at) => (at % 2 ? sum + run : sum), 0);

/** Whether the mask covers a pixel. */
export function covers(runs, height, x, y) {
  const wanted = x * height + y;
  let at = 0;
  for (let i = 0; i < runs.length; i++) {
    at += runs[i];
    if (wanted < at) return i % 2 === 1;
  }
  return false;
}

/** Alpha of an RGBA image, row after row -> run lengths; from half on it counts as inside. */
export function runsOfImage({ data, width, height }) {
  const runs = [];
  let inside = false;
  let length = 0;
  for (let x = 0; x < width; x++) {
    for (let y = 0, at = 4 * x + 3; y < height; y++, at += 4 * width) {
      if (data[at] > 127 !== inside) {
        runs.push(length);
        length = 0;
        inside = !inside;
      }
      length++;
    }
  }
  runs.push(length);
  return runs;
}

/** Paints a mask white into an RGBA image, row after row. */
export function paintRuns(runs, { data, width, height }) {
  const pixels = new Uint32Array(data.buffer, data.byteOffset, width * height);
  let at = 0;
  runs.forEach((run, i) => {
    if (i % 2) {
      for (let left = run, x = Math.floor(at / height), y = at % height; left > 0; x++, y = 0) {
        const end = Math.min(height, y + left);
        left -= end - y;
        for (; y < end; y++) pixels[y * width + x] = 0xffffffff;
      }
    }
    at += run;
  });
}
