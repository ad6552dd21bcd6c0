/** The candidate's page: consent, devices, the sitting, the end. It uses the client module and the public API only. */

import { ProctoringClient } from "../../proctoring-client.js";
import * as devices from "./devices.js";
import * as links from "./link.js";
import { Losses } from "./losses.js";
import * as recordings from "./recording.js";
import { send } from "./sending.js";
import * as tab from "./tab.js";
import { watch } from "./watching.js";
import { begun, connection, expired, LINK, NO_NOTES, outcome, OVER, whyNoSound, whyNot, WITHOUT } from "./words.js";

const SECTIONS = ["loading", "elsewhere", "other-exam", "prepare", "unfinished", "sitting", "sending", "done"];
const OPTIONS = { source: "candidate page 1", onCommand: follow };

/** @type {ProctoringClient} */
let client;
/** The session that a link from staff brings to this browser, with its token. */
let brought = null;
/** @type {MediaStream|null} */
let stream = null;
let recording = null;
const losses = new Losses((type, details) => client.log(type, details), showLost);
let lastSignals = {};
let isChecked = false;
/** Whether something else answers in the server's place. */
let isIntercepted = false;
let isFinishing = false;
/** Something that takes its time was pressed: pressed again it would open a second session, or a second camera. */
let isBusy = false;
let stopWatching = () => {};
/** Why it is over, and how many events came when the session took no more. */
let over = "";
let dropped = 0;
/** Whether staff have paused the exam. */
let isPaused = false;

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

function alone(step) {
  return async (event) => {
    event.preventDefault();
    if (isBusy || isFinishing) return;
    isBusy = true;
    try {
      await step(event);
    } finally {
      isBusy = false;
    }
  };
}

/** Whoever leaves now leaves something behind. */
function askBeforeLeaving(event) {
  event.preventDefault();
}

// Before the start.

async function check(choice) {
  devices.turnOff(stream);
  stream = null;
  isChecked = true;
  byId("device-state").textContent = "Your browser may now ask whether this page may use them.";
  try {
    let fault;
    ({ stream, fault } = await devices.turnOn(choice));
    await devices.list(stream, { videoinput: byId("camera"), audioinput: byId("microphone") });
    byId("device-state").textContent = fault ? whyNoSound(fault) : "Camera and microphone work.";
  } catch (error) {
    byId("device-state").textContent = `${devices.faultOf(error)} ${WITHOUT}`;
  }
  byId("devices").hidden = stream === null;
  byId("preview").srcObject = stream;
}

async function start(event) {
  complain("");
  if (!isChecked) {
    await check();
    if (!stream) {
      return complain(
        "Camera and microphone could not be turned on; see below. Press Start again to continue without them.",
      );
    }
  }
  const button = event.submitter ?? byId("start");
  button.disabled = true;
  try {
    await openSession(byId("name").value);
  } catch (error) {
    tab.release();
    complain(whyNot(error));
  }
  button.disabled = false;
}

async function openSession(name) {
  const { isOurs } = await tab.claim();
  if (!isOurs) {
    tab.release();
    return complain("An exam is already running in another tab or window of this browser.");
  }
  client = listenTo(new ProctoringClient(OPTIONS));
  await (brought ? client.adopt(brought) : client.start(name));
  links.drop();
  sit(brought ? "browser_changed" : "sitting_started");
}

// The sitting.

function sit(eventType) {
  for (const place of document.querySelectorAll("[data-show=name]")) place.textContent = client.candidateName;
  show("sitting");
  addEventListener("beforeunload", askBeforeLeaving);
  startRecording();
  const isThere = (kind) => devices.works(stream, kind) === true;
  client.log(eventType, { data: { camera: isThere("video"), microphone: isThere("audio") } });
  stopWatching = watch(client);
  client.heartbeat(signals);
  setInterval(tick, 500);
}

function startRecording() {
  if (!stream) return;
  for (const track of stream.getTracks()) losses.use(track.kind);
  devices.onChange(stream, look);
  losses.use("recording");
  const onLost = (seconds) => client.log("recording_lost", { data: { seconds } });
  try {
    const clockAheadMs = () => client.clockAheadMs;
    const { id, keptUntil } = client;
    recording = recordings.record(stream, id, { keptUntil, clockAheadMs, onMemoryOnly: warn, onLost });
  } catch (error) {
    console.error(error);
    client.log("recording_stopped");
    complain("This browser cannot record. The exam continues, and staff see that nothing is recorded.");
  }
  tick();
}

/** Once the exam is over, what was last true in it: that the page turns its camera off is no loss. */
function signals() {
  const said = (kind) => losses.signal(stream, kind);
  const isRecording = losses.isRecording(stream, recording) || said("recording");
  if (!isFinishing) lastSignals = { camera: said("video"), microphone: said("audio"), screen: null, recording: isRecording };
  return lastSignals;
}

