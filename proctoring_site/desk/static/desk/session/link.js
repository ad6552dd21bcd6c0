/** Copies the link, also on a server without HTTPS, whose pages may not use the clipboard themselves. */

const [link, button, said] = ["link", "copy", "copied"].map((id) => document.getElementById(id));

async function copy() {
  link.select();
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(link.value);
    else if (!document.execCommand("copy")) throw new Error("refused");
    said.textContent = "Copied.";
  } catch {
    said.textContent = "It could not be copied: it is selected, copy it yourself.";
  }
}

button.hidden = false;
button.addEventListener("click", copy);
