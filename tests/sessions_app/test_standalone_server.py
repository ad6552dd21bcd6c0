"""The earlier service's usual server, a mongod without a replica set: no transactions, no retried writes."""

import httpx
import pytest
from pymongo import MongoClient

from tests.callers import bearer
from tests.factories import old_event, old_session
from tests.servers import Mongod, Web, manage, migrate_with_superuser, until

USERNAME, PASSWORD = "root", "correct horse"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Filled by the earlier service."""
    folder = tmp_path_factory.mktemp("standalone")
    mongod = Mongod(folder, replica_set=False)
    session = old_session(candidate_name="Adopted", start_time="2026-03-02T10:00:00")
    with MongoClient(mongod.url) as client:
        client["proctoring"]["sessions"].insert_one(session)
        client["proctoring"]["events"].insert_many([old_event(session), old_event(session, event_type="a.b")])
    yield mongod
    mongod.remove()


@pytest.fixture(scope="module")
def machine(server):
    """The headers of a machine with every right; from here on the database is migrated."""
    return migrate_with_superuser(USERNAME, PASSWORD, mongodb_url=server.url, folder=server.folder)


@pytest.fixture(scope="module")
def web(server, machine):
    web = Web(server.url, server.folder)
    yield web
    web.stop()


@pytest.fixture(scope="module")
def client(web, machine):
    """A machine with every right."""
    with httpx.Client(base_url=web.url, headers=machine, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def admin(web):
    with httpx.Client(base_url=web.url, timeout=30) as admin:
        admin.get("/admin/login/").raise_for_status()
        form = {"username": USERNAME, "password": PASSWORD, "csrfmiddlewaretoken": admin.cookies["csrftoken"]}
        assert admin.post("/admin/login/?next=/admin/", data=form).status_code == 302
        yield admin


def test_it_is_a_standalone(server):
    with MongoClient(server.url) as client:
        assert "setName" not in client.admin.command("hello")


def test_a_session_runs_from_its_start_to_its_report(web, client):
    session = httpx.post(f"{web.url}/sessions", json={"candidate_name": "Ada"}).raise_for_status().json()
    candidate = httpx.Client(base_url=web.url, headers=bearer(session["token"]), timeout=30)
    for event_type in ("focus_lost", "phone_detected", "focus_lost", "x.y"):
        candidate.post(f"/sessions/{session['id']}/events", json={"event_type": event_type}).raise_for_status()
    ended = candidate.post(f"/sessions/{session['id']}/end").raise_for_status().json()
    assert ended["state"] == "ended"
    detail = client.get(f"/sessions/{session['id']}").raise_for_status().json()
    assert [event["event_type"] for event in detail["events"]] == ["focus_lost", "phone_detected", "focus_lost", "x.y"]
    report = client.get(f"/sessions/{session['id']}/report").raise_for_status().json()
    assert (report["focus_lost_count"], report["phone_detected_count"]) == (2, 1)
    for name in ("report.html", "report.csv"):
        client.get(f"/sessions/{session['id']}/{name}").raise_for_status()


def test_the_adopted_session_is_listed_counted_and_goes_on(client):
    session = next(s for s in client.get("/sessions").json() if s["candidate_name"] == "Adopted")
    assert session["start_time"] == "2026-03-02T10:00:00Z"
    client.post(f"/sessions/{session['id']}/events", json={"event_type": "focus_lost"}).raise_for_status()
    report = client.get(f"/sessions/{session['id']}/report").raise_for_status().json()
    assert report["event_counts"] == {"a.b": 1, "focus_lost": 2}


def test_the_commands_work_on_it(server, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("session_id,candidate_name,start_time\ns1,Imported,2026-03-02T12:00:00Z\n")
    said = manage("import_sessions", str(rows), mongodb_url=server.url, folder=server.folder)
    assert "1 sessions and 0 events new" in said


def test_the_admin_logs_in(admin):
    assert "Adopted" in admin.get("/admin/sessions_app/session/?show=all").raise_for_status().text


def test_the_admin_still_lists_what_was_there_before_a_kill(server, client, admin):
    """After it, such a server says that its collections are empty, until somebody counts them."""
    server.kill()
    server.start()
    until(lambda: client.get("/sessions").status_code == 200)
    page = admin.get("/admin/sessions_app/session/?show=all").raise_for_status().text
    assert all(name in page for name in ("Adopted", "Ada", "Imported"))
