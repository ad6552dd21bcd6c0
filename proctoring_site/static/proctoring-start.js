/**
 * A start, and its key. When the answer was lost, the start is sent again with the same key, also after a reload, and opens
 * no second session. It is as good as a token, and forgotten as soon as the session is known here.
 */

const PLACE = "proctoring-client start";
/** Of this page alone, where the browser keeps nothing for the site. */
const notKept = new Map();

/** A UUID of version 4, by what also a page without HTTPS has. */
function newKey() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  random[6] = (random[6] & 0x0f) | 0x40;
  random[8] = (random[8] & 0x3f) | 0x80;
  const hex = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function place(baseUrl) {
  return `${PLACE} ${baseUrl}`;
}

function kept(baseUrl) {
  try {
    return localStorage.getItem(place(baseUrl));
  } catch {
    return null; // all cookies are blocked
  }
}

/** That of the last start at this server whose session is not known here, else a new one. */
function startKey(baseUrl) {
  const key = kept(baseUrl) ?? notKept.get(baseUrl) ?? newKey();
  try {
    localStorage.setItem(place(baseUrl), key);
  } catch {
    notKept.set(baseUrl, key);
  }
  return key;
}

/** A key that is left of somebody else's start, or of one that is over, or is none, opens nothing: then with a new one. */
export async function askToStart(ask, baseUrl, candidateName) {
  const isOpened = (body) => typeof body?.id === "string" && typeof body.token === "string";
  for (let tries = 1; ; tries++) {
    const key = startKey(baseUrl);
    const answer = await ask({ candidate_name: candidateName, start_key: key }, isOpened);
    const isOfNoUse = answer.body?.code === "start_key_conflict" || answer.body?.fields?.start_key;
    if (!isOfNoUse || tries === 2) return { key, answer };
    forgetStartKey(baseUrl, key);
  }
}

/** Only this one: another tab may have begun another start. */
export function forgetStartKey(baseUrl, key) {
  if (key && kept(baseUrl) === key) localStorage.removeItem(place(baseUrl));
  if (key && notKept.get(baseUrl) === key) notKept.delete(baseUrl);
}
