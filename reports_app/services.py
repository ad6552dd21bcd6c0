"""Reports are built from the session's counts, stored as files, and rendered anew only when something changed."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connection
from orjson import Fragment
from pymongo import ReturnDocument

from media_app import services as media
from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind
from proctoring_site.jobs.queue import job, submit
from proctoring_site.mongo_engine.documents import instance_of
from proctoring_site.mongo_engine.group_find import GroupFind
from proctoring_site.mongo_engine.instants import instant_of
from reports_app import unchanged
from reports_app.builder import EventFact, Report, SessionFacts, build_report, in_order
from reports_app.models import StoredReport
from reports_app.renderers import FORMATS, Format
from sessions_app import counters, heartbeat, mending, timelines, too_late
from sessions_app import services as sessions
from sessions_app.errors import SessionNotFound
from sessions_app.models import Session, now

logger = logging.getLogger(__name__)

_recorded = GroupFind(StoredReport._meta.db_table)
#: Going again ends when the others do; giving up earlier is safe, the next request finds the file not current.
STORE_TRIES = 5
#: Each after the one before it. Whoever deletes has looked again by the first, unless they were killed or are slow; and
#: an event that was under way at the end of that is stored by the second (SHORT_WRITE_LIMIT_S).
LOOKS_AFTER_S = (60, 600, 3600)


def report_of(session: Session) -> Report:
    """The report by the session's counts; its events are read where people judged some, or the policy asks for it."""
    sessions.count_where_missing([session])
    standing = sessions.standing_of(session)
    refused, refused_at = too_late.of(session)
    facts = SessionFacts(
        session_id=session.pk,
        candidate_name=session.candidate_name or "",
        state=session.state.value,
        start_time=session.start_time,
        end_time=session.end_time,
        duration_s=session.duration_s,
        video_name=session.video_name,
        counts=session.counts,
        coverage=heartbeat.coverage_of(session),
        clock_skew_ms=sessions.clock_skew_ms(session),
        machine=standing.machine,
        reviewed=standing.reviewed,
        review_outcome=session.outcome.value,
        exempt_types=standing.exempt,
        too_late_events=refused,
        too_late_last_at=refused_at,
    )
    return build_report(facts, policy=standing.policy)


def file_name(session_id: str, format_name: str) -> str:
    return f"report_{session_id}{FORMATS[format_name].suffix}"


def session_id_of(file_name: str) -> str:
    return file_name.removeprefix("report_").rpartition(".")[0]


def ensure_stored(session: Session, format_name: str) -> str:
    """The name of a stored file that shows the session as it is now; rendered only if there is none yet."""
    name = file_name(session.pk, format_name)
    if not is_current(session, format_name):
        store(session, format_name)
    return name


def json_of(document: Mapping[str, Any], to_json: Callable[[Report], Fragment]) -> Fragment:
    """The report of the session that this document is, as JSON; its page is stored, as the earlier service did."""
    name, policy = file_name(document["_id"], "html"), sessions.active_policy()
    if answer := unchanged.answer_of(name, document, policy):
        return answer
    session = instance_of(Session, document)
    was_current = is_current(session, "html")
    if not was_current:
        store(session, "html")
    answer = to_json(report_of(session))
    if was_current:
        unchanged.keep_answer(name, document, policy, answer)
    return answer


def is_current(session: Session, format_name: str) -> bool:
    name = file_name(session.pk, format_name)
    shown = {"revision": _revision(session), "fingerprint": _fingerprint(FORMATS[format_name], session)}
    recorded = _recorded.one(name)
    if recorded is None or any(recorded.get(field) != value for field, value in shown.items()):
        return False
    return recorded["sha256"] == unchanged.digest_of(name)


def all_current(session: Session) -> bool:
    return all(is_current(session, format_name) for format_name in FORMATS)


def store(session: Session, format_name: str) -> None:
    """Render and store, and leave the newest state behind whoever else is storing at the same time.

    Each writes a whole file and then records which revision and which bytes it wrote. Who finds that a newer revision
    was recorded before, or that the file is another's by now, goes again from the session as it then is. A file that
    is not the recorded one never passes for current, whatever the order of the steps was. Raises SessionNotFound when
    the session was deleted meanwhile; nothing of it is left then.
    """
    try:
        _store(session, format_name)
        is_there = sessions.find_document(session.pk) is not None
    except (Session.DoesNotExist, SessionNotFound):  # by whichever of its queries came first after the deletion
        is_there = False
    if not is_there:
        _delete_file(session, format_name)
        StoredReport.objects.filter(session_id=session.pk).delete()
        raise SessionNotFound


def _store(session: Session, format_name: str) -> None:
    form = FORMATS[format_name]
    name = file_name(session.pk, format_name)
    for _ in range(STORE_TRIES):
        report, events = report_of(session), events_of(session)
        content = form.render(report, events)
        storages["reports"].save(name, ContentFile(content))
        # A writer counts an event before it stores it: a file without that event must not pass for current. Where no
        # writer is left, it is the trace of a crash or of one that was very slow.
        if len(events) != sum(report.event_counts.values()):
            if _is_mended_now(session):
                continue
            return
        digest = hashlib.sha256(content).hexdigest()
        recorded_before = _note_stored(name, session, _fingerprint(form, session), digest)
        if recorded_before <= _revision(session) and unchanged.digest_of(name) == digest:
            return
        session = Session.objects.get(pk=session.pk)


