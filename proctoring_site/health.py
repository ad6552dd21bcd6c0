"""`/healthz` (does this process answer?) and `/readyz` (can it work?), for those who start, watch and balance servers.

Both are open to everybody, so they tell which part fails and nothing about it, and however many ask cost the storage no
more than one; they are logged below INFO.
"""

import errno
import logging
import threading
import time
from collections.abc import Callable, Mapping

import pymongo
from django.core.files.storage import storages
from django.db import connection
from drf_spectacular.utils import extend_schema, inline_serializer
from pymongo.errors import PyMongoError
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from media_app.errors import StorageFailed

logger = logging.getLogger(__name__)

PING_WITHIN_S = 1
#: How old an answer about the storage may be, which is written to, or wants money for each call.
STORAGE_KEPT_S = 1
NEVER_KEPT = {"Cache-Control": "no-store"}

HEALTH = inline_serializer("Health", {"status": serializers.ChoiceField(["ok"])})
CHECKS = {"checks": serializers.DictField(child=serializers.ChoiceField(["ok", "failed"]))}
READY = inline_serializer("Ready", {"status": serializers.ChoiceField(["ok"]), **CHECKS})
NOT_READY = inline_serializer(
    "NotReady", {"detail": serializers.CharField(), "code": serializers.ChoiceField(["not_ready"]), **CHECKS}
)


def ping_database() -> None:
    with pymongo.timeout(PING_WITHIN_S):
        connection.database.command("ping")


PARTS: Mapping[str, Callable[[], None]] = {
    "database": ping_database,
    "videos": lambda: storages["videos"].probe(),
    "reports": lambda: storages["reports"].probe(),
}


def works(part: str) -> bool:
    try:
        PARTS[part]()
    except StorageFailed as error:  # its sentence has the storage's own word for it, and no key
        logger.warning("not ready: %s: %s", part, error)
        return False
    except (PyMongoError, OSError) as error:
        word = errno.errorcode.get(getattr(error, "errno", None), type(error).__name__)
        logger.warning("not ready: %s (%s)", part, word)
        return False
    return True


_one_asks = threading.Lock()
_kept_until = 0.0
_kept: dict[str, str] = {}


def checks() -> dict[str, str]:
    """`ok` or `failed` for each part. One caller at a time asks the storage; who waited for that takes the answer."""
    global _kept, _kept_until
    with _one_asks:
        if time.monotonic() >= _kept_until:
            _kept = {part: _said(part) for part in PARTS if part != "database"}
            _kept_until = time.monotonic() + STORAGE_KEPT_S
        kept = _kept
    return {"database": _said("database"), **kept}


def _said(part: str) -> str:
    return "ok" if works(part) else "failed"


class HealthView(APIView):
    """Whether this process answers. Asks neither database nor storage."""

    authentication_classes = permission_classes = ()

    @extend_schema(summary="Whether this process answers", responses=HEALTH)
    def get(self, request: Request) -> Response:
        return Response({"status": "ok"}, headers=NEVER_KEPT)


class ReadyView(APIView):
    """Whether the database answers within a second, and videos and reports can be stored."""

    authentication_classes = permission_classes = ()

    @extend_schema(summary="Whether the service is ready", responses={200: READY, 503: NOT_READY})
    def get(self, request: Request) -> Response:
        found = checks()
        failed = [part for part, outcome in found.items() if outcome == "failed"]
        if failed:
            body = {"detail": f"Not ready: {', '.join(failed)}.", "code": "not_ready", "checks": found}
            return Response(body, status=503, headers=NEVER_KEPT)
        return Response({"status": "ok", "checks": found}, headers=NEVER_KEPT)
