/**
 * One recording to the server in parts, by tus 1.0: what arrived before a connection broke, a server went or a page was
 * reloaded is not sent again. See docs/uploads.md. No dependency, no build step.
 */

import { NO_ANSWER, retryAfter } from "./proctoring-answer.js";

/** The largest part: below what strict proxies let through; Deta's let 5.5 MB. */
const PART_BYTES = 5 * 1024 * 1024;
const PART_MIN_BYTES = 64 * 1024;
/** The next part is twice as large after one that took less, and half as large after one that took more or broke off:
 * behind a proxy that collects parts nothing is kept of a part that does. */
const QUICK_MS = 8000;
const SLOW_MS = 30_000;
const TUS = { "Tus-Resumable": "1.0.0" };
/** A connection that moves no byte for so long is given up. */
const STALLED_MS = 60_000;
/** The browser hashes in memory only; the server hashes what it got in any case. */
const HASHED_MAX_BYTES = 512 * 1024 * 1024;
/** How often the server may say in one call that the upload stands elsewhere, or is not there. */
const TRIES_MAX = 3;
/** HEAD has no body to say it. */
const CODES = { 401: "invalid_token", 404: "not_found" };

/** What this page's line carried last; at first little, since nobody knows the line. */
let partBytes = 256 * 1024;

/** In hex; null where the browser cannot: no secure context, too large a recording. */
export async function sha256Of(blob) {
  if (!crypto.subtle || blob.size > HASHED_MAX_BYTES) return null;
  try {
    const digest = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
  } catch {
    return null; // no memory for it
  }
}

/**
 * Send what the server has not yet, until it has all, refuses, or does not answer. Called again it goes on.
 * @param {Blob} blob
 * @param {object} to
 * @param {string} to.url `…/sessions/{id}/uploads`
 * @param {string} to.token
 * @param {Record<string, string|number|null>} to.metadata kind, filename, sha256, start_offset_s; null: left out.
 * @param {string|null} to.uploadId Of an earlier call.
 * @param {(uploadId: string) => any} to.remember Called once the server has begun; waited for.
 * @param {(part: number) => void} [to.onProgress] 0 to 1.
 * @param {() => void} [to.onArrived] Called with each part that the server has.
 * @param {AbortSignal} [to.signal]
 * @param {number} [to.partBytes]
 * @returns {Promise<import("./proctoring-answer.js").Answer>} Of a whole recording: 200 and `{id}`. Never rejects.
 */
export async function sendInParts(blob, to) {
  for (let { uploadId } = to, tries = 0; ; tries++) {
    let place = uploadId ? await ask(uploadId, blob, to) : await begin(blob, to);
    if (place.offset !== undefined) {
      if (!uploadId) await to.remember((uploadId = place.uploadId));
      place = await sendFrom(place, uploadId, blob, to);
    }
    const isForgotten = place.status === 404 && uploadId; // expired, or given up elsewhere: from the start
    if ((!isForgotten && place.body?.code !== "wrong_offset") || tries === TRIES_MAX) return place;
    if (isForgotten) uploadId = null;
  }
}

async function begin(blob, to) {
  const headers = { "Upload-Length": String(blob.size), "Upload-Metadata": encoded(to.metadata) };
  const answer = await request("POST", to.url, to, { headers });
  const location = answer.header("Location");
  if (answer.status !== 201 || !location) return refusal(answer);
  // By its id, for the address is what the server takes itself for, which a proxy may have changed.
  return { offset: 0, uploadId: location.split("/").pop(), isNew: true };
}

async function ask(uploadId, blob, to) {
  const answer = await request("HEAD", `${to.url}/${uploadId}`, to);
  const offset = offsetOf(answer, blob);
  return answer.status === 200 && offset !== null ? { offset } : refusal(answer);
}

/** How much the server has; null when it does not say, or says what cannot be. */
function offsetOf(answer, blob) {
  const told = answer.header("Upload-Offset");
  return told && /^\d+$/.test(told) && Number(told) <= blob.size ? Number(told) : null;
}

async function sendFrom({ offset, isNew }, uploadId, blob, to) {
  const size = blob.size || 1; // an empty one is sent, and done
  const tell = (sent) => to.onProgress?.(Math.min(sent / size, 1));
  for (let isFirst = isNew; isFirst || offset < blob.size; isFirst = false) {
    const start = offset;
    const begunAt = performance.now();
    const answer = await request("PATCH", `${to.url}/${uploadId}`, to, {
      headers: { "Upload-Offset": String(start), "Content-Type": "application/offset+octet-stream" },
      body: blob.slice(start, start + Math.min(partBytes, to.partBytes ?? PART_BYTES)),
      onSent: (bytes) => tell(start + bytes),
    });
    const reached = offsetOf(answer, blob);
    const hasMoved = reached !== null && (reached > start || blob.size === 0);
    adapt(performance.now() - begunAt, answer.status === 204 && hasMoved);
    if (answer.status !== 204 || !hasMoved) return refusal(answer);
    offset = reached;
    to.onArrived?.();
    tell(offset);
  }
  tell(size);
  return { status: 200, body: { id: uploadId }, retryAfterS: 0 };
}

function adapt(tookMs, hasArrived) {
  if (!hasArrived || tookMs > SLOW_MS) partBytes = Math.max(partBytes / 2, PART_MIN_BYTES);
  else if (tookMs < QUICK_MS) partBytes = Math.min(partBytes * 2, PART_BYTES);
}

/** What something in between answers in the server's place says nothing about the recording. */
function refusal({ status, body, retryAfterS, header }) {
  if (status >= 500) return { status, body, retryAfterS };
  if (!header("Tus-Resumable") || status < 300) {
    return { ...NO_ANSWER, retryAfterS, ...(status && { strangerStatus: status }) };
  }
  return { status, body: body ?? { code: CODES[status] ?? "refused" }, retryAfterS };
}

/** fetch tells nothing of its progress, so the older way. */
function request(method, url, { token, signal }, { headers = {}, body = null, onSent } = {}) {
  return new Promise((resolve) => {
    const sending = new XMLHttpRequest();
    let stalled;
    const moved = () => {
      clearTimeout(stalled);
      stalled = setTimeout(() => sending.abort(), STALLED_MS);
    };
    const stop = () => sending.abort();
    sending.open(method, url);
    for (const [name, value] of Object.entries({ ...TUS, Authorization: `Bearer ${token}`, ...headers })) {
      sending.setRequestHeader(name, value);
    }
    sending.responseType = "json";
    sending.upload.onprogress = ({ loaded }) => {
      moved();
      onSent?.(loaded);
    };
    sending.onloadend = () => {
      clearTimeout(stalled);
      signal?.removeEventListener("abort", stop);
      const header = (name) => (sending.status ? sending.getResponseHeader(name) : null);
      resolve({ status: sending.status, body: sending.response, header, retryAfterS: retryAfter(header("Retry-After")) });
    };
    signal?.addEventListener("abort", stop);
    moved();
    sending.send(body);
  });
}

/** As tus writes it: keys, and values in base64 of UTF-8. */
function encoded(metadata) {
  const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
  const told = Object.entries(metadata).filter(([, value]) => value !== null && value !== undefined);
  return told.map(([key, value]) => `${key} ${base64(String(value))}`).join(",");
}
