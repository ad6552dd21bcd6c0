"""What a database of the earlier service may hold: a session of each kind, with its events."""

from bson import Int64

from tests.factories import NOON, naive, old_event, old_session, write_old_documents

UNPARSABLE = "yesterday, about noon"


def plain():
    session = old_session(
        candidate_name="Plain", end_time=naive(NOON.replace(hour=13)), video_path="data/videos/p.webm"
    )
    return session, [old_event(session), old_event(session, event_type="phone_detected", message="0.9")]


def with_odd_types():
    session = old_session(candidate_name="Odd types", video_path="data\\videos\\o.webm")
    types = [
        "tab_hidden",
        "tab_hidden",
        "a.b",
        "$inc",
        "a.b$c%25",
        "",
        None,
        5,
        Int64(5),
        True,
        "x" * 200,
        "focus_lost",
    ]
    return session, [old_event(session, event_type=event_type) for event_type in types]


def with_text_instants():
    session = old_session(
        candidate_name="Text", start_time="2026-03-02T10:00:00.123456", end_time="2026-03-02T11:30:00+02:00"
    )
    stamps = ["2026-03-02T10:20:00", "2026-03-02T12:10:00+02:00", "2026-03-02T10:05:00Z", "2026-03-02 10:01:00.5"]
    return session, [old_event(session, timestamp=stamp) for stamp in stamps]


def with_unparsable_instants():
    session = old_session(candidate_name="Unparsable", start_time=UNPARSABLE, end_time=UNPARSABLE)
    return session, [old_event(session, timestamp=UNPARSABLE), old_event(session, timestamp=" ")]


def with_missing_fields():
    session = {"_id": "no-uuid-at-all"}
    return session, [{"_id": "bare-event", "session_id": session["_id"]}]


def with_extra_fields():
    session = old_session(candidate_name="Extra", proctor={"name": "P", "notes": [1, 2]}, score=0.5)
    return session, [old_event(session, confidence=0.75, box=[1, 2, 3, 4])]


def with_arrays_and_numbers_for_instants():
    session = old_session(candidate_name="Arrays", start_time=["2026-03-02"], end_time=1772452800)
    return session, [old_event(session, timestamp=["2026-03-02"]), old_event(session, timestamp=1.5)]


KINDS = [
    plain,
    with_odd_types,
    with_text_instants,
    with_unparsable_instants,
    with_missing_fields,
    with_extra_fields,
    with_arrays_and_numbers_for_instants,
]
EVENTS = {"Plain": 2, "Odd types": 12, "Text": 4, "Unparsable": 2, None: 1, "Extra": 1, "Arrays": 2}


def write_every_kind():
    for kind in KINDS:
        session, events = kind()
        write_old_documents([session], events)
