"""The candidate's token: signed, for one session, and checked without asking the database."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.utils import timezone

PREFIX = "pc."


def _signer() -> signing.TimestampSigner:
    return signing.TimestampSigner(salt="proctoring.candidate", sep=".")


@dataclass(frozen=True, slots=True)
class Candidate:
    """Whoever holds the token of a session; what stands in `request.user` then. No account, and no rights of staff."""

    session_id: str
    is_authenticated = True
    is_active = is_staff = False


def issue(session_id: str) -> tuple[str, datetime]:
    """A text of letters, digits, `.`, `_` and `-`, and when it expires: CANDIDATE_TOKEN_MAX_AGE_S from now."""
    expires_at = timezone.now() + timedelta(seconds=settings.CANDIDATE_TOKEN_MAX_AGE_S)
    return PREFIX + _signer().sign(session_id), expires_at


def read(token: str) -> Candidate | None:
    """None for a token that was forged, altered, cut or has expired."""
    try:
        return Candidate(_signer().unsign(token.removeprefix(PREFIX), max_age=settings.CANDIDATE_TOKEN_MAX_AGE_S))
    except signing.BadSignature:
        return None
