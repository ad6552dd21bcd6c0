"""kill -9 of mongod and of the server's workers while clients report: every acknowledged event is there, once."""

from collections.abc import Callable

from pymongo.database import Database

from tests.patient_client import Crowd
from tests.proof.conftest import Size
from tests.proof.stored import compare, starts_recorded, too_low
from tests.servers import Mongod, Web, manage, until

CLIENTS = 6
#: Answered events between two kills: the clients are at work again, with counts and duplicates of their own.
BETWEEN_KILLS = 200


def test_no_acknowledged_event_is_lost_or_doubled_when_the_database_and_the_workers_are_killed(
    mongod: Mongod, web: Web, stored: Database, size: Size, say: Callable[[str], None]
) -> None:
    crowd = Crowd(web.url, CLIENTS)
    hit = 0
    try:
        with crowd:
            for _ in range(size.kills):
                at_work(crowd)
                hit += failed_by(crowd, mongod.kill)
                mongod.start()
                mongod.until_writable()
            for _ in range(size.kills // 3):
                at_work(crowd)
                killed = web.worker_pids
                hit += failed_by(crowd, web.kill_workers)
                web.bring_back(killed)
            at_work(crowd)
        low = too_low(stored)
        if low:  # in about every third run
            manage("close_stale_sessions", mongodb_url=mongod.url, folder=mongod.folder)
            until(lambda: not too_low(stored))
        crowd.end_all()
    finally:
        crowd.close()
    ledger, found = crowd.ledger, compare(stored, crowd.ledger)
    say(
        f"kills: {size.kills} of mongod, {size.kills // 3} of both workers; {ledger.requests} requests, of which "
        f"{ledger.failed()} failed ({dict(ledger.failures)}); {len(ledger.sent)} events sent, "
        f"{found.acknowledged} acknowledged, {found.stored} stored, {found.lost} lost, {found.doubled} doubled; "
        f"{len(crowd.left_alone)} starts meanwhile, some of them sent twice at once; "
        f"sessions whose counts were too low, and were mended before their end: {low}"
    )
    assert hit >= size.kills + size.kills // 3, "nothing was under way when something was killed"
    assert ledger.dropped == []
    assert found.faults == {}
    assert found.acknowledged == found.stored == len(ledger.sent)
    states = {session["_id"]: session["status"] for session in stored["sessions"].find()}
    assert states == {**dict.fromkeys(crowd.session_ids, "ended"), **dict.fromkeys(crowd.left_alone, "running")}
    assert starts_recorded(stored) == sorted(states)


def at_work(crowd: Crowd) -> None:
    enough = len(crowd.ledger.acknowledged) + BETWEEN_KILLS
    until(lambda: len(crowd.ledger.acknowledged) >= enough)


def failed_by(crowd: Crowd, kill: Callable[[], None]) -> int:
    """Kill, and wait until clients were hit by it; how many failed."""
    before = crowd.ledger.failed()
    kill()
    until(lambda: crowd.ledger.failed() > before)
    return crowd.ledger.failed() - before
