"""`make run`: from a bare clone to a running service, and back. `run` has the order of the steps."""

import signal

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a Ctrl-C before we listen ends us, without a trace of some import

import fcntl
import ipaddress
import json
import logging.config
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO

from django.core.exceptions import ImproperlyConfigured

from proctoring_site import env
from proctoring_site.launch.child_process import LaunchError, RestartBudget, end, start_tied, unwritable
from proctoring_site.launch.embedded_mongod import EmbeddedMongod
from proctoring_site.launch.named_mongodb import hosts_of, named_server, server_version
from proctoring_site.launch.web_server import WebServer

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WATCH_S = 0.2
PREPARE_STOP_S = 5

#: For what happens while the service runs: a line of the log, with its time. By name, since we are run as `__main__`.
logger = logging.getLogger("proctoring_site.launch")


class StopRequested(Exception):
    """Somebody pressed Ctrl-C or sent SIGTERM."""


class StopSignals:
    """A signal only sets a flag; `pause`, where we wait, turns it into an exception: nothing is cut in the middle."""

    def __init__(self) -> None:
        self.requested = False

    def listen(self) -> None:
        for number in STOP_SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup means to stay
                signal.signal(number, self._note)

    def pause(self, seconds: float) -> None:
        if self.requested:
            raise StopRequested
        time.sleep(min(seconds, WATCH_S))

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested = True


def main() -> int:
    signals = StopSignals()
    signals.listen()
    try:
        with ExitStack() as cleanup:
            try:
                run(signals, cleanup)
            except StopRequested:
                say("Stopping.")
    except (LaunchError, ImproperlyConfigured) as error:
        _write(sys.stderr, [str(error)])
        return 1
    say("Stopped. The data stays where it is.")
    return 0


def run(signals: StopSignals, cleanup: ExitStack) -> None:
    """Start everything in order, then watch until a stop is requested; `cleanup` undoes it in the opposite order."""
    named_url = named_server()
    from proctoring_site import settings  # noqa: PLC0415 - a bad environment becomes one line, not a failed import

    logging.config.dictConfig(settings.LOGGING)
    web = web_server(settings.DATA_DIR, signals)
    web.claim()
    key = secret_key(settings.SECRET_KEY, settings.DATA_DIR, production=settings.PRODUCTION)
    if not env.secret("SECRET_KEY"):  # what the environment or its file gives, our children read there as we did
        os.environ["SECRET_KEY"] = key
    if named_url:
        say(f"Database: MongoDB {server_version(named_url)} at {hosts_of(named_url)}.")
        prepare_database(signals)
        start_web_server(web, cleanup)
        watch({"The web server": web}, signals)
    mongod = EmbeddedMongod(settings.EMBEDDED_MONGODB_DIR, pause=signals.pause)
    cleanup.callback(mongod.stop)
    os.environ["MONGODB_URL"] = mongod.start()  # for the web server and its workers
    say(f"Database: an embedded MongoDB, with its data in {mongod.folder}.")
    prepare_database(signals)
    start_web_server(web, cleanup)
    watch({"MongoDB": mongod, "The web server": web}, signals, chore=mongod.keep_log_small)


def start_web_server(web: WebServer, cleanup: ExitStack) -> None:
    cleanup.callback(web.stop)
    web.start()
    announce(web)


def web_server(data_dir: Path, signals: StopSignals) -> WebServer:
    port = env.positive_int("PORT", 8000)
    if port > 65535:
        raise LaunchError(f"PORT must be a whole number from 1 to 65535, not {port}.")
    return WebServer(
        host=env.text("HOST", "127.0.0.1"),
        port=port,
        folder=data_dir,
        workers=env.positive_int("WEB_WORKERS", 2),
        threads=env.web_threads(),
        pause=signals.pause,
    )


# --- The secret key -----------------------------------------------------------------------------------------------


