// Which rows of the board are shown: those of the count that is pressed, whose names hold what is looked for.

import { nameOf, part } from "./parts.js";

const buttons = [...part("counts").querySelectorAll("button")];
// The same in a browser of any language (a Turkish one makes "ı" of I), with accents and without.
const folded = (text) => text.trim().toLowerCase().normalize("NFD").replace(/[\u0300-\u036f]/g, "").replaceAll("ı", "i");

const pressed = () => buttons.find((button) => button.getAttribute("aria-pressed") === "true");

export function isShown(session) {
  const kind = pressed()?.dataset.show;
  return (!kind || session.kinds.includes(kind)) && folded(nameOf(session)).includes(folded(part("find").value));
}

export function showCounts(counts) {
  for (const button of buttons) button.querySelector("b").textContent = counts[button.dataset.show];
}

export function listenForChoice(onChange) {
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const isPressed = button === pressed();
      for (const each of buttons) each.setAttribute("aria-pressed", String(each === button && !isPressed));
      onChange();
    });
  }
  part("find").addEventListener("input", onChange);
}
