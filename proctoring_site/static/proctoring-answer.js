/** What a request came to, in the words that the modules of the client share. */

const RETRY_AFTER_MAX_S = 600;

/**
 * @typedef {object} Answer
 * @property {number} status 0: no answer at all.
 * @property {any} body The JSON of it; null when it was none.
 * @property {number} retryAfterS From the header Retry-After; 0 without one.
 */

/** @type {Answer} */
export const NO_ANSWER = Object.freeze({ status: 0, body: null, retryAfterS: 0 });

/** Whether the same request may do better later. What carries no word of the API comes from something in between. */
export function isTemporary({ status, body }) {
  if (status === 0 || status === 408 || status === 425 || status === 429 || status >= 500) return true;
  return status >= 300 ? typeof body?.code !== "string" : typeof body !== "object" || body === null;
}

/** Seconds, from either form of the header. */
export function retryAfter(header) {
  const seconds = header ? Number(header) : 0;
  const wait = Number.isNaN(seconds) ? (Date.parse(header) - Date.now()) / 1000 : seconds;
  return Math.min(Math.max(wait || 0, 0), RETRY_AFTER_MAX_S);
}
