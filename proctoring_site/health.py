"""`/healthz` (does this process answer?) and `/readyz` (can it work?), for those who start, watch and balance servers.

Both are open to everybody, so they tell which part fails and nothing about it; they are logged below INFO.
"""

import errno
import logging
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
        checks = {part: "ok" if works(part) else "failed" for part in PARTS}
        failed = [part for part, outcome in checks.items() if outcome == "failed"]
        if failed:
            body = {"detail": f"Not ready: {', '.join(failed)}.", "code": "not_ready", "checks": checks}
            return Response(body, status=503, headers=NEVER_KEPT)
        return Response({"status": "ok", "checks": checks}, headers=NEVER_KEPT)
