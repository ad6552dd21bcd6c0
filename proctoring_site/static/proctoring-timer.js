/**
 * Timers that keep their time in a tab that nobody looks at. There a browser wakes the page's own once a minute after a
 * while (Chromium after five minutes, unless the page uses the camera); those of a worker it leaves alone. Where there
 * may be none, as by a page's policy without `worker-src blob:`, the page's own are all there is.
 */

const WORK = "onmessage = ({ data: [id, ms] }) => setTimeout(() => postMessage(id), ms);";

/** @type {Worker|null|undefined} */
let worker;
let made = 0;
const waiting = new Map();

/** One for all; where it is refused, it just never answers. */
function inWorker() {
  if (worker !== undefined) return worker;
  try {
    worker = new Worker(URL.createObjectURL(new Blob([WORK], { type: "text/javascript" })));
    worker.onmessage = ({ data: id }) => waiting.get(id)?.();
  } catch {
    worker = null;
  }
  return worker;
}

/** `work` is called once, in so many ms. @returns {() => void} To call it off. */
export function after(ms, work) {
  const id = ++made;
  const callOff = () => {
    clearTimeout(own);
    waiting.delete(id);
  };
  const ring = () => {
    callOff();
    work();
  };
  const own = setTimeout(ring, ms);
  waiting.set(id, ring);
  inWorker()?.postMessage([id, ms]);
  return callOff;
}
