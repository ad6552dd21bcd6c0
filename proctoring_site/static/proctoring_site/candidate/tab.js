/** One tab at a time sits: two of a browser would note and record all twice, and send each other's unfinished parts. */

const LOCK = "proctoring-candidate";
/** A page that is reloaded lets go a moment after the next one asks. */
const PATIENCE_MS = 1000;

let letGo = () => {};

/**
 * Be the one, from now on until `release` or the end of this page.
 * @returns {Promise<{isOurs: boolean, turn: Promise<void>}>} `turn` is kept once this is the one.
 */
export function claim() {
  const held = new Promise((resolve) => (letGo = resolve));
  return new Promise((resolve) => {
    const turn = new Promise((begin) => {
      const own = () => {
        begin();
        resolve({ isOurs: true, turn });
        return held;
      };
      // A browser that may keep nothing for this site has no locks; nor has it anything for another tab to find.
      if (navigator.locks) navigator.locks.request(LOCK, own).catch(own);
      else queueMicrotask(own);
    });
    setTimeout(() => resolve({ isOurs: false, turn }), PATIENCE_MS);
  });
}

export function release() {
  letGo();
}
