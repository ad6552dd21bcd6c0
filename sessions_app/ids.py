"""Ids of our making: UUIDs as text. A UUIDField stores 32 hex digits and could not read the adopted documents."""

from os import urandom
from time import time_ns
from uuid import UUID

from django.utils.crypto import salted_hmac

_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


def new_id() -> str:
    """As `str(uuid4())`, in a third of the time: 122 random bits, the version and the variant."""
    digits = urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}"


def id_of_start(start_key: str) -> str:
    """The id of the session that this key opens. It looks as any other, and leads to no key: also where somebody chose
    one that can be guessed, the site's own secret is in between."""
    return _by_our_secret("start", start_key, version=4)


def id_of_ours(what: str, of: str) -> str:
    """The id of an event that the server logs: the same for whoever notices it, and known to no client, whose own event
    under it would keep ours off."""
    return _by_our_secret(what, of, version=5)


def _by_our_secret(what: str, of: str, *, version: int) -> str:
    digest = salted_hmac(f"proctoring.{what}", of, algorithm="sha256").digest()
    return str(UUID(bytes=digest[:16], version=version))


def new_event_ids(n: int) -> list[str]:
    """Version 7 (RFC 9562): milliseconds since 1970, their fraction in 12 bits, 62 random bits. Those of one call
    follow each other, each a 4,096th of a millisecond after the one before.

    In the order of their making: the events of a batch stay in its order where their instants are equal, and all new
    ones go to one end of the index of ids, which is a third as large then and no dearer for the millions before them
    (docs/performance.md).
    """
    made, first, random = [], (time_ns() << 12) // 1_000_000, urandom(8 * n).hex()
    for place in range(n):
        at, own = f"{first + place:015x}", random[16 * place : 16 * place + 16]
        made.append(f"{at[:8]}-{at[8:12]}-7{at[12:]}-{_VARIANT[own[0]]}{own[1:4]}-{own[4:]}")
    return made