function look() {
  if (!isBusy && !isFinishing) losses.look(stream, recording);
}

function showLost(text) {
  byId("device-lost").hidden = !text;
  byId("device-lost-text").textContent = text;
}

/** The devices again, in a recording of its own. */
async function turnOnAgain() {
  byId("device-lost-text").textContent = "Your browser may now ask whether this page may use them.";
  await recording?.stop();
  recording = null;
  devices.turnOff(stream);
  let fault;
  try {
    ({ stream, fault } = await devices.turnOn());
  } catch (error) {
    stream = null;
    fault = error;
  }
  if (isFinishing) return devices.turnOff(stream);
  losses.lookAgain(stream, fault && (stream ? whyNoSound(fault) : devices.faultOf(fault)));
  startRecording();
}

function tick() {
  const seconds = Math.max(0, Math.floor(client.secondsIn()));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const padded = (n) => String(n).padStart(2, "0");
  byId("elapsed").textContent = h ? `${h}:${padded(m)}:${padded(s)}` : `${m}:${padded(s)}`;
  look();
  const isRecording = losses.isRecording(stream, recording);
  byId("light").hidden = !isRecording;
  byId("no-light").hidden = isRecording;
  byId("paused-light").textContent = isRecording ? "Recording continues." : "Nothing is being recorded.";
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
    dropped = detail.dropped;
    if (detail.reason === "token") complain(expired(client));
    else if (detail.reason !== "forgotten") finish(OVER[detail.reason]);
    showConnection();
  });
  session.addEventListener("warning", warn);
  session.addEventListener("rejected", ({ detail }) => {
    console.warn("The server refused an event:", detail.code, detail.event.event_type);
  });
  return session;
}

function warn() {
  if (byId("error").textContent !== NO_NOTES) complain(NO_NOTES);
}

function showConnection() {
  const text = connection(client, isIntercepted);
  if (byId("connection").textContent !== text) byId("connection").textContent = text;
  const waiting = client.waiting ? `, ${client.waiting} waiting` : "";
  const hint = client.isConnected ? "The rest is being sent." : `No connection${waiting}: sending resumes by itself.`;
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
    throw new Error(`This page cannot carry out: ${action}`); // so that it is not confirmed
  }
}

function pause(isAsked, reason) {
  if (isFinishing) return;
  const dialog = byId("paused");
  isPaused = isAsked;
  if (reason) byId("paused-text").textContent = reason;
  if (isPaused) return holdOn();
  dialog.close();
  byId("paused-text").textContent = "Staff have paused the exam.";
}

/** Also when it was closed: browsers let a second Escape do so. */
function holdOn() {
  if (isPaused && !byId("paused").open) byId("paused").showModal();
}

// The end.

/** By the candidate; the server may hear of it much later. */
function endIt() {
  if (!isFinishing) client.log("sitting_ended");
  finish(OVER.ended);
}

async function finish(words) {
  if (!isFinishing || over === OVER.session_closed) over = words; // the next sign of life may say why it was closed
  if (isFinishing) return;
  isFinishing = true;
  isPaused = false;
  const isFirst = !client.isEnding; // else an earlier visit has said how it was recorded
  addEventListener("beforeunload", askBeforeLeaving);
  stopWatching();
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  if (document.fullscreenElement) await document.exitFullscreen().catch(() => {});
  show("sending");
  await recording?.stop();
  devices.turnOff(stream);
  const gaps = await recordings.gaps(client);
  if (isFirst && gaps.parts > 1) client.log("recording_interrupted", { data: gaps });
  const videos = await recordings.files(client.id);
  const reason = await client.end({ keep: videos.length > 0 });
  if (reason === "token") return sayExpired();
  const refusals = await send(client, videos, showSent);
  if (refusals.some(({ status }) => status === 401)) return sayExpired();
  const sessionId = client.id;
  await client.end(); // and forget it, once nothing waits
  await recordings.forget(sessionId);
  const stuck = client.stopped ? 0 : client.waiting;
  const refused = refusals.length || dropped;
  const heading = refused ? "Not everything was accepted" : stuck ? "Not everything was sent" : "Done";
  sayDone(outcome(over, { dropped, stuck, videos, refusals }), heading);
}

function showSent(part, words) {
  byId("progress").value = part;
  byId("sent").textContent = words;
}

/** What is kept must not keep the next one from this computer; what nobody can deliver any more is not kept. */
async function sayExpired() {
  if (client.keptUntil < Date.now()) await recordings.forget(client.id);
  byId("another").href = `?${new URLSearchParams({ after: client.id })}`;
  byId("another").hidden = false;
  sayDone(expired(client), "Not everything was sent");
}

