// What this browser remembers of its user: theme, language, keys, overlay. Storage may be refused; then nothing is kept.

export function recall(name, otherwise) {
  try {
    const text = localStorage.getItem(`masklet.${name}`);
    return text === null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(`masklet.${name}`, JSON.stringify(value));
  } catch {
    /* nothing is kept */
  }
}

export const theme = () => document.documentElement.dataset.theme;

export function switchTheme() {
  const next = theme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("masklet.theme", next); // plain text: theme.js reads it
  } catch {
    /* nothing is kept */
  }
}
