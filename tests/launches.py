"""`make run`, started by a test: what it says, what it runs, and what it answers."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path

import httpx

from proctoring_site.launch import first_run
from proctoring_site.launch.child_process import processes_with
from tests.callers import bearer
from tests.servers import REPOSITORY, free_port, until

READY = "Stop with Ctrl-C."
OURS = {
    "MONGODB_URL",
    "MONGODB_URL_FILE",
    "SECRET_KEY_FILE",
    "MONGODB_DATABASE",
    "SECRET_KEY",
    "DATA_DIR",
    "HOST",
    "PORT",
    "PRODUCTION",
    "DEBUG",
}
wait_for = partial(until, patience_s=20)


class Launch:
    """One `python -m proctoring_site.launch` on a folder and a port of its own."""

    def __init__(self, data_dir: Path, output: Path, **environment: str) -> None:
        self.data_dir, self.output = data_dir, output
        kept = {name: value for name, value in os.environ.items() if name not in OURS}
        self.port = int(environment.get("PORT") or free_port())
        self.url = f"http://127.0.0.1:{self.port}"
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "proctoring_site.launch"],
                cwd=REPOSITORY,
                env={**kept, "DATA_DIR": str(data_dir), "PORT": str(self.port), **environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        return self.output.read_text()

    def until_ready(self) -> "Launch":
        until(lambda: READY in self.said or self.process.poll() is not None, patience_s=60)
        assert READY in self.said, self.said
        return self

    def stop(self, *signals: signal.Signals) -> int:
        for number in signals:
            self.process.send_signal(number)
        return self.process.wait(30)

    def web_processes(self) -> list[int]:
        return sorted(processes_with(str(self.data_dir / f"web-{self.port}.pid")))

    def mongod_processes(self) -> list[int]:
        return processes_with(str(self.data_dir / "mongodb" / "db"))

    def children(self) -> list[int]:
        return [*self.web_processes(), *self.mongod_processes()]

    @cached_property
    def staff(self) -> dict[str, str]:
        """The headers of a machine with the rights of the first account; kept, for times when nothing answers."""
        command = [sys.executable, "manage.py", "create_api_token", first_run.USERNAME, "--name=test"]
        kept = {name: value for name, value in os.environ.items() if name not in OURS}
        environment = {**kept, "DATA_DIR": str(self.data_dir)}
        made = subprocess.run(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return bearer(made.stdout.strip())

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/sessions", headers=self.staff, timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def create_session(self, name: str) -> None:
        answer = httpx.post(f"{self.url}/sessions", json={"candidate_name": name}, timeout=10)
        assert answer.status_code == 201, answer.text

    def names(self) -> set[str]:
        answer = httpx.get(f"{self.url}/sessions", headers=self.staff, timeout=10).raise_for_status()
        return {session["candidate_name"] for session in answer.json()}


Launcher = Callable[..., Launch]
