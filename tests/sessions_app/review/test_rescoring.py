"""Another policy over the sessions that are closed: what it would do, doing it, and being killed while doing it."""

import os
import signal
import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from proctoring_site.jobs import queue
from proctoring_site.jobs.models import Job
from proctoring_site.launch.child_process import start_tied
from sessions_app import services as sessions
from sessions_app.models import Session
from sessions_app.review import policies, rescoring, scores, services
from sessions_app.review.errors import NoSuchPolicy
from sessions_app.review.models import PolicyRun, ReviewEntry, RunKind
from sessions_app.review.states import Outcome
from sessions_app.scoring import DEFAULT_WEIGHTS
from tests.factories import NOON, make_session, make_staff, naive
from tests.servers import REPOSITORY, until
from tests.sessions_app.review.sittings import END, dismiss, ended

STRICT = policies.Draft(weights={"looking_away": 9, "phone_detected": 30}, caps={"looking_away": 45})
SHIPPED = policies.draft_of(policies.policy_of(1))


@pytest.fixture
def strict(request):
    """A version that is not in force."""
    return policies.create(STRICT, by=make_staff(username="root", is_superuser=True)).version


@pytest.fixture
def make_small_batches(monkeypatch):
    monkeypatch.setattr(rescoring, "BATCH", 3)


def run_of(kind, version, run_jobs):
    run = rescoring.start(kind, version, by="root")
    run_jobs()
    run.refresh_from_db()
    assert run.is_finished
    return run


@pytest.mark.usefixtures("database", "make_small_batches")
class TestAPreview:
    def test_says_which_sessions_would_change_band_and_changes_nothing(self, strict, run_jobs):
        calm, glances = ended(), [ended(*range(n), event_type="looking_away") for n in range(1, 8)]
        make_session()
        run = run_of(RunKind.PREVIEW, strict, run_jobs)
        assert (run.total, run.done, run.changed_scores, run.changed_bands) == (8, 8, 7, 5)
        assert run.moves == {"low>medium": 5}
        assert {e["session_id"] for e in run.examples} == {s.pk for s in glances[2:]}
        assert run.examples[0].keys() == {"session_id", "from_band", "to_band", "from_score", "to_score"}
        assert {s.policy_version for s in Session.objects.in_queue()} == {1}
        assert not ReviewEntry.objects.exists()
        assert calm.reviewed_score == 100

    def test_names_no_session_that_was_deleted_since(self, strict, run_jobs):
        there, deleted = (ended(*range(5), event_type="looking_away") for _ in range(2))
        run = run_of(RunKind.PREVIEW, strict, run_jobs)
        assert len(run.examples) == 2
        sessions.delete_session(deleted)
        run.refresh_from_db()
        assert [example["session_id"] for example in run.examples] == [there.pk]

    def test_goes_by_what_people_said(self, strict, run_jobs):
        session = dismiss(ended(0), by=make_staff("Reviewer"))
        assert run_of(RunKind.PREVIEW, strict, run_jobs).changed_bands == 0
        assert session.reviewed_score == 100

    def test_counts_a_batch_once_though_two_workers_did_it(self, strict):
        for _ in range(5):
            ended(0)
        run = rescoring.begin(RunKind.PREVIEW, strict, by="root")
        for _ in range(2):
            rescoring.step(run.pk, "")
        run.refresh_from_db()
        assert run.done == 3

    def test_of_a_version_that_is_not_there_is_refused(self):
        with pytest.raises(NoSuchPolicy):
            rescoring.start(RunKind.PREVIEW, 99, by="root")


