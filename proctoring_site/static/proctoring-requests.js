/** Requests to the server in a session's name: each is asked once, and has an answer whatever comes. */

import { fromServer, isTemporary, NO_ANSWER, retryAfter } from "./proctoring-answer.js";
import { after } from "./proctoring-timer.js";

/** @typedef {import("./proctoring-answer.js").Answer} Answer */

/** Longer than any limit of the server's, so that a request that hangs is seen as one. */
export const TIMEOUT_MS = 60_000;
/** What fails after so long may have been too much for the line, or for the patience of something in between. */
const SLOW_MS = 10_000;
/** Firefox and Safari break off the requests of a page that is being left, before it is gone: no fault of the network. */
const LEAVING_MS = 10_000;

let leftAt = -Infinity;
// A framework that renders pages on its server imports this there, too.
globalThis.addEventListener?.("beforeunload", () => (leftAt = performance.now()));

export class Requests {
  #baseUrl;
  #token;
  #onAnswer;

  /**
   * @param {object} options
   * @param {string} options.baseUrl
   * @param {() => string|undefined} options.token As it is then: it may be replaced.
   * @param {(answer: Answer) => void} options.onAnswer Called with each answer that says something of the connection.
   */
  constructor({ baseUrl, token, onAnswer }) {
    this.#baseUrl = baseUrl;
    this.#token = token;
    this.#onAnswer = onAnswer;
  }

  url(path) {
    return this.#baseUrl + path;
  }

  /**
   * @returns {Promise<Answer & {isSlow: boolean}>} Never rejects. `isExpected` says of JSON whether it is what was asked
   *   for; `isSlow`: it took its time, whatever came of it.
   */
  async ask(path, body, isExpected, { isQuiet = false, limitMs = TIMEOUT_MS } = {}) {
    const begunAt = performance.now();
    const answer = { ...(await this.#post(path, body, isExpected, limitMs)) };
    answer.isSlow ||= performance.now() - begunAt >= SLOW_MS;
    const isLeaving = performance.now() - leftAt < LEAVING_MS;
    if (!(isQuiet || isLeaving) || !isTemporary(answer)) this.#onAnswer(answer);
    return answer;
  }

  /** What is asked to go elsewhere does not: a token and a candidate's events are for this server alone. */
  async #post(path, body, isExpected, limitMs) {
    const headers = { "Content-Type": "application/json" };
    const token = this.#token();
    if (token) headers.Authorization = `Bearer ${token}`;
    const how = { method: "POST", headers, credentials: "omit", cache: "no-store", redirect: "manual" };
    const signal = AbortSignal.timeout?.(limitMs); // Safari has it since 16
    try {
      const response = await fetch(this.url(path), { ...how, body: JSON.stringify(body), signal });
      const isReplaced = response.status === 401 && token !== this.#token(); // then it says nothing about the new one
      if (isReplaced) return this.#post(path, body, isExpected, limitMs);
      const retryAfterS = retryAfter(response.headers.get("Retry-After"));
      const answer = { status: response.status, body: await response.json().catch(() => null), retryAfterS };
      return fromServer(answer, isExpected);
    } catch (error) {
      return { ...NO_ANSWER, isSlow: error.name === "TimeoutError" }; // no network, or no answer in time
    }
  }
}

/** Full jitter, so that a hall of clients does not come back in step; an end of the outage is noticed at once. */
export function rest(failures, retryAfterS, { firstPauseMs, longestPauseMs }) {
  const ms = retryAfterS * 1000 + Math.random() * Math.min(firstPauseMs * 2 ** failures, longestPauseMs);
  return new Promise((resolve) => {
    const over = () => {
      callOff();
      removeEventListener("online", over);
      resolve();
    };
    const callOff = after(ms, over);
    if (!retryAfterS) addEventListener("online", over);
  });
}
