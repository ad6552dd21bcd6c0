// How far a preview or a rescore is; when one ends, the page is loaded again with what came of it.

const runs = document.getElementById("policy-runs");
const running = () => [...runs.querySelectorAll("[data-run]")];

async function refresh() {
  try {
    const answer = await fetch(runs.dataset.progress, { cache: "no-store", redirect: "manual" });
    if (answer.ok) {
      const told = await answer.json();
      for (const bar of running()) {
        const run = told[bar.dataset.run];
        if (!run) continue;
        if (run.is_finished) return location.reload();
        bar.max = run.total || 1;
        bar.value = run.done;
        runs.querySelector(`[data-told="${bar.dataset.run}"]`).textContent = `${run.done} of ${run.total}`;
      }
    }
  } catch {
    // The next one may get through.
  }
  setTimeout(refresh, Number(runs.dataset.everyMs));
}

if (running().length) setTimeout(refresh, Number(runs.dataset.everyMs));
