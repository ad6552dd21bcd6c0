"""API tokens are kept for a moment: what that saves, and what ends it. Changes here count at once: test_api_tokens."""

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from proctoring_site.access import api_tokens, kept_tokens
from proctoring_site.access.models import ApiToken
from tests import trips
from tests.access import status_with
from tests.factories import make_api_token

pytestmark = pytest.mark.usefixtures("database")


def in_another_process(text, **changes):
    """Past the models, so that nothing here is told of it."""
    tokens = connection.get_collection("api_tokens")
    tokens.update_one({"digest": api_tokens.digest_of(text)}, {"$set": changes}, session=connection.session)


def becomes(status, text):
    deadline = time.monotonic() + 10
    while status_with(text) != status:
        assert time.monotonic() < deadline
    return True


def test_the_next_call_looks_nothing_up(olive):
    text = make_api_token(olive)
    assert status_with(text) == 200
    with trips.exactly("find sessions", "insert audit_log"):
        assert status_with(text) == 200


def test_a_revocation_elsewhere_counts_when_the_time_is_over_and_not_later(olive, monkeypatch):
    monkeypatch.setattr(kept_tokens, "KEPT_S", 0.2)
    text = make_api_token(olive)
    assert status_with(text) == 200
    in_another_process(text, revoked_at=timezone.now())
    assert becomes(401, text)
    assert status_with(text) == 401


def test_a_kept_token_expires_to_the_moment(olive):
    expires_at = timezone.now() + timedelta(seconds=1)
    _, text = api_tokens.create(owner=olive, name="x", expires_at=expires_at)
    assert status_with(text) == 200
    assert becomes(401, text)
    assert timezone.now() - expires_at < timedelta(seconds=kept_tokens.KEPT_S)


def test_what_was_read_before_a_revocation_is_not_kept_after_it(olive):
    text = make_api_token(olive)
    token, since = ApiToken.objects.get(), kept_tokens.generation()
    api_tokens.revoke(ApiToken.objects.get())
    kept_tokens.keep(token.digest, token, since=since)
    assert status_with(text) == 401


def test_more_than_so_many_are_not_kept(olive, monkeypatch):
    monkeypatch.setattr(kept_tokens, "KEPT_MAX", 2)
    for text in [make_api_token(olive) for _ in range(5)]:
        assert status_with(text) == 200
    assert len(kept_tokens._kept) <= 2
