/** The recordings on their way to the server, and how far they are. */

const MB = 1_000_000;
/** Before that nobody can tell how long the rest will take. */
const TOLD_AFTER_MS = 5000;

/**
 * Each one, also when another was refused.
 * @param {import("../../proctoring-client.js").ProctoringClient} client
 * @param {{blob: Blob, filename: string, startedAt: number, clockAheadMs: number|undefined}[]} videos
 * @param {(part: number, words: string) => void} show 0 to 1, and the same in words.
 * @returns {Promise<ProctoringError[]>} The refusals.
 */
export async function send(client, videos, show) {
  const total = videos.reduce((sum, { blob }) => sum + blob.size, 0);
  const refusals = [];
  let done = 0;
  let first = null;
  for (const { blob, filename, startedAt, clockAheadMs } of videos) {
    const startOffsetS = startedAt ? Math.max(0, client.secondsIn(startedAt, clockAheadMs)) : null;
    const onProgress = (part) => {
      const sent = done + part * blob.size;
      first ??= { at: performance.now(), sent };
      show(sent / total, words(sent, total, first));
    };
    await client.upload(blob, { filename, startOffsetS, onProgress }).catch((error) => refusals.push(error));
    done += blob.size;
  }
  if (total) show(1, words(total, total));
  return refusals;
}

function words(sent, total, first = null) {
  const percent = first ? Math.min(99, Math.floor((100 * sent) / total)) : 100; // what left the browser is not there yet
  const share = `${percent} % of ${(total / MB).toFixed(total < 10 * MB ? 1 : 0)} MB sent`;
  if (!first) return share;
  const [tookMs, moved] = [performance.now() - first.at, sent - first.sent];
  if (tookMs < TOLD_AFTER_MS || moved <= 0) return share;
  return `${share}, about ${lasting((tookMs * (total - sent)) / moved / 1000)} to go`;
}

function lasting(seconds) {
  if (seconds < 60) return "a minute";
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? `${minutes} minutes` : `${Math.ceil(minutes / 60)} hours`;
}
