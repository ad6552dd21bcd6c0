/** What a request came to, in the words that the modules of the client share. */

const RETRY_AFTER_MAX_S = 600;
/** What the server says when it is set up wrongly, or what is before it: nothing of what was sent is at fault. */
const SET_UP_WRONGLY = new Set(["bad_request", "no_such_address", "permission_denied", "method_not_allowed"]);
const LATER = new Set([0, 408, 423, 425, 429]);
/** Of something in between: about the line, not about what was sent. */
const OF_THE_LINE = new Set([401, 407, ...LATER]);
/** "Network Authentication Required", RFC 6585. */
const NETWORK_LOGIN = 511;

/**
 * @typedef {object} Answer
 * @property {number} status 0: no answer of the server's.
 * @property {any} body The JSON of it; null when it was none.
 * @property {number} retryAfterS From the header Retry-After; 0 without one.
 * @property {number} [strangerStatus] Something in between answered in the server's place, with this.
 */

/** @type {Answer} */
export const NO_ANSWER = Object.freeze({ status: 0, body: null, retryAfterS: 0 });

/** `answer`, or that there was none when it is not the API that speaks: it says what was asked for, or why not. */
export function fromServer({ status, body, retryAfterS }, isExpected) {
  const isRefusal = typeof body?.detail === "string" && typeof body.code === "string";
  const isOurs = status >= 200 && status < 300 ? isExpected(body) : isRefusal;
  return isOurs ? { status, body, retryAfterS } : { ...NO_ANSWER, retryAfterS, strangerStatus: status };
}

/** Whether the same request may do better later. What carries no word of the API comes from something in between. */
export function isTemporary({ status, body }) {
  if (LATER.has(status) || status >= 500 || SET_UP_WRONGLY.has(body?.code)) return true;
  return status >= 300 ? typeof body?.code !== "string" : typeof body !== "object" || body === null;
}

/** Whether something that looks into what passes may have taken offence at it: then less at once may come through. */
export function mayBeAboutContent({ status, strangerStatus = status }) {
  return strangerStatus < 500 && !OF_THE_LINE.has(strangerStatus);
}

/** Whether JSON says of these events, by place and id, what became of them. */
export function isOutcomeOf(events) {
  const bare = (id) => id.toLowerCase().replace(/[^0-9a-f]/g, "").slice(-32); // however it was written
  const isSame = (told, own) => (typeof told === "string" && typeof own === "string" ? bare(told) === bare(own) : true);
  const names = (row) => events[row?.index] !== undefined && isSame(row.id, events[row.index].id);
  const stored = (row) => names(row) && typeof row.id === "string";
  const refused = (row) => names(row) && typeof row.code === "string" && typeof row.detail === "string";
  const parts = { created: stored, duplicate: stored, rejected: refused };
  const isPart = (rows, isRow) => Array.isArray(rows) && rows.every(isRow);
  return (body) =>
    Object.entries(parts).every(([name, isRow]) => isPart(body?.[name], isRow)) &&
    Object.keys(parts).some((name) => body[name].length);
}

/** Why there is nothing to go by; the words of the event `connection`. */
export function troubleOf({ status, strangerStatus = null }) {
  if (strangerStatus === null) return status ? "try_later" : "no_answer";
  return strangerStatus < 500 || strangerStatus === NETWORK_LOGIN ? "stranger" : "try_later";
}

/** Seconds, from either form of the header. */
export function retryAfter(header) {
  const seconds = header ? Number(header) : 0;
  const wait = Number.isNaN(seconds) ? (Date.parse(header) - Date.now()) / 1000 : seconds;
  return Math.min(Math.max(wait || 0, 0), RETRY_AFTER_MAX_S);
}

/** A refusal: `status`, `code` and `fields` are the server's. Status 0: there was no answer of its own. */
export class ProctoringError extends Error {
  /** @param {Answer} answer */
  constructor({ status, body, retryAfterS, strangerStatus }) {
    const nobody = strangerStatus ? "Something else answered in the server's place." : "The server cannot be reached.";
    super(body?.detail ?? (status ? `The server answered ${status}.` : nobody));
    Object.assign(this, { name: "ProctoringError", status, code: body?.code ?? null, retryAfterS });
    this.fields = body?.fields ?? {};
  }
}
