"""The primary of three steps down, is killed, frozen and cut off while clients report: 503 for a while, and no loss.

For `make soak` alone (conftest.py): three members take as long to begin as other proofs take in all.
"""

from collections.abc import Callable
from pathlib import Path

from pymongo import MongoClient

from tests.patient_client import Crowd
from tests.proof.conftest import Size
from tests.proof.stored import compare, starts_recorded, too_low
from tests.proof.test_no_loss import at_work
from tests.replica_set import replica_set
from tests.servers import Web, manage, until

CLIENTS = 6


def test_no_acknowledged_event_is_lost_or_doubled_when_another_member_becomes_the_primary(
    tmp_path: Path, size: Size, say: Callable[[str], None]
) -> None:
    with replica_set(tmp_path / "set") as members:
        manage("migrate", "--verbosity=0", mongodb_url=members.url, folder=tmp_path)
        web = Web(members.url, tmp_path, workers=3, SESSION_CREATION_PER_MINUTE="100000")
        crowd = Crowd(web.url, CLIENTS)
        database = MongoClient(members.url)["proctoring"]
        try:
            with crowd:
                for _ in range(size.minutes):
                    for trouble in (
                        members.step_down,
                        members.kill_primary,
                        members.freeze_primary,
                        members.isolate_primary,
                        members.kill_majority,
                    ):
                        at_work(crowd)
                        trouble()
                        until(members.is_whole)
                at_work(crowd)
            low = too_low(database)
            manage("close_stale_sessions", mongodb_url=members.url, folder=tmp_path)
            until(lambda: not too_low(database))
            crowd.end_all()
            ledger, found = crowd.ledger, compare(database, crowd.ledger)
            started = [sorted(database["sessions"].distinct("_id")), starts_recorded(database)]
        finally:
            crowd.close()
            web.stop()
            database.client.close()
    say(
        f"changes of the primary: {size.minutes} times by each of five troubles; {ledger.requests} requests, of which "
        f"{ledger.failed()} failed ({dict(ledger.failures)}); {found.acknowledged} events acknowledged, "
        f"{found.stored} stored, {found.lost} lost, {found.doubled} doubled; sessions whose counts were too low: {low}"
    )
    assert ledger.failures.keys() == {"503"}
    assert ledger.dropped == []
    assert found.faults == {}
    assert found.acknowledged == found.stored == len(ledger.sent)
    assert started == [sorted([*crowd.session_ids, *crowd.left_alone])] * 2
