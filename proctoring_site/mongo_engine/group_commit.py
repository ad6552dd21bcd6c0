"""Group commit: events that wait at the same time go to the database together, in one commit.

What it buys: a majority commit costs the server and the disk the same for one event and for fifty. Whoever arrives
while a commit is under way waits, and the next leader takes along all who wait, and those who are about to; without
company an event goes at once, for there is no timer. One leader at a time: two make smaller groups
(docs/decisions/2026-11-26-one-leader.md).

An answer means: committed to a majority and journaled. Per event, not per group: a duplicate, an unknown session or a
document that the server refuses fails nobody else.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

#: For one who may wait behind a leader and then lead, all in all. What is short takes milliseconds; a server that is
#: frozen gives it to nobody later either, and who waits for a leader's long patience should not begin with their own.
PATIENCE_S = 3
#: Documents in one commit. More would hold up the first ones for the last ones.
GROUP_MAX = 1000

Document = dict[str, Any]
#: What became of a document: as it is stored now, and whether this call created it; or why it is not there.
Outcome = tuple[Document, bool] | Exception
Commit = Callable[[Sequence[Document]], Sequence[Outcome]]


def _held_lock() -> Any:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(slots=True, eq=False)
class Ticket:
    documents: Sequence[Document]
    outcomes: Sequence[Outcome] | None = None
    error: BaseException | None = None
    #: Somebody sleeps until it is settled or gets the lead.
    is_waited_for: bool = False
    leads: bool = False
    #: Released once: when it is settled, or has got the lead. A threading.Event costs ten times as much.
    asleep: Any = field(default_factory=_held_lock)

    @property
    def is_settled(self) -> bool:
        return self.outcomes is not None or self.error is not None


class GroupCommit:
    """Runs `commit` for everybody's documents, one group after the other; each caller gets its own outcomes."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._lock = threading.Lock()
        self._waiting: deque[Ticket] = deque()
        self._is_led = False

    def submit(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        """One outcome per document, in their order. Raises what the commit of the whole group raised."""
        return self.finish(self.begin(documents))

    def begin(self, documents: Sequence[Document]) -> Ticket:
        """Queue them, for who has something else to do before `finish`: whoever leads next takes them along, also when
        nobody asks for them any more."""
        ticket = Ticket(documents)
        with self._lock:
            self._waiting.append(ticket)
        return ticket

    def finish(self, ticket: Ticket) -> Sequence[Outcome]:
        """As `submit`."""
        with self._lock:
            is_settled, is_led = ticket.is_settled, self._is_led
            if not is_settled:
                ticket.is_waited_for = self._is_led = True
                ticket.leads = not is_led
        if is_led and not is_settled:
            ticket.asleep.acquire()
        if ticket.leads and not ticket.is_settled:
            self._lead(ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.outcomes

    def _lead(self, own: Ticket) -> None:
        """Commit oneself and those who wait; then pass the lead on."""
        self._let_others_join()
        group = self._take(own)
        try:
            self._settle(group)
        finally:
            self._pass_on()
            for ticket in group:
                if ticket is not own:
                    ticket.asleep.release()

    def _settle(self, group: Sequence[Ticket]) -> None:
        documents = [document for ticket in group for document in ticket.documents]
        try:
            outcomes = self._commit(documents) if documents else ()
        except Exception as error:
            for ticket in group:
                ticket.error = error
            return
        except BaseException:  # this thread is ended; the others' fate is not known
            for ticket in group:
                ticket.error = InterruptedError("The commit was cut off.")
            raise
        at = 0
        for ticket in group:
            ticket.outcomes = outcomes[at : at + len(ticket.documents)]
            at += len(ticket.documents)

    def _let_others_join(self) -> None:
        """As long as more of them come: threads that wait for Python's lock are about to wait here. It costs the others
        nothing, for they would run meanwhile, and who is alone a microsecond (docs/performance.md has the worth)."""
        seen = 0
        while len(self._waiting) > seen:
            seen = len(self._waiting)
            time.sleep(0)

    def _take(self, own: Ticket) -> list[Ticket]:
        group, size = [own], len(own.documents)
        with self._lock:
            self._waiting.remove(own)
            while self._waiting and size + len(self._waiting[0].documents) <= GROUP_MAX:
                group.append(self._waiting.popleft())
                size += len(group[-1].documents)
        return group

    def _pass_on(self) -> None:
        """To the first who waits; one that has only begun takes the lead when it wants to finish, if nobody has it."""
        with self._lock:
            heir = next((ticket for ticket in self._waiting if ticket.is_waited_for), None)
            self._is_led = heir is not None
            if heir:
                heir.leads = True
                heir.asleep.release()
