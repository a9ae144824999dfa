// The server's REST interface.

/** What the server says is wrong: a sentence for the user, and a kind for the page. */
export class ServerError extends Error {
  constructor(message, kind, status) {
    super(message);
    this.kind = kind;
    this.status = status;
  }
}

export const API = new URL("api/", document.baseURI);

let csrf = null;
let signedOut = () => {};

export const csrfToken = () => csrf;

export function onSignedOut(run) {
  signedOut = run;
}

async function fault(answer) {
  let body = {};
  try {
    body = await answer.json();
  } catch {
    /* a proxy's page: the status says all */
  }
  if (answer.status === 401) signedOut();
  return new ServerError(body.error ?? `${answer.status} ${answer.statusText}`, body.kind ?? "unknown", answer.status);
}

export async function request(method, path, { body, signal, query } = {}) {
  const url = new URL(path, API);
  for (const [name, value] of Object.entries(query ?? {}))
    if (value !== undefined && value !== null) url.searchParams.set(name, value);
  const headers = {};
  if (method !== "GET") headers["X-Masklet-CSRF"] = csrf ?? "";
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(url, {
    method,
    headers,
    signal,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok) throw await fault(answer);
  return answer;
}

async function json(method, path, options) {
  const answer = await request(method, path, options);
  return answer.status === 204 ? null : answer.json();
}

export const get = (path, query, signal) => json("GET", path, { query, signal });
export const post = (path, body = {}) => json("POST", path, { body });
export const patch = (path, body) => json("PATCH", path, { body });
export const remove = (path) => json("DELETE", path);

/** Who is signed in; keeps the token that changes need. */
export async function me() {
  const user = await get("me");
  csrf = user.csrf;
  return user;
}

/** Sends a file with fields; `onProgress` gets 0..1. Returns {done, cancel}. */
export function upload(path, file, fields = {}, onProgress = () => {}) {
  const sent = new XMLHttpRequest();
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", file, file.name);
  const done = new Promise((resolve, reject) => {
    sent.upload.addEventListener(
      "progress",
      (event) => event.lengthComputable && onProgress(event.loaded / event.total),
    );
    sent.addEventListener("load", () => {
      let body = {};
      try {
        body = JSON.parse(sent.responseText);
      } catch {
        /* not ours */
      }
      if (sent.status < 300) resolve(body);
      else
        reject(new ServerError(body.error ?? `${sent.status} ${sent.statusText}`, body.kind ?? "unknown", sent.status));
    });
    sent.addEventListener("error", () => reject(new ServerError("", "offline", 0)));
    sent.addEventListener("abort", () => reject(new ServerError("", "cancelled", 0)));
  });
  sent.open("POST", new URL(path, API));
  sent.setRequestHeader("X-Masklet-CSRF", csrf ?? "");
  sent.send(form);
  return { done, cancel: () => sent.abort() };
}
