/** What one tab of a browser does at a time. */

/** One at a time, across all tabs, where the browser can say so; else a resend is harmless, since events have ids. It can
 * not where it has no locks, nor where it may keep nothing for this site: who blocks all cookies blocks locks, too. */
export async function inTurn(name, work) {
  let isBegun = false;
  const begin = () => work((isBegun = true));
  try {
    return await navigator.locks.request(`proctoring-client ${name}`, begin);
  } catch (error) {
    if (isBegun) throw error;
    return work();
  }
}