@pytest.mark.usefixtures("database", "make_small_batches")
class TestARescore:
    def test_does_what_the_preview_said_and_keeps_the_old_scores(self, strict, run_jobs):
        sessions = [ended(*range(n), event_type="looking_away") for n in range(8)]
        preview = run_of(RunKind.PREVIEW, strict, run_jobs)
        run = run_of(RunKind.RESCORE, strict, run_jobs)
        for name in ("total", "done", "changed_scores", "changed_bands", "moves"):
            assert getattr(run, name) == getattr(preview, name)
        assert {e["session_id"] for e in run.examples} == {e["session_id"] for e in preview.examples}
        for n, session in enumerate(sessions):
            session.refresh_from_db()
            assert (session.policy_version, session.reviewed_score) == (strict, 100 - min(9 * n, 45))
            (entry,) = services.history_of(session)
            assert (entry.before["reviewed_score"], entry.before["policy_version"]) == (100 - n, 1)
            assert (entry.after["reviewed_score"], entry.actor_name) == (session.reviewed_score, "root")

    def test_never_touches_what_people_decided(self, strict, run_jobs):
        ada = make_staff("Reviewer", username="ada")
        session = dismiss(ended(0, 100), by=ada)
        services.decide(session, Outcome.PASSED, by=ada, seen=1)
        before = {n: getattr(session, n) for n in ("outcome", "outcome_by", "reviewed_at", "review_revision")}
        run_of(RunKind.RESCORE, strict, run_jobs)
        session.refresh_from_db()
        assert {name: getattr(session, name) for name in before} == before
        assert (session.machine_score, session.reviewed_score, session.queue_rank) == (40, 70, 21)
        assert services.review_of(session).incidents[0].state == "dismissed"
        assert [e.action for e in services.history_of(session)][-1] == "scored"

    def test_twice_changes_nothing(self, strict, run_jobs):
        ended(0)
        run_of(RunKind.RESCORE, strict, run_jobs)
        again = run_of(RunKind.RESCORE, strict, run_jobs)
        assert (again.total, again.done, ReviewEntry.objects.count()) == (0, 0, 1)

    def test_that_runs_already_is_not_begun_again(self, strict):
        ended(0)
        assert rescoring.start(RunKind.RESCORE, strict, by="a") == rescoring.start(RunKind.RESCORE, strict, by="b")
        assert Job.objects.filter(task="policy_run").count() == 1

    def test_ends_those_of_other_policies_for_good(self, strict):
        for _ in range(5):
            ended(0)
        old = rescoring.begin(RunKind.RESCORE, strict, by="root")
        cursor = rescoring.step(old.pk, "")
        new = rescoring.go_on(rescoring.begin(RunKind.RESCORE, 1, by="root"))
        assert (new.total, new.done) == (3, 3)
        rescoring.run_batch("again, by an Operator", run_id=old.pk, after=cursor, number=1)
        rescoring.run_batch("again, by an Operator", run_id=old.pk, after="", number=0)
        old.refresh_from_db()
        assert (old.is_finished, old.is_superseded, old.done) == (True, True, 3)
        assert {s.policy_version for s in Session.objects.in_queue()} == {1}
        assert not Job.objects.exists()

    def test_ends_those_though_whoever_began_it_was_killed_right_then(self, strict):
        ended(0)
        old = rescoring.begin(RunKind.RESCORE, strict, by="root")
        rescoring.begin(RunKind.RESCORE, 1, by="root")
        PolicyRun.objects.filter(pk=old.pk).update(finished_at=None, is_superseded=False)
        assert rescoring.step(old.pk, "") is None
        old.refresh_from_db()
        assert old.is_superseded
        assert Session.objects.get().policy_version == 1

    def test_that_looked_before_a_newer_one_was_through_undoes_nothing_of_it(self, strict, monkeypatch):
        session, facts_of = ended(0), rescoring.facts_of
        old = rescoring.begin(RunKind.RESCORE, strict, by="root")
        newest = policies.create(replace(STRICT, note="newer"), by=make_staff()).version

        def quicker(ids):
            monkeypatch.setattr(rescoring, "facts_of", facts_of)
            rescoring.go_on(rescoring.begin(RunKind.RESCORE, newest, by="root"))
            return facts_of(ids)

        monkeypatch.setattr(rescoring, "facts_of", quicker)
        assert rescoring.step(old.pk, "") is None
        session.refresh_from_db()
        assert session.policy_version == newest
        assert [entry.after["policy_version"] for entry in services.history_of(session)] == [newest]

    def test_leaves_nothing_of_a_session_that_is_deleted_meanwhile(self, strict, monkeypatch):
        gone, other, entries_of = ended(0), ended(0), rescoring._entries

        def delete_meanwhile(run, scored):
            sessions.delete_session(gone)
            return entries_of(run, scored)

        monkeypatch.setattr(rescoring, "_entries", delete_meanwhile)
        rescoring.go_on(rescoring.begin(RunKind.RESCORE, strict, by="root"))
        assert list(ReviewEntry.objects.values_list("session_id", flat=True)) == [other.pk]

    def test_that_was_superseded_can_be_begun_again(self, strict):
        ended(0)
        old = rescoring.begin(RunKind.RESCORE, strict, by="root")
        rescoring.begin(RunKind.RESCORE, 1, by="root")
        again = rescoring.go_on(rescoring.begin(RunKind.RESCORE, strict, by="root"))
        assert (again == old, again.is_superseded, again.done) == (False, False, 1)
        assert Session.objects.get().policy_version == strict

    def test_done_again_keeps_the_first_old_score(self, strict):
        session = ended(0)
        run = rescoring.begin(RunKind.RESCORE, strict, by="root")
        rescoring.step(run.pk, "")
        Session.objects.filter(pk=session.pk).update(policy_version=1, reviewed_score=1)
        rescoring.step(run.pk, "")
        (entry,) = services.history_of(session)
        assert (entry.before["reviewed_score"], entry.after["reviewed_score"]) == (85, 70)

    def test_takes_in_what_is_closed_meanwhile(self, strict):
        ended(0)
        run = rescoring.begin(RunKind.RESCORE, strict, by="root")
        cursor = rescoring.step(run.pk, "")
        scores.score_closed([make_session(id="00000000-0000-4000-8000-000000000000", end_time=END).pk])
        assert rescoring.step(run.pk, cursor) == ""
        run = rescoring.go_on(PolicyRun.objects.get(pk=run.pk))
        assert (run.done, {s.policy_version for s in Session.objects.in_queue()}) == (2, {strict})


