/**
 * The recording, two seconds at a time in IndexedDB, so that a reload or a crash of the tab loses the last two seconds.
 *
 * A recorder cannot go on where another one stopped: each begins a new part. A session has one video on the server, so
 * the longest part is sent. See docs/client.md.
 */

const DATABASE = "proctoring-recording";
const SLICE_MS = 2000;
const TYPES = ["video/webm;codecs=vp8,opus", "video/webm", "video/mp4"];
/** About 230 MB an hour. */
const BITS = { videoBitsPerSecond: 480_000, audioBitsPerSecond: 32_000 };

let opened;

function database() {
  opened ??= new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("slices", { autoIncrement: true });
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
  return opened;
}

async function transact(mode, work) {
  const transaction = (await database()).transaction("slices", mode);
  return new Promise((resolve, reject) => {
    const request = work(transaction.objectStore("slices"));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error);
  });
}

/** What no disk would take; lost when the page goes. */
const inMemory = [];

async function keep(slice) {
  try {
    await transact("readwrite", (slices) => slices.add(slice));
  } catch {
    inMemory.push(slice);
  }
}

/** The parts of a session: how long each is, and its slices in order. */
export async function parts(sessionId) {
  const kept = await transact("readonly", (slices) => slices.getAll()).catch(() => []);
  const byPart = new Map();
  for (const slice of [...kept, ...inMemory].filter((one) => one.sessionId === sessionId)) {
    if (!byPart.has(slice.part)) byPart.set(slice.part, []);
    byPart.get(slice.part).push(slice);
  }
  return [...byPart.values()].map((slices) => ({ seconds: (slices.length * SLICE_MS) / 1000, slices }));
}

/** The longest part as one file, and what had to be left out. Null when nothing was recorded. */
export async function longest(sessionId) {
  const [first, ...others] = (await parts(sessionId)).sort((one, other) => other.seconds - one.seconds);
  if (!first) return null;
  const type = first.slices[0].type.split(";")[0];
  const blob = new Blob(first.slices.map((slice) => slice.bytes), { type });
  const lostS = others.reduce((sum, part) => sum + part.seconds, 0);
  return { blob, filename: `recording.${type.split("/")[1]}`, keptS: first.seconds, lostS, lostParts: others.length };
}

/** Forget every recording of this browser. */
export async function forgetAll() {
  inMemory.length = 0;
  await transact("readwrite", (slices) => slices.clear()).catch(() => {});
}

/** Begin a part. `stop` is over when its last slice is kept. */
export function record(stream, sessionId) {
  const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
  const recorder = new MediaRecorder(stream, { mimeType, ...BITS });
  const part = crypto.getRandomValues(new Uint32Array(2)).join("-");
  let kept = Promise.resolve();
  recorder.ondataavailable = ({ data }) => {
    if (data.size) kept = kept.then(() => keep({ sessionId, part, type: recorder.mimeType || data.type, bytes: data }));
  };
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start(SLICE_MS);
  return {
    async stop() {
      if (recorder.state !== "inactive") recorder.stop();
      await stopped;
      await kept;
    },
  };
}
