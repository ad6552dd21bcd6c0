/** The candidate's page: consent, devices, the sitting, the end. It uses the client module and the public API only. */

import { ProctoringClient } from "../../proctoring-client.js";
import * as devices from "./devices.js";
import * as recordings from "./recording.js";
import { secondsSince, watch } from "./watching.js";

const SECTIONS = ["prepare", "unfinished", "sitting", "sending", "done"];
const OPTIONS = { source: "candidate page 1", onCommand: follow };
const OVER = {
  ended: "Your exam has ended.",
  terminated: "Staff have ended your exam.",
  expired: "Your exam was closed, since nothing was heard of this page for long.",
  session_closed: "Your exam has ended.",
  not_found: "The server no longer knows this exam. Please tell the staff.",
};
const NO_TOKEN =
  "The permission for this exam has expired. Please tell the staff. What could not be sent is kept in this browser.";
const NOT_TAKEN = (why) => `Your exam has ended, but the server did not take the video: ${why} Please tell the staff.`;
const LOGIN = ": something else answers in its place; does your network want a login?";
const SILENT = "There is no microphone: only the picture is recorded.";
const WITHOUT = "You can also start without; then nothing is filmed, and staff see that.";

/** @type {ProctoringClient} */
let client;
/** @type {MediaStream|null} */
let stream = null;
let recording = null;
/** Which devices were there at some time of this sitting: their absence is a loss. */
const used = { audio: false, video: false };
/** Since when one of them is missing; null: none is. */
let lostSince = null;
let lastSignals = {};
let isChecked = false;
/** Whether something else answers in the server's place. */
let isIntercepted = false;
let isFinishing = false;
let stopWatching = () => {};

const byId = (id) => document.getElementById(id);

function show(name) {
  for (const section of SECTIONS) byId(section).hidden = section !== name;
  byId(name).querySelector("h1").focus();
}

function complain(text) {
  byId("error").hidden = !text;
  byId("error").textContent = text;
  if (text) byId("error").scrollIntoView({ block: "nearest" }); // what was pressed may stand a screen below
}

// Before the start.

async function check(choice) {
  devices.turnOff(stream);
  stream = null;
  isChecked = true;
  try {
    stream = await devices.turnOn(choice);
    await devices.list(stream, { videoinput: byId("camera"), audioinput: byId("microphone") });
    const isSilent = devices.works(stream, "audio") === null;
    byId("device-state").textContent = isSilent ? SILENT : "Camera and microphone work.";
  } catch (error) {
    byId("device-state").textContent = `${devices.faultOf(error)} ${WITHOUT}`;
  }
  byId("devices").hidden = stream === null;
  byId("preview").srcObject = stream;
}

async function start(event) {
  event.preventDefault();
  complain("");
  if (!isChecked) {
    await check();
    if (!stream) {
      return complain("Camera and microphone could not be turned on; see below. Press Start again to go without.");
    }
  }
  const button = event.submitter ?? byId("prepare").querySelector("button.main");
  button.disabled = true;
  client = listenTo(new ProctoringClient(OPTIONS));
  try {
    await client.start(byId("name").value);
    await sit("sitting_started");
  } catch (error) {
    complain(whyNot(error));
  }
  button.disabled = false;
}

