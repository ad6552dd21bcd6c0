/** A recording on its way: sent until the server has it or refuses it, by one tab at a time. */

import { isTemporary } from "./proctoring-answer.js";
import { rest } from "./proctoring-requests.js";
import { inTurn } from "./proctoring-turn.js";
import { sha256Of } from "./proctoring-upload.js";

/** What the server takes for the start of a recording in its session. */
const START_OFFSET_MAX_S = 7 * 24 * 3600;
/** The server still waits for a connection that broke, or got the part by another one. */
const BUSY = new Set(["upload_busy", "wrong_offset"]);

/**
 * @param {Blob} blob
 * @param {object} told As `upload` of the client is told.
 * @param {object} session
 * @param {string} session.id
 * @param {string} session.url Where uploads begin.
 * @param {() => {token: string, uploads?: Record<string, string>}} session.record As it is then.
 * @param {(uploads: Record<string, string>) => any} session.remember Which upload is of which recording.
 * @param {(answer: import("./proctoring-answer.js").Answer) => void} session.onAnswer
 * @param {object} session.options Of the client: `upload` and the pauses.
 * @returns {Promise<import("./proctoring-answer.js").Answer>} The server's own.
 */
export async function sendRecording(blob, told, { id, url, record, remember, onAnswer, options }) {
  const { key, metadata } = await describe(blob, told);
  const { onProgress, signal } = told;
  const sent = { furthest: 0, hasMoved: false };
  const to = {
    url,
    metadata,
    signal,
    remember: (uploadId) => remember({ ...record().uploads, [key]: uploadId }),
    onProgress: (part) => {
      sent.hasMoved ||= part > sent.furthest;
      sent.furthest = Math.max(part, sent.furthest);
      onProgress?.(part);
    },
    onArrived: () => (sent.hasMoved = true), // also what lies behind what a larger part had seemed to reach
  };
  return inTurn(`upload ${id} ${key}`, async () => {
    for (let failures = 0; ; failures++) {
      signal?.throwIfAborted();
      const { token, uploads } = record(); // another token, perhaps, than at the last try
      const answer = await options.upload(blob, { ...to, token, uploadId: uploads?.[key] ?? null });
      const isBusy = BUSY.has(answer.body?.code);
      onAnswer(isBusy ? { ...answer, status: 200 } : answer);
      if (!isBusy && !isTemporary(answer)) return answer;
      signal?.throwIfAborted();
      if (sent.hasMoved) failures = 0;
      sent.hasMoved = false;
      await rest(failures, answer.retryAfterS, options);
    }
  });
}

/** What the server is told of it, and by what it is known again. */
async function describe(blob, { kind, filename, startOffsetS }) {
  const sha256 = await sha256Of(blob);
  // A clock that was set in between says nonsense, and the server would refuse the recording for it.
  const isSane = startOffsetS !== null && startOffsetS >= 0 && startOffsetS <= START_OFFSET_MAX_S;
  const offset = isSane ? startOffsetS.toFixed(3) : null;
  const metadata = { kind, filename, filetype: blob.type || null, sha256, start_offset_s: offset };
  return { key: sha256 ?? `${kind} ${filename} ${blob.size}`, metadata };
}
