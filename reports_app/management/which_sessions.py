"""How a command is told which sessions: by ids, those that imported ones came with included, or by dates."""

from argparse import ArgumentTypeError
from collections.abc import Collection
from datetime import datetime

from django.db.models import QuerySet

from proctoring_site.mongo_engine.instants import parse_instant
from sessions_app.import_rows import uuid_of

A_DATE = "UTC, such as 2026-11-23 or 2026-11-23T10:00:00Z"


def instant(text: str) -> datetime:
    at = parse_instant(text)
    if at is None:
        raise ArgumentTypeError(f"{text!r} is not a date or instant ({A_DATE})")
    return at


def named(ids: Collection[str], among: QuerySet) -> QuerySet:
    return among.filter(pk__in=[*ids, *map(uuid_of, ids)])


def unknown(ids: Collection[str], found: Collection[str]) -> list[str]:
    return sorted(text for text in ids if text not in found and uuid_of(text) not in found)