function whyNot(error) {
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

// The sitting.

async function sit(eventType) {
  for (const place of document.querySelectorAll("[data-show=name]")) place.textContent = client.candidateName;
  show("sitting");
  startRecording();
  const isThere = (kind) => devices.works(stream, kind) === true;
  client.log(eventType, { data: { camera: isThere("video"), microphone: isThere("audio") } });
  stopWatching = watch(client);
  client.heartbeat(signals);
  setInterval(tick, 500);
}

function startRecording() {
  if (!stream) return;
  for (const track of stream.getTracks()) used[track.kind] = true;
  recording = recordings.record(stream, client.id);
  devices.onLost(stream, lose);
  tick();
}

/** Once the exam is over, what was last true in it: that the page turns its camera off is no loss. */
function signals() {
  const said = (kind) => devices.works(stream, kind) ?? (used[kind] ? false : null);
  if (!isFinishing) lastSignals = { camera: said("video"), microphone: said("audio"), screen: null };
  return lastSignals;
}

function lose(device) {
  if (isFinishing) return;
  client.log(`${device}_lost`);
  showLost(`The ${device} stopped working. Check that it is plugged in and allowed.`);
}

function showLost(text) {
  lostSince = text ? (lostSince ?? performance.now()) : null;
  byId("device-lost").hidden = !text;
  byId("device-lost-text").textContent = text;
}

/** The devices again, in a recording of its own. */
async function turnOnAgain() {
  await recording?.stop();
  recording = null;
  devices.turnOff(stream);
  stream = null;
  try {
    stream = await devices.turnOn();
    client.log("devices_back", { data: { away_s: secondsSince(lostSince) } });
    showLost("");
  } catch (error) {
    showLost(devices.faultOf(error));
  }
  startRecording();
}

function tick() {
  const seconds = Math.max(0, Math.floor((Date.now() - client.startedAt) / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const padded = (n) => String(n).padStart(2, "0");
  byId("elapsed").textContent = h ? `${h}:${padded(m)}:${padded(s)}` : `${m}:${padded(s)}`;
  const isRecording = recording !== null && stream.getTracks().some((track) => track.readyState === "live");
  byId("light").hidden = !isRecording;
  byId("no-light").hidden = isRecording;
}

function listenTo(session) {
  session.addEventListener("connection", ({ detail }) => {
    isIntercepted = detail.reason === "stranger";
    showConnection();
  });
  session.addEventListener("waiting", showConnection);
  session.addEventListener("state", ({ detail }) => {
    if (detail.state in OVER) finish(OVER[detail.state]);
    else pause(detail.state === "paused");
  });
  session.addEventListener("stopped", ({ detail }) => {
    if (detail.reason === "token") complain(NO_TOKEN);
    else if (detail.reason !== "forgotten") finish(OVER[detail.reason]);
  });
  session.addEventListener("warning", () => {
    complain("This browser cannot keep notes: please do not reload or close this page.");
  });
  session.addEventListener("rejected", ({ detail }) => {
    console.warn("The server refused an event:", detail.code, detail.event.event_type);
  });
  return session;
}

function showConnection() {
  const waiting = client.waiting ? `, ${client.waiting} waiting` : "";
  const text = client.isConnected ? "Connected" : `No connection${waiting}${isIntercepted ? LOGIN : ""}`;
  if (byId("connection").textContent !== text) byId("connection").textContent = text;
  const hint = client.isConnected ? "What is left is being delivered." : `No connection${waiting}: it goes on by itself.`;
  if (byId("sending-text").textContent !== hint) byId("sending-text").textContent = hint;
}

/** What staff ask. Confirmed when this returns, so after it is shown. */
function follow({ action, message }) {
  if (action === "message") {
    const shown = document.createElement("p");
    shown.textContent = message;
    byId("messages").append(shown);
  } else if (action === "terminate") {
    finish([OVER.terminated, message].filter(Boolean).join(" "));
  } else if (action === "pause" || action === "resume") {
    pause(action === "pause", message);
  } else {
    throw new Error(`This page cannot: ${action}`); // so that it is not confirmed
  }
}

function pause(isPaused, reason) {
  const dialog = byId("paused");
  if (reason) byId("paused-text").textContent = reason;
  if (isPaused && !dialog.open) dialog.showModal();
  if (isPaused) return;
  dialog.close();
  byId("paused-text").textContent = "Staff have paused the exam.";
}

// The end.

async function finish(words) {
  if (isFinishing) return;
  isFinishing = true;
  stopWatching();
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  if (document.fullscreenElement) await document.exitFullscreen().catch(() => {});
  show("sending");
  await recording?.stop();
  devices.turnOff(stream);
  const gaps = await recordings.gaps(client.id);
  if (gaps.parts > 1) client.log("recording_interrupted", { data: gaps });
  const videos = await recordings.files(client.id);
  const reason = await client.end({ keep: videos.length > 0 });
  if (reason === "token") return sayDone(NO_TOKEN);
  const refusals = await send(videos);
  if (refusals.some(({ status }) => status === 401)) return sayDone(NO_TOKEN);
  const sessionId = client.id;
  await client.end(); // and forget it, once nothing waits
  await recordings.forget(sessionId);
  sayDone(refusals.length ? NOT_TAKEN(refusals[0].message) : words);
}

/** Each one, also when another was refused. @returns {Promise<ProctoringError[]>} The refusals. */
async function send(videos) {
  const total = videos.reduce((sum, { blob }) => sum + blob.size, 0);
  const refusals = [];
  let done = 0;
  for (const { blob, filename, startedAt } of videos) {
    const startOffsetS = startedAt ? Math.max(0, (startedAt - client.startedAt) / 1000) : null;
    const onProgress = (part) => (byId("progress").value = (done + part * blob.size) / total);
    await client.upload(blob, { filename, startOffsetS, onProgress }).catch((error) => refusals.push(error));
    done += blob.size;
  }
  return refusals;
}

function sayDone(text) {
  byId("done-text").textContent = text;
  show("done");
}

// A page that was reloaded or closed in the middle of a sitting.

async function goOn() {
  const wasRecorded = (await recordings.parts(client.id)).length > 0;
  try {
    stream = await devices.turnOn();
  } catch (error) {
    showLost(devices.faultOf(error));
    if (wasRecorded) {
      used.video = true;
      client.log("camera_lost");
    }
  }
  await sit("page_reloaded");
}

byId("check").addEventListener("click", () => check());
for (const id of ["camera", "microphone"]) {
  const chosen = () => ({ camera: byId("camera").value, microphone: byId("microphone").value });
  byId(id).addEventListener("change", () => check(chosen()));
}
byId("prepare").querySelector("form").addEventListener("submit", start);
byId("go-on").addEventListener("click", goOn);
byId("give-up").addEventListener("click", () => finish(OVER.ended));
byId("turn-on").addEventListener("click", turnOnAgain);
byId("fullscreen").addEventListener("click", () => document.documentElement.requestFullscreen().catch(() => {}));
byId("end").addEventListener("click", () => byId("really").showModal());
byId("really").addEventListener("close", () => byId("really").returnValue === "yes" && finish(OVER.ended));
byId("paused").addEventListener("cancel", (event) => event.preventDefault());

const unfinished = await ProctoringClient.resume(OPTIONS);
if (unfinished) {
  client = listenTo(unfinished);
  for (const place of document.querySelectorAll("[data-show=name]")) place.textContent = client.candidateName;
  if (client.isEnding) finish(OVER.ended);
  else show("unfinished");
} else {
  await recordings.forget();
  show("prepare");
}
