/** A link from staff: the permission to go on with an exam, behind the `#` of the address, which no server sees. */

const AGAIN_MS = 3000;
/** Another one would lead elsewhere. */
const ID = /^[^/.]+$/;
/** A candidate's, and a text that a header can hold; an id of an earlier database in it may have odd characters. */
const TOKEN = /^pc\.[ -~\xa0-\xff]+$/;

/** What the address says, which says it no longer, but to a reload until `drop`; null where it is no link of staff's. */
export function take() {
  const told = new URLSearchParams(location.hash.slice(1));
  const [id, token, until] = ["session", "token", "until"].map((name) => told.get(name));
  if (id === null && token === null) return history.state?.link ?? null;
  const link = { id, token, token_expires_at: until };
  keep(link);
  return link;
}

export function keep(link) {
  history.replaceState({ link }, "", location.pathname + location.search);
}

export function drop() {
  history.replaceState(null, "");
}

/**
 * Its session as it is now, with the token; asked until the server has answered.
 * @param {() => void} sayWaiting Called when it has not.
 * @returns {Promise<object|null>} Null: the link is cut or altered, has expired, or its session was deleted.
 */
export async function find({ id, token, token_expires_at }, sayWaiting) {
  if (!TOKEN.test(token ?? "") || !ID.test(id ?? "") || Number.isNaN(Date.parse(token_expires_at))) return null;
  const how = { headers: { Authorization: `Bearer ${token}` }, credentials: "omit", cache: "no-store", redirect: "error" };
  for (;;) {
    try {
      const response = await fetch(`/sessions/${encodeURIComponent(id)}`, how);
      const body = await response.json();
      if (response.ok && body?.id === id) {
        const name = String(body.candidate_name ?? "").trim() || "(no name)"; // an adopted session may have none
        return { ...body, candidate_name: name, token, token_expires_at };
      }
      if (["invalid_token", "not_found"].includes(body?.code)) return null;
    } catch {
      // No network, or something else answers in the server's place.
    }
    sayWaiting();
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}
