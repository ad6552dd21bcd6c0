"""What happens to API tokens: made, used, revoked."""

import hashlib
import logging
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from proctoring_site.access import kept_tokens
from proctoring_site.access.models import ApiToken
from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind
from proctoring_site.mongo_engine.documents import M, instance_of

logger = logging.getLogger(__name__)

PREFIX = "pk_"
SECRET_BYTES = 32
DEFAULT_DAYS, MAX_DAYS = 90, 3650
#: `last_used_at` is not written more often than this.
USE_NOTED_EVERY = timedelta(minutes=1)


def create(*, owner: Any, name: str, expires_at: datetime) -> tuple[ApiToken, str]:
    """The token, and its text, which nobody can read again."""
    text = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    token = ApiToken(owner=owner, name=name, digest=digest_of(text), expires_at=expires_at)
    told = {"name": name, "owner": owner.get_username(), "expires_at": expires_at.isoformat()}
    record(Action.CREATED, ObjectKind.TOKEN, token.digest[:12], changes={k: (None, v) for k, v in told.items()})
    token.save(force_insert=True)
    logger.info("API token %s created", token.pk)
    return token, text


def revoke(token: ApiToken) -> bool:
    """False when it was revoked before; the first instant stays."""
    if token.revoked_at:
        return False
    at = timezone.now()
    changes = {"revoked_at": (None, at.isoformat())}
    record(Action.REVOKED, ObjectKind.TOKEN, token.digest[:12], changes=changes, name=token.name)
    revoked = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=at)
    kept_tokens.forget()  # an update tells no listener
    token.refresh_from_db()
    logger.info("API token %s revoked", token.pk)
    return bool(revoked)


def find(text: str) -> ApiToken | None:
    """The valid token of that text whose owner is active staff, else None; its use is noted.

    Kept for a moment (kept_tokens.py). When not, by two plain finds: the ORM took four times as long.
    """
    digest = digest_of(text)
    found = kept_tokens.get(digest) or _look_up(digest)
    return found if found and found.expires_at > timezone.now() else None


def _look_up(digest: str) -> ApiToken | None:
    now, generation = timezone.now(), kept_tokens.generation()
    found = _one(ApiToken, {"digest": digest, "revoked_at": None})
    if found is None or found.expires_at <= now:
        return None
    owner = _one(get_user_model(), {"_id": found.owner_id, "is_active": True, "is_staff": True})
    if owner is None:
        return None
    found.owner = owner
    kept_tokens.keep(digest, found, since=generation)
    if found.last_used_at is None or now - found.last_used_at >= USE_NOTED_EVERY:
        ApiToken.objects.filter(pk=found.pk).update(last_used_at=now)
    return found


def _one(model: type[M], where: dict[str, Any]) -> M | None:
    document = connection.get_collection(model._meta.db_table).find_one(where, session=connection.session)
    return document and instance_of(model, document)


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