def secret_key(given: str, data_dir: Path, *, production: bool) -> str:
    """The one given, else one that this folder keeps, so that people stay signed in over a restart."""
    if given:
        return given
    if production:
        raise LaunchError("PRODUCTION needs a SECRET_KEY: set it to 50 random characters, the same at every start.")
    path = data_dir / "secret_key"
    try:
        if not path.exists() and (data_dir / "mongodb").exists():
            say(f"Key: {path} is gone, so a new one is made: earlier tokens, links and logins are no longer valid.")
        return kept_secret_key(path)
    except OSError as error:
        raise unwritable(data_dir, error) from error


def kept_secret_key(path: Path) -> str:
    """Read it, or make it once. Two at once agree, because the second waits for the first one's lock."""
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if key := file.read().strip():
            return key
        key = secrets.token_urlsafe(50)
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return key


# --- The database -------------------------------------------------------------------------------------------------


def prepare_database(signals: StopSignals) -> None:
    """Checks, migrations, first run: in a process of its own, which a stop may end at any moment without harm."""
    command = [sys.executable, "-m", "proctoring_site.launch.prepare_database"]
    quiet = {"LOG_LEVEL": "WARNING", **os.environ}
    child = start_tied(command, stdout=subprocess.PIPE, env=quiet)
    try:
        while child.poll() is None:
            signals.pause(WATCH_S)
        report_preparation(child.stdout.read())
    finally:
        end(child, patience_s=PREPARE_STOP_S)
        child.stdout.close()


def report_preparation(answer: bytes) -> None:
    try:
        outcome = json.loads(answer)
    except ValueError as error:
        raise LaunchError("The database could not be prepared; the reason is above.") from error
    if outcome["problem"]:
        raise LaunchError(outcome["problem"])
    if outcome["migrations"]:
        say(f"Database: {outcome['migrations']} migrations applied.")
    if outcome["demo_sessions"]:
        say(f"Database: it was empty and now has {outcome['demo_sessions']} demo sessions.")
    if outcome["password"]:
        say(f"Account: sign in as {outcome['username']} with the password {outcome['password']} (shown only now).")
    elif not outcome["has_staff"]:
        say("Account: there is none yet; create one with: .venv/bin/python manage.py createsuperuser")


# --- Running ------------------------------------------------------------------------------------------------------


def announce(web: WebServer) -> None:
    reached_by = "OTHER MACHINES CAN REACH IT" if not is_loopback(web.host) else "only this machine can reach it"
    if env.flag("OPEN_API"):
        say(f"WARNING: OPEN_API=1 LETS ANYBODY READ AND WRITE EVERYTHING THROUGH THE API; {reached_by}.")
    elif not is_loopback(web.host):
        say(f"WARNING: HOST={web.host}: other machines can reach this server, over HTTP that can be read in transit.")
    say(
        "",
        f"  {web.url}/        start page",
        f"  {web.url}/admin/  review desk (admin)",
        f"  {web.url}/docs    the API, to read and try out",
        "",
        "Stop with Ctrl-C.",
    )


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def watch(
    watched: Mapping[str, EmbeddedMongod | WebServer],
    signals: StopSignals,
    *,
    chore: Callable[[], None] = lambda: None,
) -> NoReturn:
    """Bring back what ends, until it ends too often or a stop is requested."""
    budgets = {name: RestartBudget(name) for name in watched}
    while True:
        signals.pause(WATCH_S)
        chore()
        for name, child in watched.items():
            if child.has_ended():
                bring_back(name, child, budgets[name])


def bring_back(name: str, child: EmbeddedMongod | WebServer, budget: RestartBudget) -> None:
    why = child.why_it_ended()
    budget.spend(why=why)
    logger.error("%s ended (%s); starting it again.", name, why)
    try:
        child.revive()
    except LaunchError as error:
        if not child.has_ended():
            raise
        logger.error("%s", error)  # it ended while it started: that counts as one more time


def say(*lines: str) -> None:
    _write(sys.stdout, lines)


def _write(stream: TextIO, lines: Iterable[str]) -> None:
    """A terminal that was closed must not keep us from stopping in good order."""
    try:
        stream.write("".join(f"{line}\n" for line in lines))
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
