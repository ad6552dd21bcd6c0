/** What the candidate's page says of its session, before, meanwhile and at the end. */

import { faultOf } from "./devices.js";

export const OVER = {
  ended: "Your exam has ended.",
  terminated: "Staff have ended your exam.",
  expired: "Your exam was closed because this page had not been heard from for a long time.",
  session_closed: "Your exam was closed in the meantime.",
  not_found: "The server no longer knows this exam. Please tell the staff.",
};
export const NO_NOTES = "This browser cannot store anything: please do not reload or close this page.";
export const WITHOUT = "You can also start without a camera; then nothing is filmed, and staff see that.";
const NO_SOUND = "No microphone was found: only the picture is recorded.";
const LOGIN = ": something else is answering in the server's place; does your network ask you to log in?";
const EXPIRED =
  "The permission for this exam has expired. What could not be sent is kept in this browser. Please tell the staff: " +
  "they can give you a link; open it in this browser to continue.";
const LONG_EXPIRED =
  "The permission for this exam expired more than a week ago. What had not been sent by then can no longer be sent, " +
  "and is deleted from this browser. Please tell the staff.";

/** Of a link that staff gave. */
export const LINK = {
  heading: "Nothing to continue",
  needed: "On this server, exams are started by staff or their system, not from this page. Ask whoever invited you.",
  waits:
    "The server does not answer. Check your network (does it ask you to log in?). This page keeps trying by itself.",
  bad:
    "This link cannot be used: it is incomplete, it has expired, or the exam no longer exists. Please ask the staff " +
    "for a new one.",
  another: "The link that was opened is for another exam. Yours continues here. Please tell the staff.",
  over: (name) => `The exam of ${name} is over, and this browser has nothing of it left to send.`,
};

/** Two exams may have the same name. */
export function begun(name, at) {
  return at ? `${name}, started ${new Date(at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}` : name;
}

/** Why the session did not start. */
export function whyNot(error) {
  if (error.status === 401 || error.status === 403) return LINK.needed;
  if (error.status === 429) {
    return `Too many exams are being started from your network. Try again in ${Math.ceil(error.retryAfterS) || 60} seconds.`;
  }
  if (error.status === 0 || error.status >= 500) {
    return "The server does not answer. Check your network (does it ask you to log in?), and try again in a minute.";
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
  const late = isKnown ? "came too late and " : "";
  if (dropped) told.push(`Some of what this page recorded (${dropped}) ${late}was not accepted.`);
  if (stuck) told.push(`Something in your network blocks what this page recorded (${stuck}). Please tell the staff.`);
  if (refusals.length) {
    const what = refusals.length < videos.length ? "all of the video" : "the video";
    told.push(`The server did not accept ${what}${isKnown ? `: ${refusals[0].message} Please tell the staff.` : "."}`);
  } else if (dropped && videos.length) {
    told.push("The video was sent.");
  }
  return told.join(" ");
}