def _is_mended_now(session: Session) -> bool:
    """An open session's counts are mended soon, without anybody waiting."""
    if session.end_time is None:
        mending.look_soon(session.pk)
        return False
    return bool(sessions.recount(session))


def events_of(session: Session) -> list[EventFact]:
    return in_order(list(map(_fact, timelines.events_of(session.pk))))


def _fact(event: Mapping[str, Any]) -> EventFact:
    get = event.get
    return EventFact(
        event_type=_text(get("event_type")),
        message=get("message"),
        timestamp=instant_of(get("timestamp")),
        occurred_at=instant_of(get("occurred_at")),
        duration_s=get("duration_s"),
        confidence=get("confidence"),
        source=get("source"),
        clock_skew_ms=get("clock_skew_ms"),
        marks=tuple(get("marks") or ()),
        data=get("data"),
    )


def regenerate(session: Session) -> None:
    """Recount the session from its stored events and render every format anew. Raises SessionNotFound when it was
    deleted meanwhile."""
    record(Action.REGENERATED, ObjectKind.REPORT, session.pk)
    sessions.recount(session)
    for format_name in FORMATS:
        store(session, format_name)


def delete_session(session: Session) -> None:
    """Delete a session with everything of it: reports, video, events. A second call finishes what was cut off.

    The files go first: while the session is there, they can be found and deleted again; without it nobody would, but
    for `look_again`.
    """
    events = sum(session.counts.values())
    record(Action.DELETED, ObjectKind.SESSION, session.pk, events=events, video=session.video_path)
    _look_later(session.pk, f"{session.pk}@{now().timestamp():.0f}")
    _delete_files(session)
    sessions.delete_session(session)
    _delete_files(session)  # again: what was stored meanwhile


@job(name="deleted_session")
def look_again(key: str, *, session_id: str, began: str, number: int) -> None:
    """What was stored or logged while a session was being deleted: should who deleted it be killed before they looked
    again, or an event that was under way be stored after that. Of one that is there, nothing: a slow deletion goes on,
    or one was cut off that can be asked for again, or the session was imported again since. Each look is followed by
    the next: a slow deletion may have ended right before it."""
    if number + 1 < len(LOOKS_AFTER_S):
        _look_later(session_id, began, number + 1)
    if Session.objects.filter(pk=session_id).exists():
        return
    sessions.clear_deleted(session_id)
    _delete_files(Session(pk=session_id))


def _look_later(session_id: str, began: str, number: int = 0) -> None:
    """Called before anything is deleted. A deletion has jobs of its own: one that runs is not taken for the next's."""
    how = {"session_id": session_id, "began": began, "number": number}
    submit(look_again, f"{began}/{number}", pause_s=LOOKS_AFTER_S[number], **how)


def _delete_files(session: Session) -> None:
    for format_name in FORMATS:
        _delete_file(session, format_name)
    StoredReport.objects.filter(session_id=session.pk).delete()
    media.delete_recordings(session)


def _delete_file(session: Session, format_name: str) -> None:
    name = file_name(session.pk, format_name)
    storages["reports"].delete(name)
    unchanged.forget(name)


def _note_stored(name: str, session: Session, fingerprint: str, digest: str) -> int:
    """Say what the file shows; answers with the revision that was recorded until now, 0 when none was."""
    before = connection.get_collection(StoredReport._meta.db_table).find_one_and_update(
        {"_id": name},
        {
            "$set": {
                "session_id": session.pk,
                "revision": _revision(session),
                "fingerprint": fingerprint,
                "sha256": digest,
                "rendered_at": now(),
            }
        },
        upsert=True,
        return_document=ReturnDocument.BEFORE,
        session=connection.session,
    )
    return before["revision"] if before else 0


def _fingerprint(form: Format, session: Session) -> str:
    """What else the output depends on: the policy, the review, the renderer's version, how much was watched, and what
    came too late. With the counts: an adopted revision may be a number in which one is lost."""
    policy = sessions.policy_for(session.policy_version)
    rules = [policy.version, sorted(policy.weights.items()), policy.bands, policy.coverage_min, session.review_revision]
    coverage = heartbeat.coverage_of(session)
    watched = [coverage and asdict(coverage), sessions.clock_skew_ms(session)]
    counts = [sorted(session.counts.items()), *map(str, too_late.of(session))]
    return hashlib.sha256(json.dumps([form.suffix, form.version, rules, watched, counts]).encode()).hexdigest()


def _revision(session: Session) -> int:
    """Whole, as the ORM reads it too; 0 where an adopted one is no number of changes."""
    return int(session.revision) if counters.is_number(session.revision) else 0


def _text(event_type: object) -> str:
    return "" if event_type is None else str(event_type)
