"""How the tests are spread over the workers of xdist: file by file, what takes longest first, so that all end together.

Loaded by `-p tests.spread` (pyproject.toml).
"""

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from proctoring_site import start_up

start_up.imports_begin()

#: Two workers have all of them: each half shares a site and a browser. One would be alone at the end of a run.
BROWSER = "tests/browser"
CANDIDATES, STAFF = f"{BROWSER} by candidates", f"{BROWSER} by staff"
OF_CANDIDATES = tuple(f"{BROWSER}/test_{what}" for what in ("candidate", "client", "recording", "upload"))
#: By what each takes; a file that is not named comes after these.
LONGEST_FIRST = (
    CANDIDATES,
    STAFF,
    "tests/proctoring_site/test_openapi_fuzz.py",
    "tests/proctoring_site/launch/test_launch.py",
    "tests/proctoring_site/calls/test_outage.py",
    "tests/proctoring_site/access/test_access_admin.py",
    "tests/proctoring_site/access/test_access_table.py",
    "tests/media_app/test_migrate_storage.py",
    "tests/sessions_app/test_admin.py",
    "tests/proof/test_any_sequence.py",
    "tests/media_app/test_storage_contract.py",
    "tests/proctoring_site/test_openapi.py",
    "tests/proctoring_site/test_openapi_refusals.py",
    "tests/proctoring_site/desk/test_session_page.py",
    "tests/media_app/test_tus_js_client.py",
    "tests/proctoring_site/desk/test_queue.py",
    "tests/proctoring_site/access/test_login_lock.py",
    "tests/sessions_app/test_adoption.py",
    "tests/proctoring_site/test_production.py",
    "tests/proof/test_no_loss.py",
    "tests/media_app/test_migrate_storage_files.py",
    "tests/proof/test_frozen_database.py",
    "tests/media_app/test_recordings_elsewhere.py",
    "tests/proctoring_site/launch/test_embedded_mongod.py",
    "tests/proctoring_site/jobs/test_jobs_by_celery.py",
    "tests/proctoring_site/test_log.py",
    "tests/proctoring_site/audit/test_audit_admin.py",
    "tests/reports_app/test_stored_reports.py",
    "tests/sessions_app/test_standalone_server.py",
    "tests/media_app/test_deta.py",
)


def unit_of(nodeid: str) -> str:
    """What one worker does as a whole: a file, or half of `BROWSER`."""
    path = nodeid.partition("::")[0]
    if not path.startswith(f"{BROWSER}/"):
        return path
    return CANDIDATES if path.startswith(OF_CANDIDATES) else STAFF


class LongestFirst(LoadFileScheduling):
    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # by number of tests, which says little of their time

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LongestFirst | None:
    return LongestFirst(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {unit: rank for rank, unit in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(unit_of(item.nodeid), len(ranks)))


def pytest_collection_finish() -> None:
    """5,000 tests stay for good, as what they import does."""
    start_up.imports_are_done()
