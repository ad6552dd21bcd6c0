"""Whom several files of this folder know by name."""

from collections.abc import Callable

import pytest
from django.test import Client


@pytest.fixture
def reviewer(as_staff: Callable[..., Client]) -> Client:
    """Rita, whose pages fail the test where they fail."""
    client = as_staff("Reviewer", username="rita")
    client.raise_request_exception = True
    return client