function sayDone(text, heading) {
  links.drop();
  removeEventListener("beforeunload", askBeforeLeaving);
  tab.release();
  complain("");
  byId("done-heading").textContent = heading;
  byId("done-text").textContent = text;
  show("done");
}

// A page that was reloaded or closed in the middle of a sitting, or is opened by a link from staff.

async function goOn() {
  const wasFilmed = (await recordings.parts(client.id)).length > 0;
  if (wasFilmed) for (const kind of ["video", "recording"]) losses.use(kind);
  try {
    ({ stream } = await devices.turnOn());
  } catch (error) {
    losses.tell(devices.faultOf(error));
  }
  if (isFinishing) return devices.turnOff(stream);
  if (wasFilmed && devices.isGone(stream, "video")) losses.note("video");
  sit("page_reloaded");
}

async function begin() {
  const link = links.take();
  const { isOurs, turn } = await tab.claim();
  if (!isOurs) {
    show("elsewhere");
    await turn;
    if (!link) return location.reload();
    show("loading");
  }
  if (link) return followLink(link);
  const unfinished = await ProctoringClient.resume(OPTIONS);
  const isLeft = unfinished?.id === new URLSearchParams(location.search).get("after");
  if (!unfinished || isLeft) {
    tab.release();
    if (!isLeft) await recordings.forget();
    const isByLinkOnly = "byLinkOnly" in byId("prepare").dataset;
    return isByLinkOnly ? sayDone(LINK.needed, LINK.heading) : show("prepare");
  }
  goBackTo(unfinished);
}

function goBackTo(unfinished, state = null) {
  links.drop();
  client = listenTo(unfinished);
  for (const place of document.querySelectorAll("[data-show=name]")) place.textContent = client.candidateName;
  if (client.isEnding) finish(OVER.ended);
  else if (state in OVER) finish(OVER[state]);
  else show("unfinished");
}

/** Two exams are never mixed, and what this browser has of one is never lost for the other. */
async function followLink(link) {
  const session = await links.find(link, () => complain(LINK.waits));
  const unfinished = await ProctoringClient.resume({ ...OPTIONS, renewed: session });
  complain("");
  if (session && session.id === unfinished?.id) return goBackTo(unfinished, session.state);
  const isOfNoUse = !session || session.state in OVER;
  const words = session ? LINK.over(session.candidate_name) : LINK.bad;
  if (isOfNoUse && !unfinished) return sayDone(words, LINK.heading);
  if (isOfNoUse) {
    complain(words);
    return goBackTo(unfinished);
  }
  if (!unfinished) return bring(session);
  byId("bring").onclick = () => bring(session);
  byId("brought-exam").textContent = begun(session.candidate_name, session.start_time);
  byId("kept-exam").textContent = begun(unfinished.candidateName, unfinished.startedAt);
  show("other-exam");
}

/** What is recorded is read and agreed to in each browser. */
function bring(session) {
  brought = session;
  tab.release();
  byId("prepare-heading").textContent = "Before you continue";
  byId("brought").hidden = false;
  byId("name").value = session.candidate_name;
  byId("name").readOnly = true;
  byId("start").textContent = "Continue";
  show("prepare");
}

/** A link that is opened in the tab of this page, which does not load it anew. */
async function hearLink() {
  const isOpen = () => ["sitting", "sending"].some((section) => !byId(section).hidden);
  if (!isOpen()) return location.reload();
  const link = links.take();
  if (!link) return;
  const isOurs = link.id === client.id;
  const session = isOurs && (await links.find(link, () => complain(LINK.waits)));
  if (!isOpen()) {
    links.keep(link); // the exam was ended while the link waited for the server: what is left can be sent now
    return location.reload();
  }
  links.drop();
  if (!isOurs) return complain(LINK.another);
  if (!session) return complain(LINK.bad);
  complain("");
  await client.useToken(session.token, session.token_expires_at);
  showConnection();
}

addEventListener("hashchange", hearLink);
byId("check").addEventListener("click", alone(() => check()));
for (const id of ["camera", "microphone"]) {
  const chosen = () => ({ camera: byId("camera").value, microphone: byId("microphone").value });
  byId(id).addEventListener("change", alone(() => check(chosen())));
}
byId("prepare").querySelector("form").addEventListener("submit", alone(start));
byId("stay").addEventListener("click", () => {
  links.drop();
  location.reload();
});
byId("go-on").addEventListener("click", alone(goOn));
byId("give-up").addEventListener("click", endIt);
byId("turn-on").addEventListener("click", alone(turnOnAgain));
byId("fullscreen").addEventListener("click", () => document.documentElement.requestFullscreen().catch(() => {}));
byId("end").addEventListener("click", () => byId("really").showModal());
byId("really").addEventListener("close", () => byId("really").returnValue === "yes" && endIt());
byId("paused").addEventListener("cancel", (event) => event.preventDefault());
byId("paused").addEventListener("close", holdOn);

await begin();
