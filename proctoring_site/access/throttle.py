"""How many calls an address may make in a minute, counted in the database: for all workers together.

Each call has a place of its own in its minute. Calls that are counted at the same moment share one trip, and of a high
limit a process takes some places ahead, for the calls that come next (docs/performance.md).
"""

import ipaddress
import logging
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import pymongo
from django.db import connection
from pymongo import ReturnDocument
from pymongo.write_concern import WriteConcern
from rest_framework.exceptions import Throttled

from proctoring_site.mongo_engine.group_commit import PATIENCE_S, GroupCommit

logger = logging.getLogger(__name__)

WINDOW_S = 60
#: What is counted, and the setting that an office raises when it is too few for a school behind one address.
SETTINGS = {
    "creation": "SESSION_CREATION_PER_MINUTE",
    "login": "LOGIN_PER_MINUTE",
    "nobody": "ANONYMOUS_PER_MINUTE",
}
COLLECTION = "throttle"
#: One subscriber has at least this much of IPv6 (RFC 6177), so it counts as one address.
IPV6_PREFIX = 64
#: How many places are taken ahead: one in a hundred of the limit. Those that a process has left when the minute ends
#: were given to nobody, so with several processes an address may be stopped so much before its limit, and never after.
AHEAD_SHARE, AHEAD_MAX = 100, 10
AHEAD_KEPT_MAX = 10_000
#: Losing a few counts in a crash harms nobody; waiting for the journal would make every call slower.
UNSAFE_AND_QUICK = WriteConcern(w=1, j=False)


def count(scope: str, address: str, *, per_minute: int) -> None:
    """Count one call. Raises Throttled, with the seconds to wait, from the call after `per_minute` on; 0: never."""
    if not per_minute:
        return
    now = time.time()
    window = int(now // WINDOW_S)
    ends = (window + 1) * WINDOW_S
    key = f"{scope} {network_of(address)} {window}"
    if (_ahead.take(key) or _counted(key, ends, per_minute)) > per_minute:
        _say_once(scope, window, per_minute)
        raise Throttled(wait=ends - now)


#: Of each scope the last minute that the log speaks of: not at each call that is refused, by one address or by several.
_told: dict[str, int] = {}


def _say_once(scope: str, window: int, per_minute: int) -> None:
    if _told.get(scope) != window:
        _told[scope] = window
        name = SETTINGS.get(scope, scope)
        logger.warning("%s=%s is reached by one address, refused until the minute ends", name, per_minute)


def _counted(key: str, ends: int, per_minute: int) -> int:
    places = max(1, min(AHEAD_MAX, per_minute // AHEAD_SHARE))
    with pymongo.timeout(PATIENCE_S):
        (last,) = _counters[hash(key) % len(_counters)].submit([(key, ends, places)])
    _ahead.keep(key, range(last - places + 2, last + 1))
    return last - places + 1


class _Ahead:
    """Places that were taken and not yet given away, by the key of their minute."""

    def __init__(self) -> None:
        self._places: dict[str, list[int]] = {}

    def take(self, key: str) -> int | None:
        try:
            return self._places[key].pop()
        except (KeyError, IndexError):
            return None

    def keep(self, key: str, places: Iterable[int]) -> None:
        if len(self._places) >= AHEAD_KEPT_MAX:  # addresses of minutes that are over, nearly all
            self._places.clear()
        self._places.setdefault(key, []).extend(places)


_ahead = _Ahead()


def _count(calls: Sequence[tuple[str, int, int]]) -> list[int]:
    """The last of each call's places in its window, in the order of the calls."""
    counters = connection.get_collection(COLLECTION).with_options(write_concern=UNSAFE_AND_QUICK)
    wanted: Counter[tuple[str, int]] = Counter()
    for key, ends, places in calls:
        wanted[key, ends] += places
    given = {}
    for (key, ends), n in wanted.items():
        counter = counters.find_one_and_update(
            {"_id": key},
            {"$inc": {"calls": n}, "$setOnInsert": {"until": datetime.fromtimestamp(ends, UTC)}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        given[key] = counter["calls"] - n
    last = []
    for key, _, places in calls:
        given[key] += places
        last.append(given[key])
    return last


#: Calls of one address go through one of these and are counted together; those of others seldom wait for them.
_counters = [GroupCommit(_count) for _ in range(32)]


def network_of(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    ip = getattr(ip, "ipv4_mapped", None) or ip  # as a server that listens on `::` names its IPv4 clients
    return str(ipaddress.ip_network((ip, IPV6_PREFIX), strict=False)) if ip.version == 6 else str(ip)