@pytest.mark.usefixtures("database")
class TestTheCommand:
    def run(self, *arguments):
        said = StringIO()
        call_command("rescore", *arguments, stdout=said)
        return said.getvalue().splitlines()

    def test_does_it_here_and_says_what_changed(self, strict):
        ended(0), ended()
        policy = f"--policy={strict}"
        expected = f"Policy {strict}: 2 sessions, 1 would change their score, 1 their band."
        assert self.run(policy, "--dry-run") == ["low to medium: 1", expected]
        assert {s.policy_version for s in Session.objects.in_queue()} == {1}
        assert self.run(policy)[-1] == expected.replace("would change", "changed")
        none = f"Policy {strict}: 0 sessions need it, 2 are already scored by it."
        assert self.run(policy) == self.run(policy, "--dry-run") == [none]
        assert self.run()[-1] == "Policy 1: 2 sessions, 1 changed their score, 1 their band."

    def test_says_when_another_took_its_place(self, strict, monkeypatch):
        ended(0), ended(0)
        batch = rescoring._rescore_batch

        def and_meanwhile(*arguments):
            done = batch(*arguments)
            rescoring.begin(RunKind.RESCORE, 1, by="somebody else")
            return done

        monkeypatch.setattr(rescoring, "BATCH", 1)
        monkeypatch.setattr(rescoring, "_rescore_batch", and_meanwhile)
        with pytest.raises(CommandError, match="newer rescore replaced this one, after 1 session"):
            self.run(f"--policy={strict}")

    def test_refuses_a_version_that_is_not_there(self):
        with pytest.raises(CommandError, match="no policy 99"):
            self.run("--policy=99")


