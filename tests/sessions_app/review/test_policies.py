"""Policies: made and never changed, one in force, noticed by everybody; and SCORE_WEIGHTS, honoured as before."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.db import connections

from proctoring_site.audit.models import AuditRecord
from sessions_app import policy as in_force
from sessions_app import services as sessions
from sessions_app.models import Session
from sessions_app.review import policies, scores
from sessions_app.review.errors import BadPolicy, NoSuchPolicy, PolicyChanged
from sessions_app.review.models import PolicyVersion
from sessions_app.scoring import DEFAULT_WEIGHTS
from tests import trips
from tests.factories import make_event, make_staff
from tests.sessions_app.review.sittings import ended

pytestmark = pytest.mark.usefixtures("database")

MILD = policies.Draft(
    weights={"phone_detected": 5, "looking_away": 0}, caps={"phone_detected": 8}, note="Phones are ok"
)


@pytest.fixture
def root():
    return make_staff(username="root", is_superuser=True)


def test_the_shipped_policy_is_version_1_and_needs_no_row():
    policy = policies.in_use()
    assert (policy.version, dict(policy.weights), policy.counts) == (1, dict(DEFAULT_WEIGHTS), "events")
    assert ended(0).policy_version == 1
    assert not PolicyVersion.objects.exists()


class TestAVersion:
    def test_is_made_of_a_draft_and_is_the_next_number(self, root):
        first, second = policies.create(MILD, by=root), policies.create(replace(MILD, gap_s=5), by=root)
        assert (first.version, second.version) == (2, 3)
        assert policies.draft_of(first) == replace(MILD, note="")
        assert [(n, policy.gap_s) for n, policy, _ in policies.versions()] == [(3, 5.0), (2, 30.0), (1, 30.0)]
        assert sessions.active_policy().version == 1

    def test_says_the_same_when_it_is_read_again(self, root):
        made = policies.create(MILD, by=root)
        in_force.forget()
        assert in_force.policy_of(made.version) == made

    def test_may_weigh_types_of_any_name(self, root):
        weights = {"a.b": 1, "$where": 2, "телефон": 3, "%other": 4}
        made = policies.create(policies.Draft(weights=weights, caps={"$where": 1}), by=root)
        in_force.forget()
        assert dict(in_force.policy_of(made.version).weights) == weights

    def test_of_many_who_make_one_at_once_each_gets_a_number(self, request):
        request.getfixturevalue("committed_database")
        account = make_staff(username="many")

        def make(n):
            try:
                return policies.create(replace(MILD, gap_s=n), by=account).version
            finally:
                connections.close_all()

        with ThreadPoolExecutor(6) as pool:
            assert sorted(pool.map(make, range(6))) == [2, 3, 4, 5, 6, 7]

    @pytest.mark.parametrize(
        ("fields", "what"),
        [
            ({"weights": {}}, "1 to 100"),
            ({"weights": {f"t{n}": 1 for n in range(101)}}, "1 to 100"),
            ({"weights": {"": 1}}, "1 to 64"),
            ({"weights": {" x": 1}}, "blank"),
            ({"weights": {"x" * 65: 1}}, "1 to 64"),
            ({"weights": {"x\0": 1}}, "1 to 64"),
            ({"weights": {"x": -1}}, "x: "),
            ({"weights": {"x": 101}}, "x: "),
            ({"weights": {"x": True}}, "x: "),
            ({"weights": {"x": 1.5}}, "x: "),
            ({"caps": {"no_face": 3}}, "no weight for no_face"),
            ({"caps": {"phone_detected": 101}}, "phone_detected"),
            ({"counts": "hours"}, "events or incidents"),
            ({"low_from": 50, "medium_from": 50}, "bands"),
            ({"low_from": 101}, "bands"),
            ({"medium_from": 0}, "bands"),
            ({"gap_s": float("nan")}, "gap"),
            ({"gap_s": -1.0}, "gap"),
            ({"min_duration_s": float("inf")}, "duration"),
            ({"coverage_min": 1.01}, "coverage"),
            ({"second_review_above": 101}, "second"),
            ({"clean_from": -1}, "clean"),
        ],
    )
    def test_that_makes_no_sense_is_refused(self, root, fields, what):
        with pytest.raises(BadPolicy, match=what):
            policies.create(replace(MILD, **fields), by=root)
        assert not PolicyVersion.objects.exists()


class TestActivating:
    def test_holds_for_what_is_scored_from_then_on(self, root):
        before = ended(0)
        mild = policies.create(MILD, by=root)
        policies.activate(mild.version, by=root, instead_of=None)
        after = ended(0)
        before.refresh_from_db()
        assert [(s.policy_version, s.reviewed_score) for s in (before, after)] == [(1, 85), (2, 95)]
        assert sessions.standing_of(before).machine.integrity_score == 85
        assert AuditRecord.objects.filter(object_kind="policy", object_id="2").count() == 1

    def test_who_held_another_for_active_is_refused(self, root):
        first, second = policies.create(MILD, by=root), policies.create(MILD, by=root)
        policies.activate(first.version, by=root, instead_of=None)
        with pytest.raises(PolicyChanged):
            policies.activate(second.version, by=root, instead_of=1)
        assert policies.activate(second.version, by=root, instead_of=2).version == policies.active_version() == 3
        assert policies.activate(1, by=root, instead_of=3).version == 1

    def test_one_that_is_not_there_is_refused(self, root):
        with pytest.raises(NoSuchPolicy):
            policies.activate(99, by=root, instead_of=None)

    def test_another_process_notices_and_events_ask_for_it_once(self, root):
        mild = policies.create(MILD, by=root)
        policies.activate(mild.version, by=root, instead_of=None)
        in_force.forget()  # as in a process that has not asked yet
        with trips.exactly("aggregate active_policy", "aggregate policies"):
            for _ in range(3):
                assert sessions.active_policy().version == mild.version


class TestScoreWeights:
    def test_are_on_top_of_the_shipped_ones_and_are_a_version_once_they_are_used(self, settings):
        settings.SCORE_WEIGHTS = {"phone_detected": 1}
        assert (ended(0).reviewed_score, ended(0).policy_version, PolicyVersion.objects.count()) == (99, 2, 1)
        settings.SCORE_WEIGHTS = {"phone_detected": 2}
        assert (ended(0).reviewed_score, ended(0).policy_version) == (98, 3)
        settings.SCORE_WEIGHTS = {"phone_detected": 1}
        assert ended(0).policy_version == 2

    def test_may_be_what_no_person_could_activate(self, settings):
        settings.SCORE_WEIGHTS = {"phone_detected": 1000, **{f"type {n}": 1 for n in range(100)}}
        assert ended(0).reviewed_score == 0

    def test_leave_alone_what_was_scored_before(self, settings):
        session = ended(0)
        settings.SCORE_WEIGHTS = {"phone_detected": 1}
        assert sessions.score(session).integrity_score == 85
        scores.score_closed([session.pk])
        session.refresh_from_db()
        assert (session.policy_version, session.reviewed_score) == (1, 85)

    def test_count_for_running_sessions_at_once(self, settings):
        session = Session.objects.get(pk=make_event(event_type="phone_detected").session_id)
        settings.SCORE_WEIGHTS = {"phone_detected": 1}
        assert sessions.score(session).integrity_score == 99

    def test_count_no_more_once_somebody_activated_a_version(self, root, settings):
        settings.SCORE_WEIGHTS = {"phone_detected": 1}
        policies.activate(policies.create(MILD, by=root).version, by=root, instead_of=None)
        assert ended(0).reviewed_score == 95
