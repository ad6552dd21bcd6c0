"""What keeps somebody from using a page, as axe sees it: run in the page itself, which loads nothing for it."""

from functools import lru_cache

from playwright.sync_api import Page

from tests.node import MODULES

#: axe's words for how bad it is; the other two are hints.
SERIOUS = {"serious", "critical"}
#: Without loading style sheets a second time, which axe would put into the page against its policy.
RUN = "async () => (await axe.run(document, { resultTypes: ['violations'], preload: false })).violations"


@lru_cache
def _axe() -> str:
    return (MODULES / "axe-core" / "axe.min.js").read_text()


def serious_barriers(page: Page) -> list[str]:
    """Each with the rule and where; evaluated by the debugger, so that our Content-Security-Policy stays as it is."""
    if page.evaluate("typeof axe === 'undefined'"):
        page.evaluate(_axe())
    return [
        f"{found['id']}: {node['target']} {node['failureSummary']}"
        for found in page.evaluate(RUN)
        if found["impact"] in SERIOUS
        for node in found["nodes"]
    ]
