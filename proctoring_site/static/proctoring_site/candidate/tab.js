/** One tab at a time sits: two of a browser would note and record everything twice, and send each other's unfinished parts. */

const LOCK = "proctoring-candidate";
/** A page that is reloaded lets go a moment after the next one asks. */
const PATIENCE_MS = 1000;

let letGo = () => {};

/**
 * Be the one, from now on until `release` or the end of this page.
 * @returns {Promise<Promise<void>|null>} null: this is the one. Else another tab is, and the promise is kept once this is.
 */
export function claim() {
  const held = new Promise((resolve) => (letGo = resolve));
  return new Promise((resolve) => {
    let beTheOne;
    const isTheOne = new Promise((kept) => (beTheOne = kept));
    const late = setTimeout(() => resolve(isTheOne), PATIENCE_MS);
    const own = () => {
      clearTimeout(late);
      beTheOne();
      resolve(null);
      return held;
    };
    // A browser that may keep nothing for this site has no locks; nor has it anything for another tab to find.
    Promise.resolve(navigator.locks?.request(LOCK, own) ?? own()).catch(own);
  });
}

export function release() {
  letGo();
}
