// The numbers above the queue, every now and then, while somebody looks at them.

const EVERY_MS = 15_000;
const counts = document.querySelector("[data-counts]");

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(counts.dataset.counts, { cache: "no-store", redirect: "manual" });
    if (!answer.ok) return;
    for (const [key, text] of Object.entries(await answer.json())) {
      const shown = counts.querySelector(`[data-count="${key}"]`);
      if (shown && shown.textContent !== text) shown.textContent = text;
    }
  } catch {
    // What stands there stays; the next one may get through.
  }
}

setInterval(refresh, EVERY_MS);
document.addEventListener("visibilitychange", refresh);
