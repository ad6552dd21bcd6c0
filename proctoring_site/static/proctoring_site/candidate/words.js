/** What the candidate's page says of its session, before, meanwhile and at the end. */

import { faultOf } from "./devices.js";

export const OVER = {
  ended: "Your exam has ended.",
  terminated: "Staff have ended your exam.",
  expired: "Your exam was closed, since nothing was heard of this page for long.",
  session_closed: "Your exam was closed meanwhile.",
  not_found: "The server no longer knows this exam. Please tell the staff.",
};
export const NO_NOTES = "This browser cannot keep notes: please do not reload or close this page.";
export const WITHOUT = "You can also start without; then nothing is filmed, and staff see that.";
const NO_SOUND = "There is no microphone: only the picture is recorded.";
const LOGIN = ": something else answers in its place; does your network want a login?";
const EXPIRED =
  "The permission for this exam has expired. What could not be sent is kept in this browser. Please tell the staff: they " +
  "can give you a link, and when you open it in this browser, it goes on.";
const LONG_EXPIRED =
  "The permission for this exam expired more than a week ago. What was not sent by then cannot be sent any more, and is " +
  "deleted from this browser. Please tell the staff.";

/** Of a link that staff gave. */
export const LINK = {
  heading: "Nothing to go on with",
  waits: "The server does not answer. Check your network (does it want a login?). This page asks again by itself.",
  bad:
    "This link cannot be used: it is not whole, it has expired, or there is no such exam any more. Please ask the staff " +
    "for another one.",
  another: "The link that was opened is for another exam. Yours goes on here. Please tell the staff.",
  over: (name) => `The exam of ${name} is over, and this browser has nothing of it that could still be sent.`,
};

/** Two exams may have the same name. */
export function begun(name, at) {
  return at ? `${name}, begun ${new Date(at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}` : name;
}

/** Why the session did not start. */
export function whyNot(error) {
  if (error.status === 401 || error.status === 403) {
    return "On this server an exam is opened by staff or their system, not by this page. Please ask whoever invited you.";
  }
  if (error.status === 429) {
    return `Too many exams are being started from your network. Try again in ${Math.ceil(error.retryAfterS) || 60} seconds.`;
  }
  if (error.status === 0 || error.status >= 500) {
    return "The server does not answer. Check your network (does it want a login?), and try again in a minute.";
  }
  return error.message;
}

/** Why there is a picture alone. */
export function whyNoSound(fault) {
  return fault.name === "NotFoundError" ? NO_SOUND : `${faultOf(fault)} Until then only the picture is recorded.`;
}

/** Whether the server can be reached, and what waits for that. */
export function connection(client, isIntercepted) {
  const waiting = client.waiting ? `, ${client.waiting} waiting` : "";
  if (client.stopped === "token") return `Permission expired${waiting}`;
  return client.isConnected ? "Connected" : `No connection${waiting}${isIntercepted ? LOGIN : ""}`;
}

/** The server does not take the token any more. */
export function expired({ keptUntil }) {
  return keptUntil < Date.now() ? LONG_EXPIRED : EXPIRED;
}

/** Why it is over, and what was not taken. `dropped`: how many events came when the session took no more; `stuck`: how
 * many something in between stops. */
export function outcome(over, { dropped, stuck, videos, refusals }) {
  const isKnown = over !== OVER.not_found; // else all is refused for that
  const told = [over];
  if (dropped) told.push(`What this page had noted (${dropped}) ${isKnown ? "came too late and " : ""}was not taken.`);
  if (stuck) told.push(`Something in your network stops what this page had noted (${stuck}). Please tell the staff.`);
  if (refusals.length) {
    const what = refusals.length < videos.length ? "all of the video" : "the video";
    told.push(`The server did not take ${what}${isKnown ? `: ${refusals[0].message} Please tell the staff.` : "."}`);
  } else if (dropped && videos.length) {
    told.push("The video was sent.");
  }
  return told.join(" ");
}
