"""The reviewer and the session that several files of this folder know by name."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from sessions_app import services
from sessions_app.models import Session
from tests.factories import NOON, make_event, make_session


@pytest.fixture
def reviewer(as_staff: Callable[..., Client]) -> Client:
    """Rita, whose pages fail the test where they fail."""
    client = as_staff("Reviewer", username="rita")
    client.raise_request_exception = True
    return client


@pytest.fixture
def rita(as_staff: Callable[..., Client]) -> Client:
    return as_staff("Reviewer", username="rita")


@pytest.fixture
def session() -> Session:
    """Two phones that fold into one incident, and somebody else in the room a good while later."""
    session = make_session(candidate_name="مرشح الاختبار")
    for second, event_type in ((60, "phone_detected"), (70, "phone_detected"), (600, "multiple_faces")):
        make_event(session, event_type=event_type, timestamp=NOON + timedelta(seconds=second), confidence=0.9)
    return services.end_session(session, at=NOON + timedelta(minutes=20))
