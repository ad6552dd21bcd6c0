/** Camera and microphone: turned on, chosen, shown, and noticed when they go. */

/** What people can do about it, by the name of the browser's error. */
const FAULTS = {
  NotAllowedError:
    "Camera and microphone were not allowed. Allow them for this page next to its address, and try again.",
  NotFoundError: "No camera was found.",
  NotReadableError: "Another program is using the camera or microphone. Close it, and try again.",
  OverconstrainedError: "This camera or microphone is no longer there. Choose another one.",
};

/** The words for an error of `turnOn`. */
export function faultOf(error) {
  return FAULTS[error.name] ?? "Camera and microphone cannot be used here.";
}

/**
 * Both, or the camera alone, with the browser's error about the microphone; a recording without pictures is none. Rejects
 * with the browser's error.
 * @returns {Promise<{stream: MediaStream, fault: DOMException|undefined}>}
 */
export async function turnOn({ camera, microphone } = {}) {
  if (!navigator.mediaDevices) throw new DOMException("no secure context", "NotSupportedError");
  const video = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 15 }, ...chosen(camera) };
  const audio = chosen(microphone) ?? true;
  const tries = [{ video, audio }, { video }];
  let fault;
  for (const wanted of tries) {
    try {
      return { stream: await navigator.mediaDevices.getUserMedia(wanted), fault };
    } catch (error) {
      fault ??= error;
      if (error.name === "NotAllowedError") break; // asking again would only ask the candidate again
    }
  }
  throw fault;
}

function chosen(deviceId) {
  return deviceId ? { deviceId: { exact: deviceId } } : undefined;
}

export function turnOff(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** Fill the two choices; browsers tell the names only once the devices were allowed. */
export async function list(stream, choices) {
  const devices = await navigator.mediaDevices.enumerateDevices();
  for (const [kind, select] of Object.entries(choices)) {
    const used = stream.getTracks().find((track) => `${track.kind}input` === kind)?.getSettings().deviceId;
    const own = devices.filter((device) => device.kind === kind);
    const options = own.map((device, n) => new Option(device.label || `Device ${n + 1}`, device.deviceId));
    select.replaceChildren(...(options.length ? options : [new Option("none", "")]));
    if (used) select.value = used;
  }
}

/** Whether it is gone for good: what is only silent may come back by itself. */
export function isGone(stream, kind) {
  const track = stream?.getTracks().find((one) => one.kind === kind);
  return track?.readyState !== "live";
}

/** In the words of a heartbeat: true, false, or null for what is not used. */
export function works(stream, kind) {
  const track = stream?.getTracks().find((one) => one.kind === kind);
  return track ? track.readyState === "live" && !track.muted : null;
}

/** Call `changed` when one of them is unplugged, no longer allowed, falls silent, or is back from that. */
export function onChange(stream, changed) {
  for (const track of stream.getTracks()) {
    for (const name of ["ended", "mute", "unmute"]) track.addEventListener(name, changed);
  }
}
