// Elements are made by functions: no markup in strings, so that no name of a user can become markup.

const SVG = "http://www.w3.org/2000/svg";

function filled(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "value" || name === "checked" || name === "disabled") element[name] = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** h("button", {class: "main", on: {click: run}}, "Go") */
export const h = (tag, properties, ...children) => filled(document.createElement(tag), properties, children);

/** The same for SVG. */
export const svg = (tag, properties, ...children) => filled(document.createElementNS(SVG, tag), properties, children);

export function replace(element, ...children) {
  element.replaceChildren(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

/** A button with an icon and, unless `name` alone is to name it, a text. */
export function button(text, run, { icon: picture, kind = "", name, ...more } = {}) {
  const content = [picture, text && h("span", {}, text)];
  return h(
    "button",
    { type: "button", class: kind, "aria-label": name, title: name, on: { click: run }, ...more },
    ...content,
  );
}

export function field(label, control, note) {
  control.id ||= `field-${++field.count}`;
  return h(
    "div",
    { class: "field" },
    h("label", { for: control.id }, label),
    control,
    note && h("p", { class: "note" }, note),
  );
}
field.count = 0;

export function select(options, value, change, more = {}) {
  const made = h(
    "select",
    { on: { change: () => change?.(made.value) }, ...more },
    options.map(([key, text]) => h("option", { value: key }, text)),
  );
  if (value !== undefined) made.value = value;
  return made;
}

/** rows: lists of cells, each a text or an element; numeric: the columns that hold numbers. */
export function table(headings, rows, { numeric = [], caption, empty } = {}) {
  const kind = (at) => (numeric.includes(at) ? "number" : undefined);
  const body = rows.length
    ? rows.map((row) =>
        h(
          "tr",
          {},
          row.map((cell, at) => h(at ? "td" : "th", { class: kind(at), scope: at ? undefined : "row" }, cell ?? "–")),
        ),
      )
    : h("tr", {}, h("td", { colspan: headings.length, class: "empty" }, empty ?? "–"));
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h(
      "table",
      {},
      caption && h("caption", { class: "unseen" }, caption),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          headings.map((text, at) => h("th", { class: kind(at), scope: "col" }, text)),
        ),
      ),
      h("tbody", {}, body),
    ),
  );
}
