/** Copies the link, also on a server without HTTPS, whose pages may not use the clipboard themselves. */

const [link, button, said] = ["link", "copy", "copied"].map((id) => document.getElementById(id));

async function copy() {
  const isCopied = await navigator.clipboard?.writeText(link.value).then(() => true, () => false);
  link.select();
  const isDone = isCopied || document.execCommand("copy");
  said.textContent = isDone ? "Copied." : "Copying failed. The link is selected: copy it yourself.";
}

button.hidden = false;
button.addEventListener("click", copy);
