"""`/healthz` and `/readyz`: what those see who start, watch and balance servers."""

import time

import httpx
import pytest
import yaml
from django.core.files.storage import storages

from media_app.storage.local import UNFINISHED
from proctoring_site import health
from proctoring_site.health import PING_WITHIN_S
from tests.drives import data_dir  # noqa: F401 - a fixture
from tests.servers import Mongod, Web, until

ALL_WELL = {"status": "ok", "checks": {"database": "ok", "videos": "ok", "reports": "ok"}}


def test_a_process_that_answers_is_healthy_without_a_database(api):
    answer = api.get("/healthz")  # no fixture: a query would fail
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.usefixtures("database", "data_dir")
class TestBoth:
    def test_are_never_answered_from_a_cache(self, api, path):
        assert api.get(path)["Cache-Control"] == "no-store"

    def test_need_no_login_whatever_the_api_needs(self, api, path):
        answer = api.get(path, headers={"Authorization": "Bearer nonsense"})
        assert answer.status_code == 200
        assert not answer.resolver_match.func.view_class.permission_classes

    def test_answer_head(self, api, path):
        assert api.head(path).status_code == 200

    def test_stand_in_the_schema(self, api, path):
        operation = yaml.load(api.get("/schema").content, yaml.CSafeLoader)["paths"][path]["get"]
        assert {"400", "405"} <= set(operation["responses"])  # which every path has
        assert set(operation["responses"]) - {"400", "405"} == ({"200"} if path == "/healthz" else {"200", "503"})
        assert "security" not in operation or operation["security"] == [{}]


@pytest.mark.usefixtures("database")
class TestStorage:
    @pytest.fixture(autouse=True)
    def forget(self, monkeypatch):
        monkeypatch.setattr(health, "_kept_until", 0.0)
        monkeypatch.setattr(health, "STORAGE_KEPT_S", 600)  # however slow the machine is

    def test_ready_leaves_nothing_behind(self, api, data_dir):  # noqa: F811
        assert api.get("/readyz").json() == ALL_WELL
        assert [path for path in data_dir.rglob("*") if path.suffix in UNFINISHED] == []
        assert storages["videos"].listdir("") == ([], [])

    @pytest.mark.parametrize("drive", ["videos", "reports"])
    def test_a_drive_that_takes_no_file_is_named_and_nothing_more(self, api, data_dir, drive):  # noqa: F811
        data_dir.mkdir()
        (data_dir / drive).write_text("in the place of the folder")
        answer = api.get("/readyz")
        assert answer.status_code == 503
        assert answer.json() == {
            "detail": f"Not ready: {drive}.",
            "code": "not_ready",
            "checks": {**ALL_WELL["checks"], drive: "failed"},
        }
        (data_dir / drive).unlink()
        assert api.get("/readyz").json() == answer.json()  # whoever asks at once costs the storage nothing
        health._kept_until -= health.STORAGE_KEPT_S
        assert api.get("/readyz").json() == ALL_WELL


@pytest.fixture(scope="module")
def mongod(tmp_path_factory):
    mongod = Mongod(tmp_path_factory.mktemp("health"))
    yield mongod
    mongod.remove()


@pytest.fixture(scope="module")
def web(mongod):
    web = Web(mongod.url, mongod.folder)
    yield web
    web.stop()


class TestTheDatabase:
    def assert_not_ready(self, web):
        began = time.monotonic()
        answer = httpx.get(f"{web.url}/readyz", timeout=10)
        assert time.monotonic() - began < PING_WITHIN_S + 0.75
        assert answer.status_code == 503
        assert answer.json()["checks"] == {**ALL_WELL["checks"], "database": "failed"}
        assert "127.0.0.1" not in answer.text
        assert httpx.get(f"{web.url}/healthz", timeout=10).json() == {"status": "ok"}

    def assert_ready_again(self, web):
        until(lambda: httpx.get(f"{web.url}/readyz", timeout=10).status_code == 200)

    def test_that_is_away_is_noticed_within_a_second_and_so_is_its_return(self, mongod, web):
        assert httpx.get(f"{web.url}/readyz", timeout=10).json() == ALL_WELL
        mongod.kill()
        try:
            for _ in range(2):
                self.assert_not_ready(web)
        finally:
            mongod.start()
        self.assert_ready_again(web)

    def test_that_is_frozen_is_noticed_within_a_second_and_so_is_its_return(self, mongod, web):
        self.assert_ready_again(web)
        mongod.freeze()
        try:
            for _ in range(2):
                self.assert_not_ready(web)
        finally:
            mongod.thaw()
        self.assert_ready_again(web)
