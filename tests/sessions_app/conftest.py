"""A session that runs and its candidate, whom several files of this folder know by name."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from sessions_app.models import Session
from tests.factories import start_session


@pytest.fixture
def session() -> Session:
    return start_session(candidate_name="Ada Example")


@pytest.fixture
def candidate(as_candidate: Callable[[Session], APIClient], session: Session) -> APIClient:
    return as_candidate(session)
