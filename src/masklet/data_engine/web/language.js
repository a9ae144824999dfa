// All texts of the page, from en.json and zh.json.

import { recall, remember } from "./settings.js";

export const LANGUAGES = { en: "English", zh: "中文" };

let texts = {};
let current = "en";

export const language = () => current;

/** Loads the language that was chosen, else that of the server's command line, else the browser's. */
export async function loadLanguage(offered) {
  const wished = recall("language", null) ?? offered ?? (navigator.language.startsWith("zh") ? "zh" : "en");
  current = wished in LANGUAGES ? wished : "en";
  const answer = await fetch(new URL(`${current}.json`, import.meta.url));
  texts = await answer.json();
  document.documentElement.lang = current === "zh" ? "zh-CN" : "en";
}

export async function switchLanguage(next) {
  remember("language", next);
  await loadLanguage();
}

/** The text of a key; `{name}` in it is filled from values. */
export function t(key, values = {}) {
  const text = texts[key];
  if (text === undefined) throw new Error(`no text of the key ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

export const known = (key) => key in texts;

export const number = (value, digits = 0) =>
  value === null || value === undefined || Number.isNaN(value)
    ? "–"
    : value.toLocaleString(document.documentElement.lang, {
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
      });

export const percent = (share, digits = 1) =>
  share === null || share === undefined ? "–" : `${number(100 * share, digits)} %`;

export const moment = (text) =>
  text ? new Date(text).toLocaleString(document.documentElement.lang, { dateStyle: "short", timeStyle: "short" }) : "–";
