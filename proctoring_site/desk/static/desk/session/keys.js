// One key each for what a reviewer does all day. They can be switched off: who speaks to the computer, or hits keys by
// mistake, needs that (WCAG 2.1.4). In a field they are letters.

const SWITCHED_OFF = "desk-keys-off";
const TAKES_TEXT = "input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]";

/** `acts`: key → what it does. `box`: the checkbox that switches them. */
export function listenForKeys(acts, box) {
  box.checked = !isOff();
  box.addEventListener("change", () => setOff(!box.checked));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || !box.checked) return;
    if (event.target.closest(TAKES_TEXT)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === " " && event.target.closest("button, summary, label, input")) return; // it presses them
    const act = acts[key];
    if (!act || (event.repeat && !"jk".includes(key))) return;
    event.preventDefault();
    act();
  });
}

// A browser that keeps nothing for us is no reason to fail.
function isOff() {
  try {
    return localStorage.getItem(SWITCHED_OFF) === "1";
  } catch {
    return false;
  }
}

function setOff(off) {
  try {
    localStorage.setItem(SWITCHED_OFF, off ? "1" : "0");
  } catch {
    // It lasts for this page, then.
  }
}
