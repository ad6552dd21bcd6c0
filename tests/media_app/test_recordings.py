"""Which recordings a session has: all that is known of them for who sees evidence, how far they came for others."""

import pytest

from media_app import arrival
from media_app.models import Recording
from reports_app import services as reports
from tests import trips
from tests.access import caller, candidate, machine
from tests.factories import NOON, make_session, make_staff
from tests.plans import explain

RECORDING_ID = "00000000-0000-4000-8000-0000000000ff"
OWN = {"id", "kind", "state", "size_bytes", "received_bytes", "created_at"}


def make_recording(session, **overrides):
    fields = {"session_id": session.pk, "size_bytes": 1000, "stored_on": "local", "created_at": NOON}
    return Recording.objects.create(**{**fields, **overrides})


def path_of(session):
    return f"/sessions/{session.pk}/recordings"


@pytest.mark.usefixtures("database")
class TestTheList:
    def test_tells_who_sees_evidence_all_that_is_known(self):
        session = make_session()
        name = f"{session.pk}.webm"
        told = {"state": "ready", "offset": 1000, "arrived_at": NOON, "start_offset_s": 2.5, "sha256": "ab" * 32}
        seen = {"duration_s": 12.5, "width": 640, "height": 480, "frame_rate": 15.0, "video_codec": "vp8"}
        stored = {"watchable": "x.webm", "watchable_bytes": 990, "watchable_sha256": "cd" * 32, "poster": "x.jpg"}
        recording = make_recording(session, name=name, **told, **seen, **stored)
        (shown,) = caller(signed_in=make_staff("Reviewer")).get(path_of(session)).json()
        assert shown == {
            "id": recording.pk,
            "kind": "camera",
            "state": "ready",
            "size_bytes": 1000,
            "received_bytes": 1000,
            "created_at": "2026-03-02T12:00:00Z",
            "reason": None,
            "arrived_at": "2026-03-02T12:00:00Z",
            "start_offset_s": 2.5,
            **seen,
            "audio_codec": None,
            "sha256": "ab" * 32,
            "watchable_bytes": 990,
            "watchable_sha256": "cd" * 32,
            "video_path": f"videos/{name}",
            "has_poster": True,
        }

    def test_tells_staff_why_one_is_not_shown(self):
        session = make_session()
        make_recording(session, state="rejected", reason="It is no video.", original="x", name="x.webm")
        (shown,) = machine(make_staff("Reviewer")).get(path_of(session)).json()
        assert (shown["state"], shown["reason"], shown["video_path"]) == ("rejected", "It is no video.", None)

    def test_tells_the_candidate_and_operators_how_far_they_came_and_no_more(self):
        session = make_session()
        make_recording(session, offset=400)
        make_recording(session, kind="screen", state="rejected", reason="It is no video.", offset=1000)
        for client in (candidate(session), machine(make_staff("Operator"))):
            shown = client.get(path_of(session)).json()
            assert [set(one) for one in shown] == [OWN, OWN]
            states = [(one["kind"], one["state"], one["received_bytes"], one["size_bytes"]) for one in shown]
            # Both began in the same millisecond.
            assert sorted(states) == [("camera", "receiving", 400, 1000), ("screen", "rejected", 1000, 1000)]

    def test_is_empty_before_there_is_any(self, api):
        assert api.get(path_of(make_session())).json() == []

    @pytest.mark.parametrize("count", [1, 5])
    def test_costs_the_same_however_many_there_are(self, count):
        session = make_session()
        client = candidate(session)
        for _ in range(count):
            make_recording(session)
        with trips.exactly("aggregate sessions", "aggregate recordings"):
            assert len(client.get(path_of(session)).json()) == count


def test_the_list_is_read_by_an_index(committed_database):
    session = make_session()
    for _ in range(3):
        make_recording(session)
        make_recording(make_session())
    plan = explain(Recording.objects.of(session.pk))
    assert plan.uses_index
    assert not plan.sorts_in_memory
    assert plan.docs_examined == 3


@pytest.mark.parametrize(
    ("name", "session_of", "session_id"),
    [
        ("a-b.webm", arrival.session_id_of, "a-b"),
        (f"a-b.{RECORDING_ID}.original", arrival.session_id_of, "a-b"),
        (f"adopted.id.{RECORDING_ID}.mp4", arrival.session_id_of, "adopted.id"),
        ("report_a-b.html", reports.session_id_of, "a-b"),
        ("report_adopted.id.csv", reports.session_id_of, "adopted.id"),
    ],
)
def test_the_name_of_a_stored_file_tells_its_session(name, session_of, session_id):
    assert session_of(name) == session_id
