"""A site on which candidates of the tests sit, and the module of the client in a page of it."""

from dataclasses import dataclass
from typing import Any

import httpx
from playwright.sync_api import Page
from pymongo.database import Database

from tests.servers import PATIENCE_S, Web, until

#: Quick, so that nobody waits for them; `client` and `told` stay in the page.
OPEN_CLIENT = """async ([base, how, options]) => {
    const { ProctoringClient } = await import(`${base}/static/proctoring-client.js`);
    const quick = { baseUrl: base, gatherMs: 20, firstPauseMs: 50, longestPauseMs: 200, ...options };
    window.told = { connection: [], rejected: [], stopped: [], warning: [], state: [], commands: [] };
    const onCommand = (command) => {
        told.commands.push([command.action, command.message]);
        return window.beforeConfirming;
    };
    const all = { onCommand, ...quick };
    window.client = how === "resume" ? await ProctoringClient.resume(all) : new ProctoringClient(all);
    for (const name of ["connection", "rejected", "stopped", "warning", "state"]) {
        window.client?.addEventListener(name, ({ detail }) => told[name].push(detail));
    }
    if (how !== "resume") await client.start(how);
    return window.client?.id;
}"""


#: What a recording is in the end.
DONE = ["ready", "rejected"]


@dataclass
class Exam:
    """The served site, its database, and the headers of a machine with every right."""

    web: Web
    database: Database
    staff: dict[str, str]
    #: Where somebody else's front end is, which may call this API.
    front_end: str

    @property
    def url(self) -> str:
        return self.web.url

    def start(self, name: str) -> tuple[str, str]:
        """A session's id and the token of its candidate."""
        answer = httpx.post(f"{self.url}/sessions", json={"candidate_name": name}, timeout=PATIENCE_S)
        session = answer.raise_for_status().json()
        return session["id"], session["token"]

    def session(self, session_id: str) -> dict[str, Any]:
        answer = httpx.get(f"{self.url}/sessions/{session_id}", headers=self.staff, timeout=PATIENCE_S)
        return answer.raise_for_status().json()

    def events(self, session_id: str) -> list[dict[str, Any]]:
        return self.session(session_id)["events"]

    def types(self, session_id: str) -> list[str]:
        return [event["event_type"] for event in self.events(session_id)]

    def sequences(self, session_id: str) -> list[int]:
        """Lowest first: the timeline itself does not tell the order of what happened in the same millisecond."""
        return sorted(event["sequence"] for event in self.events(session_id))

    def stored(self, session_id: str) -> int:
        """How many events; also while the site is stopped."""
        return self.database["events"].count_documents({"session_id": session_id})

    def recording(self, recording_id: str) -> dict[str, Any]:
        """As it is stored, once it was looked at."""
        until(lambda: self.database["recordings"].count_documents({"_id": recording_id, "state": {"$in": DONE}}))
        return self.database["recordings"].find_one({"_id": recording_id})

    def recordings(self, session_id: str) -> list[dict[str, Any]]:
        """All of a session, in the order in which they were begun, once they were looked at."""
        until(
            lambda: not self.database["recordings"].count_documents({"session_id": session_id, "state": {"$nin": DONE}})
        )
        return list(self.database["recordings"].find({"session_id": session_id}).sort("created_at"))

    def video_path(self, session_id: str) -> str | None:
        """Where its video is, once there is one and all that arrived was looked at."""
        assert self.recordings(session_id)
        return self.session(session_id)["video_path"]

    def until_stored(self, session_id: str, count: int) -> None:
        until(lambda: self.stored(session_id) >= count)

    def act(self, session_id: str, verb: str, **told: str) -> None:
        path = f"{self.url}/sessions/{session_id}/{verb}"
        httpx.post(path, json=told, headers=self.staff, timeout=PATIENCE_S).raise_for_status()

    def commands(self, session_id: str) -> list[tuple[str, bool]]:
        """What staff asked, and whether it was confirmed."""
        session = self.database["sessions"].find_one({"_id": session_id})
        return [(command["action"], command["confirmed_at"] is not None) for command in session["commands"]]


def open_client(page: Page, how: str, *, base: str = "", visit: str = "/blank", **options: Any) -> str | None:
    """The module in an empty page: `how` is a candidate's name to start with, or "resume". The session's id."""
    page.goto(visit)
    return page.evaluate(OPEN_CLIENT, [base, how, options])


def until_gathering(page: Page) -> None:
    """Until the module has looked once for what waits; what is logged before that is not gathered, but sent at once."""
    page.evaluate(
        """async () => {
            await new Promise((resolve) => setTimeout(resolve)); // after the one with which its loop begins
            await navigator.locks.request(`proctoring-client ${client.id}`, () => {});
        }"""
    )


def log(page: Page, count: int, **told: Any) -> None:
    """So many events, one after the other; returns when they are written down."""
    page.evaluate(
        """async ([count, told]) => {
            const type = (n) => ["focus_lost", "paste", "no_face"][n % 3];
            await Promise.all(Array.from({ length: count }, (_, n) => client.log(type(n), { data: { n }, ...told })));
        }""",
        [count, told],
    )


def until_answered(page: Page) -> None:
    until(lambda: page.evaluate("client.waiting") == 0)


def told(page: Page, name: str) -> list:
    return page.evaluate("(name) => told[name]", name)


def numbers(events: list[dict[str, Any]]) -> list[int]:
    return [event["data"]["n"] for event in events]
