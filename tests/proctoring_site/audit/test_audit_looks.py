"""A player asks for a video range by range, a page for many pictures of it: one record per look, before its bytes."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from media_app.models import Recording
from proctoring_site.audit.looks import INDEX, LOOK_S, same_act
from proctoring_site.audit.models import Action, AuditRecord, ObjectKind
from tests import access, drives
from tests.access import ask, caller, candidate, content_of, machine
from tests.audit_records import make_record, recording, told, write
from tests.factories import make_staff
from tests.plans import plan_of

data_dir, make_evidence, evidence = drives.data_dir, access.make_evidence, access.evidence


@pytest.fixture
def video(evidence):
    return f"/videos/{Recording.objects.get(pk=evidence.recording).name}"


def look(client, path, **headers):
    answer = ask(client, "GET", path, **headers)
    content_of(answer)
    assert answer.status_code in (200, 206)


def test_all_ranges_of_one_look_leave_one_record(evidence, video):
    client = caller(signed_in=make_staff("Reviewer"))
    with recording() as records:
        look(client, video)
        for start in (0, 100, 200):
            look(client, video, HTTP_RANGE=f"bytes={start}-")
    assert [(one.action, one.object_kind, one.object_id) for one in records] == [
        ("looked", "video", evidence.session.pk)
    ]
    assert records[0].details == {"recording": evidence.recording}


def test_a_look_that_goes_on_leaves_the_next(video):
    client = caller(signed_in=make_staff("Reviewer"))
    with recording() as records:
        look(client, video)
        age(AuditRecord.objects.get(action="looked"), seconds=LOOK_S + 1)
        look(client, video)
        look(client, video)
    assert len(records) == 2


def age(record, *, seconds):
    """Nothing of ours changes a record; MongoDB's own tools can."""
    log = connection.get_collection("audit_log")
    earlier = {"$set": {"at": record.at.replace(tzinfo=None) - timedelta(seconds=seconds)}}
    log.update_one({"_id": record.pk}, earlier, session=connection.session)


def test_another_account_machine_address_or_video_is_another_look(evidence, video):
    rita, rob = make_staff("Reviewer"), make_staff("Reviewer")
    first = caller(signed_in=rita)
    with recording() as records:
        look(first, video)
        look(first, video, REMOTE_ADDR="203.0.113.7")
        look(caller(signed_in=rob), video)
        look(machine(rita), video)
        look(first, evidence.path("/videos/{name}"))
    looks = [(one.actor_id, one.address, str(one.details)) for one in records if one.action == "looked"]
    assert len(looks) == len(set(looks)) == 5


def test_pictures_are_a_look_of_their_own_and_one_for_all(evidence, video):
    client = caller(signed_in=make_staff("Reviewer"))
    with recording() as records:
        look(client, video)
        for path in ("/sessions/{id}/thumbnail", "/sessions/{id}/events/{event}/thumbnail"):
            look(client, evidence.path(path))
        look(client, evidence.path("/sessions/{id}/recordings/{recording}/poster"))
    pictures = {"recording": evidence.recording, "pictures": True}
    assert [one.details for one in records] == [{"recording": evidence.recording}, pictures]


def test_the_beats_of_a_machine_are_one_record_and_those_of_the_candidate_none(evidence):
    path = f"/sessions/{evidence.session.pk}/heartbeat"
    client, own = machine(make_staff("Operator")), candidate(evidence.session)
    with recording() as records:
        for each in (client, own, client, own):
            assert each.post(path, {"camera": True}, content_type="application/json").status_code == 200
    assert told(records) == [("changed", "session", evidence.session.pk)]
    assert (records[0].actor_kind, records[0].details) == ("token", {"heartbeats": True})


def test_whether_there_was_one_is_read_by_an_index(committed_database):
    write(*(make_record(at=timezone.now(), object_id="exam-2") for _ in range(50)))
    write(*(make_record(at=timezone.now(), details={"recording": str(n)}) for n in range(3)))
    wanted = same_act(Action.LOOKED, ObjectKind.VIDEO, "exam-1", {"recording": "x"})
    find = {"find": "audit_log", "filter": wanted, "limit": 1, "hint": INDEX}
    plan = plan_of(connection.database.command("explain", find, verbosity="executionStats"))
    assert plan.uses_index
    assert plan.docs_examined == 3
