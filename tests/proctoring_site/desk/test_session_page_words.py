"""What the page of one session says in words: of each event, and of a sitting that was hardly watched."""

import re
from datetime import timedelta
from html import unescape

import pytest

from sessions_app import services
from sessions_app.models import Event, now
from tests.factories import make_session
from tests.proctoring_site.desk.session_page import page_of

pytestmark = pytest.mark.usefixtures("database")


def test_what_came_with_an_event_is_told_in_words_and_its_data_as_json(rita, as_candidate):
    session = make_session(start_time=now())
    told = {"event_type": "devices", "duration_s": 3.008, "source": "candidate page 1", "confidence": 0.9}
    data = {"camera": True, "pasted": "<b>Größe", "screen": None}
    sent = {**told, "data": data, "timestamp": now().replace(tzinfo=None).isoformat()}
    answer = as_candidate(session).post(f"/sessions/{session.pk}/events", sent, format="json")
    assert answer.status_code == 201
    Event.objects.filter(session=session).update(clock_skew_ms=-13)
    page = rita.get(page_of(session))
    (line,) = page.context["event_lines"]
    words = ("lasted 3.008 s", "confidence 0.9", "candidate page 1", "clock 13 ms behind", "naive")
    assert line.details == words
    text = unescape(re.sub("</?bdi>", "", page.content.decode()))
    assert f'<td>{" · ".join(words)} <code dir="auto">' in text
    assert '{"camera": true, "pasted": "<b>Größe", "screen": null}</code>' in text


def test_insufficient_data_is_explained(rita, as_candidate):
    session = make_session(start_time=now() - timedelta(hours=1))
    explained = "Too little of this session was watched"
    assert explained not in rita.get(page_of(session)).content.decode()
    beat = as_candidate(session).post(f"/sessions/{session.pk}/heartbeat", {"camera": True}, format="json")
    assert beat.status_code == 200
    page = rita.get(page_of(services.end_session(session)))
    assert page.context["review"].score.band == "insufficient_data"
    assert explained in page.content.decode()
