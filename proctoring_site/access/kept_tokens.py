"""API tokens that were valid a moment ago, so that a machine's calls look nothing up: two trips less for each, and the
rights of an owner who is no superuser are not asked for again either. Worth: docs/performance.md.

What is changed in this process (a revocation, an account, a group, a right) counts from the next call on: all that is
kept is forgotten. What another process changes counts here within KEPT_S.
"""

import threading
import time
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models.signals import m2m_changed, post_delete, post_save
from django.dispatch import receiver

from proctoring_site.access.models import ApiToken

KEPT_S = 2
#: More tokens than anybody uses within KEPT_S.
KEPT_MAX = 1000
User = get_user_model()

_lock = threading.Lock()
_kept: dict[str, tuple[float, ApiToken]] = {}
_generation = 0


def get(digest: str) -> ApiToken | None:
    """As it was read within KEPT_S, with its owner. Its expiry is for the caller to look at."""
    until, token = _kept.get(digest, (0.0, None))
    return token if time.monotonic() < until else None


def generation() -> int:
    """To be taken before a token is read: what changes after that is not undone by keeping what was read."""
    return _generation


def keep(digest: str, token: ApiToken, *, since: int) -> None:
    with _lock:
        if since != _generation:
            return
        if len(_kept) >= KEPT_MAX:
            _kept.clear()
        _kept[digest] = (time.monotonic() + KEPT_S, token)


def forget() -> None:
    global _generation
    with _lock:
        _generation += 1
        _kept.clear()


@receiver(post_save, sender=ApiToken)
@receiver(post_delete, sender=ApiToken)
@receiver(post_save, sender=User)
@receiver(post_delete, sender=User)
@receiver(post_delete, sender=Group)
@receiver(m2m_changed, sender=User.groups.through)
@receiver(m2m_changed, sender=User.user_permissions.through)
@receiver(m2m_changed, sender=Group.permissions.through)
def _forget(**kwargs: Any) -> None:
    """Signals, as in audit/accounts.py: rights change in the admin, in commands and in shells alike."""
    forget()
