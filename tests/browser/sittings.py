"""Sittings with events and recordings for the browser tests of a session's page, and where that shows what.

A module of tests takes the fixtures that it needs: `documents, film, sit = sittings.documents, …`.
"""

import base64
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page
from pymongo import MongoClient
from pymongo.database import Database

from proctoring_site.launch.demo_clip import write_clip
from tests.browser.conftest import Site, Sitting, log_in
from tests.servers import PATIENCE_S, until

CLIP_S = 24
TUS = {"Tus-Resumable": "1.0.0"}
NAME = "فاطمة الزهراء Example"
#: Seconds and types: four incidents, two phones are one.
BUSY = [(3, "focus_lost"), (9, "phone_detected"), (11, "phone_detected"), (15, "looking_away"), (20, "multiple_faces")]


@pytest.fixture(scope="module")
def documents(site: Site) -> Iterator[Database]:
    with MongoClient(os.environ["MONGODB_URL"]) as client:
        yield client[f"test_browser_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("film") / "film.webm", seconds=CLIP_S)


@pytest.fixture
def sit(site: Site, documents: Database) -> Callable[..., Sitting]:
    """`sit([(second, type), …])`: a sitting of a minute with these events, closed."""

    def sit(events: list[tuple[float, str]], *, name: str = NAME, closed: bool = True) -> Sitting:
        sitting = site.start_session(name)
        start = (datetime.now(UTC) - timedelta(seconds=60)).replace(microsecond=0)
        documents["sessions"].update_one({"_id": sitting.id}, {"$set": {"start_time": start.replace(tzinfo=None)}})
        log(site, sitting, [(start + timedelta(seconds=second), event_type) for second, event_type in events])
        if closed:
            path = f"{site.url}/sessions/{sitting.id}/end"
            httpx.post(path, headers=sitting.candidate, timeout=PATIENCE_S).raise_for_status()
        return sitting

    return sit


@pytest.fixture
def colleague(browser: Browser, site: Site) -> Iterator[Callable[[str], Page]]:
    """`colleague("the-reviewer")`: another person at another computer."""
    contexts = []

    def open_for(username: str) -> Page:
        contexts.append(browser.new_context(base_url=site.url, viewport={"width": 1280, "height": 900}))
        page = contexts[-1].new_page()
        log_in(page, username)
        return page

    yield open_for
    for context in contexts:
        context.close()


def log(site: Site, sitting: Sitting, events: list[tuple[datetime, str]]) -> None:
    told = [
        {"event_type": event_type, "timestamp": at.isoformat(), "confidence": 0.8, "source": "eye/1.2"}
        for at, event_type in events
    ]
    path = f"{site.url}/sessions/{sitting.id}/events/batch"
    for place in range(0, len(told), 500):
        part = {"events": told[place : place + 500]}
        answer = httpx.post(path, json=part, headers=sitting.candidate, timeout=PATIENCE_S)
        assert answer.json()["created"], answer.text


def send(site: Site, sitting: Sitting, content: bytes, **told: str) -> None:
    """A recording, by tus in one part."""
    metadata = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in told.items())
    headers = {**sitting.candidate, **TUS, "Upload-Length": str(len(content)), "Upload-Metadata": metadata}
    path = f"{site.url}/sessions/{sitting.id}/uploads"
    begun = httpx.post(path, headers=headers, timeout=PATIENCE_S).raise_for_status()
    headers = {**sitting.candidate, **TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    there = str(httpx.URL(site.url).join(begun.headers["Location"]))
    httpx.patch(there, content=content, headers=headers, timeout=PATIENCE_S)


def filmed(site: Site, sitting: Sitting, documents: Database, film: Path) -> None:
    """Camera from the first second, screen from the fifth."""
    send(site, sitting, film.read_bytes(), kind="camera", start_offset_s="1")
    send(site, sitting, film.read_bytes() + b"\0", kind="screen", start_offset_s="5")  # other bytes, another recording
    settled = {"session_id": sitting.id, "state": "ready"}
    until(lambda: documents["recordings"].count_documents(settled) == 2)


def page_of(sitting: Sitting) -> str:
    return f"/admin/sessions_app/session/{sitting.id}/change/"


def rows(page: Page) -> Any:
    return page.locator("tr[data-key]")


def selected(page: Page) -> Any:
    return page.locator("tr.is-selected")


def said(page: Page) -> Any:
    return page.locator("[data-live]")


def score(page: Page) -> list[str]:
    return page.locator(".numbers strong").all_inner_texts()


def focused_row(page: Page) -> str | None:
    return page.evaluate("document.activeElement.closest('tr')?.dataset.title ?? null")


def moment(page: Page) -> float:
    return float(page.locator("[data-timeline=sheet]").get_attribute("aria-valuenow"))


def start_of(site: Site, sitting: Sitting) -> datetime:
    answer = httpx.get(f"{site.url}/sessions/{sitting.id}", headers=site.staff, timeout=PATIENCE_S)
    return datetime.fromisoformat(answer.json()["start_time"])
