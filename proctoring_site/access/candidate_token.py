"""The candidate's token: signed, for one session, and checked without asking the database.

A signature that was found good is not computed again (docs/performance.md has the figure): a sitting sends the same
token with every call. The age is looked at each time.
"""

import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from django.conf import settings
from django.core import signing
from django.utils import timezone

from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind

PREFIX = "pc."
SALT, SEPARATOR = "proctoring.candidate", "."
#: Good tokens that a worker remembers; some 300 bytes each.
REMEMBERED = 8192


@dataclass(frozen=True, slots=True)
class Candidate:
    """Whoever holds the token of a session; what stands in `request.user` then. No account, and no rights of staff."""

    session_id: str
    is_authenticated = True
    is_active = is_staff = False


def can_name(session_id: str) -> bool:
    """Whether an id, which may be an adopted one, has only what the API's addresses and a header can hold."""
    return re.fullmatch(r"[^/.]+", session_id) is not None and session_id.isascii() and session_id.isprintable()


def issue(session_id: str) -> tuple[str, datetime]:
    """A text of letters, digits, `.`, `_` and `-`, and of what an adopted id has; and when it expires."""
    expires_at = timezone.now() + timedelta(seconds=settings.CANDIDATE_TOKEN_MAX_AGE_S)
    return PREFIX + signing.TimestampSigner(salt=SALT, sep=SEPARATOR).sign(session_id), expires_at


def issue_another(session_id: str) -> tuple[str, datetime]:
    """For another computer, or after the first has expired: recorded before it is told. Raises AuditFailed.

    Those issued before stay good until they expire.
    """
    record(Action.LINKED, ObjectKind.SESSION, session_id)
    return issue(session_id)


def read(token: str) -> Candidate | None:
    """None for a token that was forged, altered, cut or has expired."""
    try:
        candidate, signed_at_s = _signed(token.removeprefix(PREFIX), settings.SECRET_KEY)
    except signing.BadSignature:
        return None
    return candidate if time.time() - signed_at_s <= settings.CANDIDATE_TOKEN_MAX_AGE_S else None


@lru_cache(REMEMBERED)
def _signed(text: str, key: str) -> tuple[Candidate, int]:
    """Whose it is, and when it was signed. What this key did not sign raises BadSignature and is not remembered."""
    session_id, stamp = signing.Signer(key=key, salt=SALT, sep=SEPARATOR).unsign(text).rsplit(SEPARATOR, 1)
    return Candidate(session_id), signing.b62_decode(stamp)
