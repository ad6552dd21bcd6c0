"""Documents answered as they are give the same bytes as the serializers, which describe the API."""

from datetime import UTC, datetime

import pytest
from bson.datetime_ms import DatetimeMS
from django.db import connection

from proctoring_site.access.candidate_token import Candidate
from proctoring_site.calls.json_only import QuickJSONRenderer
from proctoring_site.mongo_engine.documents import documents_of, instance_of
from sessions_app import kept_timelines, services
from sessions_app.answers import detail_answer, event_answer, session_answer, started_answer
from sessions_app.event_serializers import EventSerializer
from sessions_app.heartbeat import Beat, beat
from sessions_app.models import NOT_AT_THE_START, Event, Session
from sessions_app.querysets import sees
from sessions_app.reported import Reported
from sessions_app.serializers import (
    SessionDetailSerializer,
    SessionSerializer,
    StartedSessionSerializer,
)
from tests.factories import log_event, make_session, make_staff

pytestmark = pytest.mark.usefixtures("database")

AT = datetime(2026, 3, 2, 12, 7, 30, 250_000, tzinfo=UTC)
#: What an earlier service's database may hold where we expect an instant, or text.
ODD_INSTANTS = [None, AT, AT.replace(microsecond=0), "2026-03-02T12:07:30", "2026-03-02", "noon", 7, DatetimeMS(2**60)]
ODD_TEXTS = [None, "focus_lost", "", "ß\u2028 <b>", 7, 1.5, True]


def rendered(answer):
    return QuickJSONRenderer().render(answer)


def stored(collection, document):
    documents = connection.get_collection(collection)
    documents.insert_one(document, session=connection.session)
    return documents.find_one({"_id": document["_id"]}, session=connection.session)


@pytest.mark.parametrize("at", ODD_INSTANTS, ids=repr)
@pytest.mark.parametrize("text", ODD_TEXTS, ids=repr)
def test_an_adopted_event(at, text):
    document = stored("events", {"_id": "e", "session_id": "s", "event_type": text, "message": text, "timestamp": at})
    assert rendered(event_answer(document)) == rendered(EventSerializer(Event.objects.get(pk="e")).data)


@pytest.mark.parametrize("at", ODD_INSTANTS, ids=repr)
@pytest.mark.parametrize("text", ODD_TEXTS, ids=repr)
def test_an_adopted_session(at, text):
    raw = {"_id": "s", "candidate_name": text, "start_time": at, "end_time": at, "video_path": text, "status": text}
    document = stored("sessions", raw)
    assert rendered(session_answer(document)) == rendered(SessionSerializer(Session.objects.get(pk="s")).data)


def test_a_document_with_nothing_but_an_id():
    session, event = stored("sessions", {"_id": "s"}), stored("events", {"_id": "e", "session_id": "s"})
    assert rendered(session_answer(session)) == rendered(SessionSerializer(Session.objects.get(pk="s")).data)
    assert rendered(event_answer(event)) == rendered(EventSerializer(Event.objects.get(pk="e")).data)


def test_a_session_with_everything():
    session = make_session()
    beat(session.pk, Beat(camera=True, detectors=["face"], sent_at=AT))
    services.pause_session(Session.objects.get(pk=session.pk), reason_code="technical.network", reason="Wait.")
    services.message_candidate(Session.objects.get(pk=session.pk), message="Light, please.")
    told = Reported(
        "focus_lost", message="x", timestamp=AT, is_naive=True, confidence=1.0, sequence=3, data={"a": [1.5]}
    )
    log_event(session.pk, told, sent_at=AT)
    services.end_session(Session.objects.get(pk=session.pk))
    session = Session.objects.get(pk=session.pk)
    document = services.find_document(session.pk)
    answer = detail_answer(document, kept_timelines.json_of(document))
    assert all(answer[part] for part in ("moves", "commands", "coverage"))
    assert rendered(answer) == rendered(SessionDetailSerializer(session).data)


def test_a_started_session_and_its_document_are_those_of_the_serializer_and_the_orm():
    document = services.start(candidate_name="Ada", at=AT)
    session = Session.objects.get(pk=document["_id"])
    assert rendered(session_answer(document)) == rendered(SessionSerializer(session).data)
    told = {"token": "pc.x", "token_expires_at": AT.replace(microsecond=250_001)}
    session.token, session.token_expires_at = told.values()
    assert rendered(started_answer(document, **told)) == rendered(StartedSessionSerializer(session).data)
    kept = connection.get_collection("sessions").find_one({"_id": session.pk}, session=connection.session)
    Session.objects.filter(pk=session.pk).delete()
    Session(pk=session.pk, candidate_name="Ada", start_time=AT).save(force_insert=True)
    written = connection.get_collection("sessions").find_one({"_id": session.pk}, session=connection.session)
    assert kept == {name: value for name, value in written.items() if name not in NOT_AT_THE_START}


def test_the_same_sessions_are_visible_one_by_one_as_by_query():
    ours, other = make_session(), make_session()
    services.end_session(other)
    documents = [services.find_document(session.pk) for session in (ours, other)]
    callers = [None, Candidate(ours.pk), Candidate(other.pk), *map(make_staff, ["Reviewer", "Proctor", "Auditor"])]
    for caller in callers:
        visible = {session.pk for session in Session.objects.visible_to(caller)} & {ours.pk, other.pk}
        assert {document["_id"] for document in documents if sees(caller, document)} == visible


def test_a_document_becomes_the_instance_that_the_orm_reads():
    session = make_session()
    beat(session.pk, Beat(camera=True))
    (document,) = documents_of(Session.objects.filter(pk=session.pk))
    ours, orms = instance_of(Session, document), Session.objects.get(pk=session.pk)
    for field in Session._meta.concrete_fields:
        assert getattr(ours, field.attname) == getattr(orms, field.attname)


def test_a_queryset_that_is_more_than_a_filter_is_refused_and_an_empty_one_is_empty():
    with pytest.raises(ValueError, match="more than a filter"):
        documents_of(Event.objects.filter(session__candidate_name="Ada"))
    assert documents_of(Session.objects.none()) == []
