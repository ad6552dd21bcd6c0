"""The whole site as its users meet it: granian in its own process, on a test database, and the system's Chromium."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright
from pymongo import MongoClient

from proctoring_site.launch.child_process import end, start_tied
from tests.browser.exams import Exam
from tests.browser.impostor import Impostor, impostor_before
from tests.callers import bearer
from tests.servers import PATIENCE_S, Web, free_port, migrate_with_superuser

USERNAME, PASSWORD = "reviewer", "correct horse battery"
#: reviewer, proctor, operator, auditor; superusers have a name of their own.
GROUPS = ("Reviewer", "Proctor", "Operator", "Auditor")
ONE_OF_EACH_GROUP = f"""
from django.contrib.auth.models import Group, User
for name in {GROUPS}:
    account = User.objects.create_user("the-" + name.lower(), password="{PASSWORD}", is_staff=True)
    account.groups.add(Group.objects.get(name=name))
"""
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 15
#: The first has no windows, which take the others more of the processor than most of the pages in them.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER_OPTIONS = [
    "--headless",
    "--disable-gpu",
    "--disable-background-networking",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]
SCREENSHOTS = settings.BASE_DIR / "test-results"
expect.set_options(timeout=30_000)  # as all else that Playwright waits for: 5 s may be too short on a busy machine


@dataclass
class Site:
    """A running site: its address, where its files lie, and the process that its workers belong to."""

    url: str
    data_dir: Path
    import_dir: Path
    process: subprocess.Popen
    #: The headers of a machine with every right.
    staff: dict[str, str]

    @property
    def worker_pids(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def start_session(self, name: str = "Ada Example") -> "Sitting":
        session = httpx.post(f"{self.url}/sessions", json={"candidate_name": name}, timeout=PATIENCE_S).json()
        return Sitting(session["id"], session["token"])


@dataclass(frozen=True)
class Sitting:
    """A session that was started, and the token that its candidate got."""

    id: str
    token: str

    @property
    def candidate(self) -> dict[str, str]:
        return bearer(self.token)


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site, None, None]:
    folder = tmp_path_factory.mktemp("site")
    database = f"test_browser_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    import_dir = folder / "recordings"
    import_dir.mkdir()
    own = {"MONGODB_DATABASE": database, "VIDEO_IMPORT_DIR": str(import_dir), "KEEP_ORIGINALS": "1"}
    with MongoClient(os.environ["MONGODB_URL"]) as client:
        client.drop_database(database)
    also = [("load_demo",), ("shell", "--verbosity=0", "--command", ONE_OF_EACH_GROUP)]
    place = {"mongodb_url": os.environ["MONGODB_URL"], "folder": folder / "data"}
    staff = migrate_with_superuser(USERNAME, PASSWORD, *also, **place, **own)
    environment = {**os.environ, **own, "DATA_DIR": str(folder / "data")}
    port = free_port()
    options = ["--interface", "wsgi", "--workers", "1", "--blocking-threads", "8", "--log-level", "error"]
    options += ["--port", str(port), "--working-dir", str(settings.BASE_DIR)]
    command = [sys.executable, "-m", "granian", *options, "proctoring_site.wsgi:application"]
    process = start_tied(command, env=environment)
    try:
        _wait_for(port, process)
        yield Site(f"http://127.0.0.1:{port}", folder / "data", import_dir, process, staff)
    finally:
        end(process, patience_s=STOP_TIMEOUT_S)
        with MongoClient(os.environ["MONGODB_URL"]) as client:
            client.drop_database(database)


def _wait_for(port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/", timeout=START_TIMEOUT_S)
            return
        except httpx.TransportError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.fixture(scope="package")  # no longer: while Playwright runs, Django takes this thread for an async one
def browser() -> Iterator[Browser]:
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert executable, f"no browser on PATH: one of {', '.join(BROWSERS)}"
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*BROWSER_OPTIONS, *as_root])
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page, and what it complained about or asked of somebody else."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


@pytest.fixture
def watched(browser: Browser, site: Site) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=site.url)
    watched = Watched(context.new_page())
    page = watched.page
    page.on("console", lambda said: watched.complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    page.on("requestfailed", lambda request: _note_failure(request, watched))
    page.on("response", lambda answer: watched.complaints.append(answer.url) if answer.status >= 400 else None)
    page.on("request", lambda request: _note(request.url, site, watched))
    yield watched
    context.close()


def _note_failure(request: Request, watched: Watched) -> None:
    if request.failure != "net::ERR_ABORTED":  # the browser's own choice: it went on, or has seen enough of a video
        watched.complaints.append(f"{request.url}: {request.failure}")


def _note(url: str, site: Site, watched: Watched) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"data", "blob"} and f"{parts.scheme}://{parts.netloc}" != site.url:
        watched.elsewhere.append(url)


@pytest.fixture
def page(watched: Watched) -> Iterator[Page]:
    """A page that must stay quiet: no error, nothing that fails, nothing from another host."""
    yield watched.page
    assert watched.complaints == []
    assert watched.elsewhere == []


@pytest.fixture
def staff_page(page: Page) -> Page:
    """Signed in as somebody with every right."""
    log_in(page)
    return page


#: The cookies that each account got from each site.
_signed_in: dict[tuple[str, str], list[Any]] = {}


def log_in(page: Page, username: str = USERNAME) -> None:
    """By the form, the first time at this site; afterwards with the cookies of that time, since a server takes long to
    check a password, which is meant. Where the page then is, is its test's affair."""
    if cookies := _signed_in.get(key := (page.request.get("/healthz").url, username)):
        page.context.add_cookies(cookies)
        return
    page.goto("/admin/")
    page.fill("#id_username", username)
    page.fill("#id_password", PASSWORD)
    page.click("[type=submit]")
    expect(page.locator("#user-tools")).to_be_visible()
    _signed_in[key] = page.context.cookies()


def screenshot(page: Page, name: str, *, full_page: bool = True) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=full_page)


@pytest.fixture(scope="package")
def exam(site: Site) -> Iterator[Exam]:
    """On the database and files of `site`, whose admin so shows what happens here; with quick heartbeats, and to be
    stopped and started."""
    name = f"test_browser_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    url, front_end = os.environ["MONGODB_URL"], f"http://127.0.0.1:{free_port()}"
    web = Web(
        f"{url}{'&' if '?' in url else '/?'}appName=exam",
        site.data_dir,
        MONGODB_DATABASE=name,
        HEARTBEAT_EVERY_S="1",
        CORS_ALLOWED_ORIGINS=front_end,
        UPLOAD_CLAIM_S="2",  # what a client waits whose server was killed in the middle of a part
    )
    with MongoClient(url) as client:
        yield Exam(web, client[name], site.staff, front_end)
    web.stop()


@pytest.fixture
def visitor(browser: Browser, exam: Exam) -> Iterator[BrowserContext]:
    """A browser of its own, with nothing in it yet; its pages may fail as the test wants."""
    context = browser.new_context(base_url=exam.url, viewport={"width": 1000, "height": 800})
    for page in ("/blank", "/candidate/blank"):
        context.route(f"**{page}", lambda route: route.fulfill(body="<!doctype html><title>x</title>"))
    yield context
    context.close()


@pytest.fixture
def impostor(exam: Exam) -> Iterator[Impostor]:
    """Stands before the server of `exam`, and answers in its place as the test says."""
    with impostor_before(exam.url) as impostor:
        yield impostor
