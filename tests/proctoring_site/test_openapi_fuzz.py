"""Requests made up from /schema, well-formed and not, asked of the live server by every kind of caller: whatever it
answers must be in the contract, status, type, body and headers.

Every run asks the same. OPENAPI_FUZZ_EXAMPLES=500 asks for so many examples per operation instead of a few, and
OPENAPI_FUZZ_SEED=… for others; what fails is shown with the command that asks for it again.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
import yaml
from django.conf import settings
from django.db import connection
from django.test import Client
from hypothesis import strategies
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from media_app.video import CONTENT_TYPES
from tests import clips
from tests.access import account_of, send_csrf_token
from tests.callers import bearer
from tests.conftest import KEPT_COLLECTIONS
from tests.factories import NOON, make_api_token
from tests.servers import Web

EXAMPLES = int(os.environ.get("OPENAPI_FUZZ_EXAMPLES", "2"))
SEED = int(os.environ.get("OPENAPI_FUZZ_SEED", "1"))
#: Far fewer would mean that the document or the engine lost most of the operations.
CASES_MIN = 200
#: The machine is an Operator's.
ROLES = ("nobody", "candidate", "machine", "Reviewer", "Proctor", "Auditor", "superuser")
#: What is malformed is left, unless there is time, to one by a token who may do little, and to one by a cookie who may
#: do all: the others have parts of their rights by the same ways.
ASK_ALL = {"candidate", "superuser"} if EXAMPLES < 100 else set(ROLES)
IMPORTED = "recording.webm"
#: How the contract may answer what is well-formed: with the thing, or that it is not for this caller, not there, or
#: (a file can be of the right type and still be broken) no video.
ANSWERS_TO_WELL_FORMED = ["2xx", "401", "403", "404", "409", "415"]
ANSWERS_TO_OTHERS = ["400", "401", "403", "404", "405", "409", "413", "415"]


@dataclass(frozen=True)
class Site:
    url: str
    operator: dict[str, str]
    clip: bytes

    def asked_by(self, role: str) -> tuple[dict[str, str], dict[str, list[str]]]:
        """The caller's headers; and real values for what no generator can guess, beside some that lead nowhere."""
        with httpx.Client(base_url=self.url, headers=self.operator) as operator:
            running, ended = (self._session(operator) for _ in range(2))
            operator.post(f"/sessions/{ended['id']}/end").raise_for_status()
            pages = operator.get("/sessions", params={"limit": 1}).links
        values = {
            "id": [running["id"], ended["id"], "nothing-there"],
            "videos": [f"{running['id']}.webm", f"{ended['id']}.webm", "nothing-there.webm"],
            "reports": [f"report_{ended['id']}.html", f"report_{running['id']}.csv", "nothing-there.html"],
            "cursor": [httpx.URL(pages["next"]["url"]).params["cursor"]],
        }
        return self._headers(role, running["token"]), values

    def _session(self, operator: httpx.Client) -> dict[str, Any]:
        session = operator.post("/sessions", json={"candidate_name": "Ada Example"}).json()
        path = f"/sessions/{session['id']}"
        for asked in (
            operator.post(f"{path}/events", json={"event_type": "focus_lost", "message": "for 4 s"}),
            operator.post(f"{path}/video", files={"file": self.clip}),
            operator.get(f"{path}/report.html"),
            operator.get(f"{path}/report.csv"),
        ):
            asked.raise_for_status()
        return session

    def _headers(self, role: str, candidates_token: str) -> dict[str, str]:
        match role:
            case "nobody":
                return {}
            case "candidate":
                return bearer(candidates_token)
            case "machine":
                return bearer(make_api_token(account_of("Operator")))
        browser = Client()
        browser.force_login(account_of(role))
        send_csrf_token(browser)
        cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())
        return {"Cookie": cookies, "X-CSRFToken": browser.defaults["HTTP_X_CSRFTOKEN"]}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "import").mkdir()
    clip = clips.clip(folder / "import", ".webm", name=Path(IMPORTED).stem).read_bytes()
    offer_dates_and_videos(folder)
    with django_db_blocker.unblock():
        web = Web(
            os.environ["MONGODB_URL"],
            folder / "data",
            MONGODB_DATABASE=connection.settings_dict["NAME"],
            SECRET_KEY=settings.SECRET_KEY,
            VIDEO_IMPORT_DIR=str(folder / "import"),
            ANONYMOUS_PER_MINUTE="0",
            SESSION_CREATION_PER_MINUTE="0",
            LOG_LEVEL="CRITICAL",
        )
        try:
            yield Site(web.url, bearer(make_api_token(account_of("superuser"))), clip)
        finally:
            web.stop()
            for name in set(connection.database.list_collection_names()) - KEPT_COLLECTIONS:
                connection.database[name].delete_many({})


