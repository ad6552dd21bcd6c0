"""The overview: what it counts, that events cost it nothing, and that its charts say in words what they show."""

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection

from proctoring_site.desk import charts, overview_facts
from proctoring_site.desk.charts import Figure
from proctoring_site.desk.overview import CACHED_AS
from proctoring_site.desk.overview_facts import Detector, facts_at
from sessions_app.models import Session, now
from sessions_app.review.models import JudgedIncident
from sessions_app.review.states import Outcome
from tests.factories import NOON, make_session
from tests.proctoring_site.desk.queued_sessions import scored
from tests.trips import exactly

OVERVIEW = "/admin/sessions_app/session/overview/"
AT = NOON + timedelta(days=2)

pytestmark = pytest.mark.usefixtures("committed_database")


def judged(state, *, event_type="no_face", source="blink 2.1", **overrides):
    fields = {"session_id": "x", "severity": "low", "by": "rita", "at": NOON, "revision": 1, "count": 1}
    sources = [source] if source else []
    return JudgedIncident.objects.create(
        **{**fields, "event_type": event_type, "state": state, "sources": sources, **overrides}
    )


class TestTheFacts:
    def test_count_the_sessions_of_each_day_and_the_days_without(self):
        for days, count in ((0, 2), (2, 1), (29, 1), (40, 5)):
            for _ in range(count):
                make_session(start_time=AT - timedelta(days=days))
        per_day = facts_at(AT).per_day
        assert len(per_day) == overview_facts.DAYS
        assert {day: n for day, n in per_day.items() if n} == {"2026-02-03": 1, "2026-03-02": 1, "2026-03-04": 2}
        assert list(per_day)[-1] == "2026-03-04"

    def test_count_the_bands_of_the_month_and_what_waits_of_all_times(self):
        scored(band="high")
        scored(band="high", start_time=NOON - timedelta(days=90))
        scored(band="low", outcome=Outcome.PASSED)
        scored(band="medium", outcome=Outcome.SECOND_REVIEW_REQUIRED)
        facts = facts_at(AT)
        assert facts.bands == {"low": 1, "medium": 1, "high": 1, "insufficient_data": 0}
        assert facts.undecided == {"low": 0, "medium": 0, "high": 2, "insufficient_data": 0}
        assert facts.second_reviews == 1

    def test_sort_decisions_by_how_long_they_took(self):
        end = NOON + timedelta(hours=1)
        for wait in (timedelta(minutes=5), timedelta(hours=1), timedelta(hours=30), timedelta(days=20)):
            scored(outcome=Outcome.PASSED, end_time=end, reviewed_at=end + wait)
        scored(outcome=Outcome.VIOLATION, end_time=end, reviewed_at=None)
        waits = facts_at(AT).waits
        assert {name: n for name, n in waits.items() if n} == {
            "under 1 hour": 1,
            "1 to 4 hours": 1,
            "1 to 3 days": 1,
            "over 7 days": 1,
        }

    def test_say_which_detector_cries_wolf(self):
        for state in ("dismissed", "dismissed", "dismissed", "confirmed"):
            judged(state)
        for state in ("confirmed",) * 3:
            judged(state, event_type="phone_detected", source="")
        judged("dismissed", source="rare 1")
        for _ in range(3):
            judged("acknowledged", source="undecided 1")
            judged("dismissed", is_manual=True, source="hand 1")
        assert facts_at(AT).detectors == (Detector("no_face", "blink 2.1", 4, 3), Detector("phone_detected", "", 3, 0))

    def test_take_eight_queries_and_read_no_event(self):
        for n in range(30):
            scored(start_time=NOON - timedelta(hours=n))
        with exactly(*["aggregate sessions"] * 7, "aggregate incidents"):
            facts_at(AT)

    def test_are_read_from_the_indexes_alone(self):
        for n in range(40):
            scored(start_time=NOON - timedelta(hours=n))
        explained = explain_aggregate(
            [{"$match": {"queue_rank": {"$gte": 0}}}, {"$project": {"_id": 0, "queue_rank": 1}}], hint="sessions_queue"
        )
        assert "FETCH" not in explained
        assert "PROJECTION_COVERED" in explained


def explain_aggregate(pipeline, **options):
    command = {"aggregate": "sessions", "pipeline": pipeline, "cursor": {}, **options}
    return str(connection.database.command("explain", command, verbosity="executionStats"))


class TestThePage:
    @pytest.fixture(autouse=True)
    def _nothing_is_kept(self):
        cache.delete(CACHED_AS)
        yield
        cache.delete(CACHED_AS)

    def test_is_counted_once_a_minute_and_says_when(self, as_staff):
        reviewer = as_staff("Reviewer")
        first = reviewer.get(OVERVIEW).context["at"]
        make_session(start_time=now())
        again = reviewer.get(OVERVIEW)
        assert again.context["at"] == first
        assert "0 in all" in again.content.decode()

    def test_has_a_title_a_description_and_a_table_for_each_chart(self, as_staff):
        scored(band="high", outcome=Outcome.PASSED, reviewed_at=NOON + timedelta(hours=2), start_time=None)
        Session.objects.update(start_time=now())
        for _ in range(3):
            judged("dismissed", event_type="<b>odd</b>")
        page = as_staff("Reviewer").get(OVERVIEW).content.decode()
        svgs = re.findall(r"<svg viewBox.*?</svg>", page, re.DOTALL)
        assert len(svgs) == 5
        for svg in svgs:
            title, description = re.search(r'aria-labelledby="(\S+) (\S+)"', svg).groups()
            assert f'<title id="{title}">' in svg
            assert f'<desc id="{description}">' in svg
        assert page.count("<table>") == 5
        assert "100% (3 of 3)" in page
        assert "&lt;b&gt;odd" in page
        assert "Flags are not findings; a person decides." in page

    def test_without_a_session_says_that_there_is_nothing(self, as_staff):
        assert as_staff("Reviewer").get(OVERVIEW).content.decode().count("Nothing to show yet.") == 3

    @pytest.mark.parametrize("group", ["Proctor", "Operator", "Auditor"])
    def test_is_for_reviewers(self, as_staff, group):
        assert as_staff(group).get(OVERVIEW).status_code == 404


class TestTheGeometry:
    def test_of_bars_is_to_the_scale_of_the_longest(self):
        chart = charts.bars("x", "X", [Figure("a", 10), Figure("b", 5), Figure("c", 0)], heads=("", ""), description="")
        widths = [mark.width for mark in chart.marks]
        assert charts.WIDTH == widths[0] == 2 * widths[1] > widths[2] == 0

    def test_of_shares_is_to_the_scale_of_the_whole(self):
        chart = charts.bars("x", "X", [Figure("a", 0.5)], heads=("", ""), description="", full=1)
        (mark,) = chart.marks
        assert mark.width == charts.WIDTH / 2

    @pytest.mark.parametrize(("highest", "axis"), [(0, [1, 0]), (1, [1, 0]), (3, [4, 2, 0]), (37, [40, 20, 0])])
    def test_of_columns_has_an_axis_of_whole_numbers(self, highest, axis):
        chart = charts.columns("x", "X", [Figure("a", highest)], heads=("", ""), description="")
        assert [tick.figure.value for tick in chart.ticks] == axis
        assert chart.marks[0].y + chart.marks[0].height == charts.COLUMNS_HEIGHT
