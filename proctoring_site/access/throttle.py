"""How many calls an address may make in a minute, counted in the database: for all workers together.

Calls that are counted at the same moment share one trip (docs/performance.md) and still have each its own place.
"""

import ipaddress
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count as count_from

from django.db import connection
from pymongo import ReturnDocument
from pymongo.write_concern import WriteConcern
from rest_framework.exceptions import Throttled

from proctoring_site.mongo_engine.group_commit import GroupCommit

WINDOW_S = 60
COLLECTION = "throttle"
#: One subscriber has at least this much of IPv6 (RFC 6177), so it counts as one address.
IPV6_PREFIX = 64
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
    if _counters[hash(key) % len(_counters)].submit([(key, ends)])[0] > per_minute:
        raise Throttled(wait=ends - now)


def _count(calls: Sequence[tuple[str, int]]) -> list[int]:
    """Each call's place in its window, in the order of the calls."""
    counters = connection.get_collection(COLLECTION).with_options(write_concern=UNSAFE_AND_QUICK)
    next_places = {}
    for (key, ends), n in Counter(calls).items():
        counter = counters.find_one_and_update(
            {"_id": key},
            {"$inc": {"calls": n}, "$setOnInsert": {"until": datetime.fromtimestamp(ends, UTC)}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        next_places[key] = count_from(counter["calls"] - n + 1)
    return [next(next_places[key]) for key, _ in calls]


#: Calls of one address go through one of these and are counted together; those of others seldom wait for them.
_counters = [GroupCommit(_count) for _ in range(32)]


def network_of(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    ip = getattr(ip, "ipv4_mapped", None) or ip  # as a server that listens on `::` names its IPv4 clients
    return str(ipaddress.ip_network((ip, IPV6_PREFIX), strict=False)) if ip.version == 6 else str(ip)
