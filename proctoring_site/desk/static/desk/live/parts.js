// What the parts of the live board share.

export const root = document.getElementById("live");
export const part = (name) => document.getElementById(`live-${name}`);

// For people: an adopted session may have none, or blanks alone.
export const nameOf = (session) => String(session.name || "").trim();

export function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