def offer_dates_and_videos(folder: Path) -> None:
    """Instants that could be of a sitting; and of every type of video a real one, a cut one and none."""
    instants = strategies.integers(-10_000, 10_000).map(lambda days: NOON.replace(year=2020 + days % 60))
    schemathesis.openapi.format("date-time", instants.map(lambda at: at.isoformat()))
    for suffix, content_type in CONTENT_TYPES.items():
        whole = clips.clip(folder, suffix).read_bytes()
        files = strategies.sampled_from([whole, whole[: len(whole) // 2], whole[:40], b"", b"no video"])
        schemathesis.openapi.media_type(content_type, files)


def document(site: Site, values: dict[str, list[str]]) -> dict[str, Any]:
    """/schema, knowing these values."""
    found = yaml.load(httpx.get(f"{site.url}/schema").text, yaml.CSafeLoader)
    for path, operations in found["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                key = path.split("/")[1] if parameter["name"] == "name" else parameter["name"]
                if key in values:
                    parameter["schema"] = {"type": "string", "enum": values[key]}
    return found


def configuration(headers: dict[str, str], *, well_formed: bool) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "headers": headers,
            "continue-on-failure": True,
            "cache": {"enabled": False},  # it would be a folder beside the code, and asked before the seed's cases
            "generation": {
                "deterministic": SEED == 1,
                "max-examples": EXAMPLES,
                "no-shrink": EXAMPLES < 100,
                "database": "none",
                "with-security-parameters": False,
            },
            "phases": {
                "stateful": {"enabled": EXAMPLES >= 100},
                "coverage": {"unexpected-methods": [], "generation": {"mode": "positive"}} if well_formed else {},
            },
            "checks": {
                "positive_data_acceptance": {"expected-statuses": ANSWERS_TO_WELL_FORMED},
                "negative_data_rejection": {"expected-statuses": ANSWERS_TO_OTHERS},
                # The roles say who calls; and a video that was uploaded is no session that somebody else may use.
                "ignored_auth": {"enabled": False},
                "ensure_resource_availability": {"enabled": False},
            },
            "operations": [
                {  # `..`, or a name too long for a file system, fits the pattern of a file's name and is none
                    "include-name": "POST /sessions/{id}/video/import",
                    "checks": {"positive_data_acceptance": {"expected-statuses": [*ANSWERS_TO_WELL_FORMED, "400"]}},
                },
                {  # what is wrong with an event is said in its place
                    "include-name": "POST /sessions/{id}/events/batch",
                    "checks": {"negative_data_rejection": {"expected-statuses": [*ANSWERS_TO_OTHERS, "200"]}},
                },
            ],
        }
    )


@pytest.mark.parametrize("role", ROLES)
def test_no_answer_is_outside_the_contract(role, site, request):
    headers, values = site.asked_by(role)
    asked = configuration(headers, well_formed=role not in ASK_ALL)
    schema = schemathesis.openapi.from_dict(document(site, values), config=asked)
    schema.config.update(base_url=site.url)
    cases, failures = 0, {}
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            failures[str(event)] = str(getattr(event, "value", None) or getattr(event, "exception", event))
        if isinstance(event, events.ScenarioFinished):
            cases += len(event.recorder.interactions)
            failures |= failures_of(event)
    request.config.get_terminal_writer().line(f" {role}: {cases} cases")
    assert not failures, "\n\n".join(failures.values())
    assert cases >= CASES_MIN


def failures_of(scenario: events.ScenarioFinished) -> dict[str, str]:
    """By what failed where; one of each is enough to read."""
    found = {}
    for case_id, checks in scenario.recorder.checks.items():
        for check in checks:
            if (info := check.failure_info) is not None:
                answer = scenario.recorder.interactions[case_id].response
                told = f"{answer.status_code} {answer.content[:300]}" if answer else "no answer"
                key = f"{scenario.label} {check.name} {info.failure.title} {answer.status_code if answer else None}"
                found[key] = f"{scenario.label}: {info.failure}\n{told}\n{info.code_sample[:1500]}"
    return found
