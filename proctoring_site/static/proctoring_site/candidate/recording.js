/**
 * The recording, two seconds at a time in IndexedDB, so that a reload or a crash of the tab loses the last two seconds.
 *
 * A recorder cannot go on where another one stopped: each begins a new part, which is a recording of its own on the
 * server. See docs/client.md.
 */

const DATABASE = "proctoring-recording";
const SLICE_MS = 2000;
/** At least, by this browser's own clock: one that is far ahead would forget at once. */
const KEPT_MS = 7 * 24 * 3600 * 1000;
/** How long somebody waits for a disk that hangs, and then, until it answers again; it holds up neither start nor end. */
const PATIENCE_MS = 4000;
const IMPATIENCE_MS = 100;
/** A recorder gives its last slice soon after it is stopped; one that never gave any may never say that it stopped. */
const LAST_SLICE_MS = 10_000;
/** Slices that a disk is asked to take, should it have refused some. */
const AT_ONCE = 50;
/** About 230 MB an hour. */
const BITS = { videoBitsPerSecond: 480_000, audioBitsPerSecond: 32_000 };

let opened = null;
let patienceMs = PATIENCE_MS;
/** Told when what the disk held may be gone: somebody cleared the browser's data. */
const onCleared = new Set();

function database() {
  if (opened) return opened;
  const opening = new Promise((resolve, reject) => {
    const asked = indexedDB.open(DATABASE, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("slices", { autoIncrement: true });
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
  const forget = () => opened === opening && (opened = null);
  const listen = (database) => {
    database.onclose = database.onversionchange = () => {
      database.close();
      forget();
      for (const tell of onCleared) tell();
    };
  };
  opening.then(listen, forget);
  return (opened = opening);
}

async function transact(mode, work) {
  const begun = await inTime(database());
  const done = new Promise((resolve, reject) => {
    const transaction = begun.transaction("slices", mode);
    const request = work(transaction.objectStore("slices"));
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onabort = () => reject(transaction.error);
  });
  const result = await inTime(done);
  patienceMs = PATIENCE_MS;
  return result;
}

async function inTime(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      patienceMs = IMPATIENCE_MS;
      reject(new DOMException("The disk does not answer.", "TimeoutError"));
    }, patienceMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** What no disk would take yet: it is tried again with each slice, and lost when the page goes before. */
let inMemory = [];

/** @returns {Promise<boolean>} Whether all is on the disk. */
async function keep(slice) {
  inMemory.push(slice);
  const own = inMemory.slice(0, AT_ONCE);
  const add = (some) => transact("readwrite", (slices) => some.forEach((one) => slices.add(one)));
  const asBytes = async (one) => ({ ...one, bytes: await one.bytes.arrayBuffer() });
  try {
    // A private window of Safari keeps no Blob. Else it is one, since all of them are read at the end.
    await add(own).catch(async () => add(await Promise.all(own.map(asBytes))));
  } catch {
    return false;
  }
  inMemory = inMemory.filter((one) => !own.includes(one));
  return inMemory.length === 0;
}

/** The parts of a session: when each began, how long it is, and its slices in order. */
export async function parts(sessionId) {
  const kept = await transact("readonly", (slices) => slices.getAll()).catch(() => []);
  const byPart = new Map();
  for (const slice of [...kept, ...inMemory].filter((one) => one.sessionId === sessionId)) {
    if (!byPart.has(slice.part)) byPart.set(slice.part, new Map());
    const byNumber = byPart.get(slice.part);
    byNumber.set(slice.number ?? byNumber.size, slice); // a disk that was late has one twice; an older page had no numbers
  }
  const playable = [...byPart.values()].filter((byNumber) => byNumber.has(0)); // without its beginning none is
  return playable.map((byNumber) => {
    const slices = [...byNumber.entries()].sort(([one], [other]) => one - other).map(([, slice]) => slice);
    const { startedAt } = slices[0];
    const clockAheadMs = slices.find((slice) => Number.isFinite(slice.clockAheadMs))?.clockAheadMs;
    return { startedAt, clockAheadMs, seconds: (slices.length * SLICE_MS) / 1000, slices };
  });
}

/** Each part as a file, the longest first: the server shows the first one that it gets as the session's video. */
export async function files(sessionId) {
  const longestFirst = (await parts(sessionId)).sort((one, other) => other.seconds - one.seconds);
  return longestFirst.map(({ startedAt, clockAheadMs, slices }) => {
    const type = slices[0].type.split(";")[0];
    const blob = new Blob(slices.map((slice) => slice.bytes), { type });
    return { blob, filename: `recording.${type.split("/")[1]}`, startedAt, clockAheadMs };
  });
}

/** How long nothing was recorded between a client's parts, and how many there are. */
export async function gaps(client) {
  const kept = await parts(client.id);
  const placed = kept.map((part) => ({ ...part, at: client.secondsIn(part.startedAt, part.clockAheadMs) }));
  const inOrder = placed.sort((one, other) => one.at - other.at);
  const between = inOrder.slice(1).map(({ at }, n) => Math.max(0, at - inOrder[n].at - inOrder[n].seconds));
  return { parts: inOrder.length, seconds: Math.round(between.reduce((sum, gap) => sum + gap, 0)) || 0 };
}

/** Forget a session's recordings, and any that nobody can deliver any more: of a session of which nothing else is known,
 * be it only since the disk cannot be read just now, they may still be sent. */
export async function forget(sessionId = null) {
  const isOld = (slice) => Math.max(slice.startedAt + KEPT_MS, slice.keptUntil ?? 0) < Date.now();
  const isOver = (slice) => slice.sessionId === sessionId || isOld(slice);
  inMemory = inMemory.filter((slice) => !isOver(slice));
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

/**
 * Begin a part, and another one when somebody clears the browser's data: without its beginning nothing plays.
 * @param {object} page
 * @param {number} page.keptUntil As the client keeps its session.
 * @param {() => number|null} page.clockAheadMs As the client knows it just then.
 * @param {() => void} page.onMemoryOnly Called when the disk does not take what is recorded.
 * @param {(seconds: number) => void} page.onLost Called when so much of what was recorded is gone.
 */
export function record(stream, sessionId, { onLost, ...told }) {
  let heardAt = performance.now();
  const page = { ...told, onSlice: () => (heardAt = performance.now()) };
  let current = recordPart(stream, sessionId, page);
  let isStopped = false;
  let turn = Promise.resolve();
  const beginAnew = async () => {
    if (isStopped) return;
    await current.stop();
    const left = (await parts(sessionId)).find(({ slices }) => slices[0].part === current.part);
    const lost = current.seconds - (left?.seconds ?? 0);
    if (lost > 0) onLost(lost);
    if (!isStopped) current = recordPart(stream, sessionId, page);
  };
  const hear = () => (turn = turn.then(beginAnew).catch(console.error));
  onCleared.add(hear);
  return {
    get isRunning() {
      return current.isRunning;
    },
    /** For how long nothing came out of it, whatever it says. */
    get silentMs() {
      return performance.now() - heardAt;
    },
    /** Over when the last slice is kept. */
    async stop() {
      isStopped = true;
      onCleared.delete(hear);
      await turn;
      await current.stop();
    },
  };
}

/** No codec for what is not there: with one, Firefox records nothing, and never stops. */
function typeFor(stream) {
  const codecs = stream.getAudioTracks().length ? "vp8,opus" : "vp8";
  return [`video/webm;codecs=${codecs}`, "video/webm", "video/mp4"].find((type) => MediaRecorder.isTypeSupported(type));
}

function recordPart(stream, sessionId, { keptUntil, clockAheadMs, onMemoryOnly, onSlice }) {
  const recorder = new MediaRecorder(stream, { mimeType: typeFor(stream), ...BITS });
  const part = crypto.getRandomValues(new Uint32Array(2)).join("-");
  let startedAt = Date.now();
  let made = 0;
  let kept = Promise.resolve();
  recorder.onstart = () => (startedAt = Date.now());
  recorder.ondataavailable = ({ data }) => {
    if (!data.size) return;
    onSlice();
    const type = recorder.mimeType || data.type;
    const told = { sessionId, part, number: made++, startedAt, keptUntil, clockAheadMs: clockAheadMs(), type };
    const slice = { ...told, bytes: data };
    kept = kept.then(() => keep(slice)).then((isOnDisk) => isOnDisk || onMemoryOnly());
  };
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start(SLICE_MS);
  return {
    part,
    get isRunning() {
      return recorder.state === "recording";
    },
    get seconds() {
      return (made * SLICE_MS) / 1000;
    },
    async stop() {
      if (recorder.state !== "inactive") recorder.stop();
      await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, LAST_SLICE_MS))]);
      await kept;
    },
  };
}
