"""What the live board shows of the sessions that run: facts of stored documents, and the order in which to look.

Documents and no models: a board of 500 sessions is asked for every few seconds by everybody who watches.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime, timedelta
from itertools import chain
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.contrib.admin.utils import quote

from proctoring_site.mongo_engine.instants import instant_of
from sessions_app import acts, counters
from sessions_app.coverage import SIGNALS, missing_after
from sessions_app.scoring import FULL_SCORE, Deduction, Policy, integrity_score
from sessions_app.states import ALLOWED, OPEN, State, state_of

#: The newest are shown; for more, there is the list.
SESSIONS_MAX = 500
FIELDS = ("candidate_name", "start_time", "status", "heartbeat", "last_seen_at", "event_counts", "commands")
FIELDS += ("review_revision",)
#: So many clients that fall silent at the same time, and more than half of all, tell of the server or the network.
TOGETHER_MIN = 5
#: Of what was asked of a client, the latest; all of it is on the session's page.
ASKED_MAX = 3
HERE, MISSING, SILENT = "here", "missing", "silent"
WEIGHED, OFF = "weighed", "off"
_FIRST = (MISSING, OFF, SILENT)
#: Of what was recorded something is missing, also once the recording goes on.
RECORDING_EVENTS = ("recording_stopped", "recording_lost")
#: What is counted and can be shown alone, as people say it.
KINDS = {
    **{state.value: state.value for state in OPEN},
    WEIGHED: "with points",
    MISSING: MISSING,
    OFF: "with a problem",
    SILENT: SILENT,
}
#: verb → the state that it leads to; None: it stays where it is. A sitting is ended on its own page.
VERBS: Mapping[str, State | None] = {verb: to for verb, (to, *_) in acts.ACTS.items() if verb != "end"}


def board_of(
    documents: Sequence[Mapping[str, Any]],
    *,
    policy: Policy,
    at: datetime,
    allowed: Mapping[str, Set[str]] = MappingProxyType({}),
) -> dict[str, Any]:
    """The board as JSON knows it. Who has points off stands first, most points first, and among those with all 100 off
    whose events weigh most; then who is missing, then whose camera or recording is off, then who is silent; then the
    newest. It holds nothing that changes while nothing happens, such as the time.

    `allowed`: exempt event types by session.
    """
    shown = [
        _row(document, policy=policy, allowed=allowed.get(document["_id"], frozenset()), at=at)
        for document in documents[:SESSIONS_MAX]
    ]
    shown.sort(key=lambda row: (-row["points"], -row["weighed"], _rank(row)))  # stable: newest came first
    is_cut = len(documents) > SESSIONS_MAX
    return {"sessions": shown, "counts": _counts(shown), "is_cut": is_cut, "together": fell_silent_together(shown)}


def verbs_by_state() -> dict[str, list[str]]:
    """What may be asked of a session in each of the states that the board shows."""
    return {state: [verb for verb, to in VERBS.items() if to is None or to in ALLOWED[state]] for state in OPEN}


def _row(document: Mapping[str, Any], *, policy: Policy, allowed: Set[str], at: datetime) -> dict[str, Any]:
    counts = counters.by_type(document.get("event_counts"))
    score = integrity_score({name: n for name, n in counts.items() if name not in allowed}, policy=policy)
    presence, since = presence_of(document, at=at)
    beat = document.get("heartbeat")
    signals = {name: beat.get(name) for name in (*SIGNALS, "recording")} if _is_beat(beat) else None
    state = state_of(document.get("status"), is_closed=False).value
    weighed = sum(_weight_of_all(each) for each in score.deductions)
    is_off = False in (signals or {}).values()
    holding = {state: True, WEIGHED: weighed, MISSING: presence == MISSING, OFF: is_off, SILENT: presence == SILENT}
    return {
        "id": str(document["_id"]),
        "name": str(document.get("candidate_name") or ""),
        "key": quote(str(document["_id"])),  # in the address of its page
        "state": state,
        "kinds": [kind for kind, holds in holding.items() if holds],
        "started": instant_of(document.get("start_time")),
        "points": FULL_SCORE - score.integrity_score,
        "weighed": weighed,
        "deductions": [[each.event_type, each.count, each.points] for each in score.deductions],
        "allowed": sorted([name, counts[name]] for name in allowed if counts.get(name)),
        "presence": presence,
        "since": since,
        "signals": signals,
        "recording": [[name, counts[name]] for name in RECORDING_EVENTS if counts.get(name)],
        "asked": [_asked(command) for command in (document.get("commands") or [])[-ASKED_MAX:]],
    }


def _rank(row: Mapping[str, Any]) -> int:
    return next((place for place, kind in enumerate(_FIRST) if kind in row["kinds"]), len(_FIRST))


def _weight_of_all(deduction: Deduction) -> int:
    """What a type weighs, its cap heeded, and with what no points were left to take for."""
    weighed = deduction.count * deduction.weight
    return weighed if deduction.cap is None else min(weighed, deduction.cap)


def presence_of(document: Mapping[str, Any], *, at: datetime) -> tuple[str, datetime | None]:
    """Whether the client is there, and since when not. *Missing*: it sent heartbeats and stopped. *Silent*: it never
    sent one, and nothing else has come for as long; which may be an ordinary client with nothing to report."""
    beat = document.get("heartbeat")
    if _is_beat(beat):
        seen, absent = instant_of(beat.get("last_at")), MISSING
    else:
        seen, absent = instant_of(document.get("last_seen_at")) or instant_of(document.get("start_time")), SILENT
    if seen is not None and at - seen <= missing_after():
        return HERE, None
    return absent, seen


def fell_silent_together(rows: Iterable[Mapping[str, Any]]) -> int:
    """How many clients were last heard of within two beats of each other and are missing since; 0 where those are few
    or not most of the clients: then each has reasons of its own."""
    beating = [row for row in rows if row["signals"] is not None]
    since = sorted(row["since"] for row in beating if row["presence"] == MISSING and row["since"])
    within = 2 * timedelta(seconds=settings.HEARTBEAT_EVERY_S)
    most = max((bisect_right(since, first + within) - n for n, first in enumerate(since)), default=0)
    return most if most >= TOGETHER_MIN and most * 2 > len(beating) else 0


def _is_beat(beat: object) -> bool:
    return isinstance(beat, Mapping)


def _asked(command: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "action": command.get("action"),
        "by": command.get("asked_by"),
        "at": instant_of(command.get("asked_at")),
        "confirmed": instant_of(command.get("confirmed_at")),
    }


def _counts(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    counts = dict.fromkeys(KINDS, 0)
    for kind in chain.from_iterable(row["kinds"] for row in rows):
        counts[kind] += 1
    return counts
