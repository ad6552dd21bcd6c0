"""D4: iexact takes its value as text. And instants of adopted documents, whatever they are, fail no query."""

from datetime import UTC, datetime

import pytest
from bson.datetime_ms import DatetimeMS
from django.db import connection
from django.db.models import F, Value

from sessions_app.models import Session
from tests.proctoring_site.mongo_engine.conftest import still_defective


def assert_iexact_is_literal() -> None:
    named = Session.objects.filter
    assert named(candidate_name__iexact="ann.*").count() == 0
    assert named(candidate_name__iexact="a.b (1)").count() == 1
    assert named(candidate_name__iexact=Value("ann.*")).count() == 0


class TestIexact:
    @pytest.fixture(autouse=True)
    def _candidates(self, committed_database):
        for name in ("Ann", "Annie", "A.B (1)"):
            Session.objects.create(candidate_name=name, video_path="a.*")

    def test_its_value_is_no_pattern(self):
        assert_iexact_is_literal()

    def test_it_still_ignores_case(self):
        assert Session.objects.filter(candidate_name__iexact="ANNIE").get().candidate_name == "Annie"

    def test_another_columns_text_is_no_pattern_either(self):
        assert Session.objects.filter(candidate_name__iexact=F("video_path")).count() == 0
        Session.objects.filter(candidate_name="Ann").update(video_path="aNN")
        assert Session.objects.filter(candidate_name__iexact=F("video_path")).get().candidate_name == "Ann"

    def test_canary(self, stock_backend):
        with still_defective("D4"):
            assert_iexact_is_literal()

    def test_canary_for_another_column(self, stock_backend):
        with still_defective("D4 (another column)"):
            assert Session.objects.filter(candidate_name__iexact=F("video_path")).count() == 0


def stored(start_time) -> datetime | None:
    connection.get_collection("sessions").insert_one({"_id": "old", "candidate_name": "A", "start_time": start_time})
    return Session.objects.get(pk="old").start_time


class TestStoredInstants:
    @pytest.mark.parametrize(
        ("start_time", "instant"),
        [
            (datetime(2024, 5, 6, 12), datetime(2024, 5, 6, 12, tzinfo=UTC)),
            ("2024-05-06T14:00:00.123456+02:00", datetime(2024, 5, 6, 12, 0, 0, 123000, tzinfo=UTC)),
            ("no date", None),
            (None, None),
            (1714996800, None),
            ({"year": 2024}, None),
            (DatetimeMS(253402300800000), None),  # the year 10000
        ],
    )
    def test_a_query_reads_them_all(self, committed_database, start_time, instant):
        assert stored(start_time) == instant

    def test_canary(self, stock_backend):
        with still_defective("text instants"):
            assert stored("2024-05-06T12:00:00Z")

    def test_canary_for_other_types(self, stock_backend):
        with still_defective("instants of other types"):
            assert stored(1714996800) is None


def stored_revision(value) -> int | None:
    connection.get_collection("sessions").insert_one({"_id": "old", "candidate_name": "A", "revision": value})
    return Session.objects.get(pk="old").revision


class TestStoredNumbers:
    @pytest.mark.parametrize(
        ("value", "number"), [(7, 7), (7.0, 7), (None, None), ("seven", None), ([7], None), (float("nan"), None)]
    )
    def test_a_query_reads_them_all(self, committed_database, value, number):
        assert stored_revision(value) == number

    def test_canary(self, stock_backend):
        with pytest.raises(ValueError, match="seven"):  # once it is mended: remove our patch
            stored_revision("seven")