# --- Killed in the middle, by real processes. The sums are taken from the events by other code than ours.

COUNT, EVENTS = 1500, 6
TYPES = (*DEFAULT_WEIGHTS, "tab_hidden")


def fill():
    """Closed sessions and their events as documents, each session with another mixture."""
    sessions, events = [], []
    for n in range(COUNT):
        pk = f"{n * 7919 % 10007:08d}-0000-4000-8000-000000000000"
        sessions.append({"_id": pk, "candidate_name": "x", "start_time": naive(NOON), "end_time": naive(END)})
        for i in range(n % EVENTS):
            at = naive(NOON + timedelta(seconds=40 * i))
            events.append({"_id": f"{pk}/{i}", "session_id": pk, "event_type": TYPES[(n + i * n) % len(TYPES)]})
            events[-1] |= {"timestamp": at, "occurred_at": at}
    connection.database["sessions"].insert_many(sessions)
    connection.database["events"].insert_many(events)


def sums(draft):
    """Session id → the score, by MongoDB's own arithmetic."""
    weights, caps = dict(draft.weights), dict(draft.caps)
    counted = connection.database["events"].aggregate(
        [{"$group": {"_id": {"s": "$session_id", "t": "$event_type"}, "n": {"$sum": 1}}}]
    )
    off = Counter()
    for row in counted:
        event_type = row["_id"]["t"]
        points = weights.get(event_type, 0) * row["n"]
        off[row["_id"]["s"]] += min(points, caps.get(event_type, points))
    return {row["_id"]: max(0, 100 - off[row["_id"]]) for row in connection.database["sessions"].find({}, {"_id": 1})}


def band(score):
    return "low" if score >= 80 else "medium" if score >= 50 else "high"


@pytest.fixture
def start_worker(committed_database, tmp_path):
    """A process that does what waits; the same database, and leases that run out soon."""
    started = []
    log = (tmp_path / "log").open("wb")
    environment = {**os.environ, "MONGODB_DATABASE": connection.settings_dict["NAME"], "JOB_LEASE_S": "1"}

    def start():
        command = [sys.executable, str(REPOSITORY / "manage.py"), "run_jobs"]
        started.append(start_tied(command, stdout=log, stderr=log, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
    log.close()


def test_a_rescore_whose_worker_is_killed_is_finished_by_another_with_exact_sums(start_worker):
    fill()
    scores.score_closed([row["_id"] for row in connection.database["sessions"].find({}, {"_id": 1})])
    strict = policies.create(replace(STRICT, weights={**STRICT.weights, "no_face": 20}), by=make_staff()).version
    run = rescoring.start(RunKind.RESCORE, strict, by="root")
    done = Session.objects.filter(policy_version=strict)
    first = start_worker()
    until(done.exists)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert 0 < done.count() < COUNT, "it was killed in the middle"
    until(queue.due)
    second = start_worker()
    assert second.wait(timeout=60) == 0

    run.refresh_from_db()
    before, after = sums(SHIPPED), sums(policies.draft_of(policies.policy_of(strict)))
    stored = {s.pk: (s.policy_version, s.machine_score, s.reviewed_score, s.reviewed_band) for s in done}
    assert stored == {pk: (strict, score, score, band(score)) for pk, score in after.items()}
    moved = Counter(f"{band(before[pk])}>{band(after[pk])}" for pk in after if band(before[pk]) != band(after[pk]))
    assert run.is_finished
    assert (run.total, run.done, run.moves, run.changed_bands) == (COUNT, COUNT, dict(moved), sum(moved.values()))
    assert run.changed_scores == sum(before[pk] != after[pk] for pk in after)
    kept = {e.session_id: e.before["reviewed_score"] for e in ReviewEntry.objects.filter(run_id=run.pk)}
    assert kept == before
    assert ReviewEntry.objects.count() == COUNT
