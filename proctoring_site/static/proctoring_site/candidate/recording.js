/**
 * The recording, two seconds at a time in IndexedDB, so that a reload or a crash of the tab loses the last two seconds.
 *
 * A recorder cannot go on where another one stopped: each begins a new part, which is a recording of its own on the
 * server. See docs/client.md.
 */

const DATABASE = "proctoring-recording";
const SLICE_MS = 2000;
const KEPT_MS = 24 * 3600 * 1000;
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
  const add = (one) => transact("readwrite", (slices) => slices.add(one));
  try {
    // A private window of Safari keeps no Blob. Else it is one, since all of them are read at the end.
    await add(slice).catch(async () => add({ ...slice, bytes: await slice.bytes.arrayBuffer() }));
  } catch {
    inMemory.push(slice);
  }
}

/** The parts of a session: when each began, how long it is, and its slices in order. */
export async function parts(sessionId) {
  const kept = await transact("readonly", (slices) => slices.getAll()).catch(() => []);
  const byPart = new Map();
  for (const slice of [...kept, ...inMemory].filter((one) => one.sessionId === sessionId)) {
    if (!byPart.has(slice.part)) byPart.set(slice.part, []);
    byPart.get(slice.part).push(slice);
  }
  return [...byPart.values()].map((slices) => {
    return { startedAt: slices[0].startedAt, seconds: (slices.length * SLICE_MS) / 1000, slices };
  });
}

/** Each part as a file, the longest first: the server shows the first one that it gets as the session's video. */
export async function files(sessionId) {
  const longestFirst = (await parts(sessionId)).sort((one, other) => other.seconds - one.seconds);
  return longestFirst.map(({ startedAt, slices }) => {
    const type = slices[0].type.split(";")[0];
    const blob = new Blob(slices.map((slice) => slice.bytes), { type });
    return { blob, filename: `recording.${type.split("/")[1]}`, startedAt };
  });
}

/** How long nothing was recorded between the parts, and how many there are. */
export async function gaps(sessionId) {
  const inOrder = (await parts(sessionId)).sort((one, other) => one.startedAt - other.startedAt);
  const ends = inOrder.map(({ startedAt, seconds }) => startedAt / 1000 + seconds);
  const between = inOrder.slice(1).map(({ startedAt }, n) => Math.max(0, startedAt / 1000 - ends[n]));
  return { parts: inOrder.length, seconds: Math.round(between.reduce((sum, gap) => sum + gap, 0)) || 0 };
}

/** Forget a session's recordings, and any that were begun long ago: of a session of which nothing else is known, be it
 * only since the disk cannot be read just now, they may still be sent. */
export async function forget(sessionId = null) {
  const isOver = (slice) => slice.sessionId === sessionId || slice.startedAt < Date.now() - KEPT_MS;
  const left = inMemory.filter((slice) => !isOver(slice));
  inMemory.splice(0, Infinity, ...left);
  const go = (slices) => {
    const reading = slices.openCursor();
    reading.onsuccess = () => {
      const at = reading.result;
      if (at && isOver(at.value)) at.delete();
      at?.continue();
    };
    return reading;
  };
  await transact("readwrite", go).catch(() => {});
}

/** No codec for what is not there: with one, Firefox records nothing, and never stops. */
function typeFor(stream) {
  const codecs = stream.getAudioTracks().length ? "vp8,opus" : "vp8";
  return [`video/webm;codecs=${codecs}`, "video/webm", "video/mp4"].find((type) => MediaRecorder.isTypeSupported(type));
}

/** Begin a part. `stop` is over when its last slice is kept. */
export function record(stream, sessionId) {
  const mimeType = typeFor(stream);
  const recorder = new MediaRecorder(stream, { mimeType, ...BITS });
  const part = crypto.getRandomValues(new Uint32Array(2)).join("-");
  let startedAt = Date.now();
  let kept = Promise.resolve();
  recorder.onstart = () => (startedAt = Date.now());
  recorder.ondataavailable = ({ data }) => {
    const slice = { sessionId, part, startedAt, type: recorder.mimeType || data.type, bytes: data };
    if (data.size) kept = kept.then(() => keep(slice));
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
