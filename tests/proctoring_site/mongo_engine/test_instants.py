from datetime import UTC, date, datetime

import pytest

from proctoring_site.mongo_engine.instants import parse_instant

NOON = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-05-06T12:00:00", NOON),
        ("2024-05-06T12:00:00Z", NOON),
        ("2024-05-06t12:00:00z", NOON),
        ("2024-05-06T12:00", NOON),
        ("2024-05-06 12:00:00", NOON),
        ("  2024-05-06T12:00:00Z\n", NOON),
        ("2024-05-06T14:00:00+02:00", NOON),
        ("2024-05-06T06:30:00-0530", NOON),
        ("2024-05-06T12:00:00.123999", NOON.replace(microsecond=123000)),
        ("2024-05-06T12:00:00.123456789Z", NOON.replace(microsecond=123000)),
        ("2024-05-06T12:00:00.5+00:00", NOON.replace(microsecond=500000)),
        ("2024-05-06", NOON.replace(hour=0)),
    ],
)
def test_it_reads_iso_text_as_an_instant_in_utc_with_milliseconds(text, instant):
    parsed = parse_instant(text)
    assert parsed == instant
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "yesterday", "06/05/2024", "2024-13-01", "2024-05-06T25:00", "2024-05-06T12:00:00+99:00", "None"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "\ud800", "٢٠٢٤-٠٥-٠٦"),
        *(None, True, 0, 1714996800, 1714996800.5, b"2024-05-06", date(2024, 5, 6), NOON, [], {}),
    ],
)
def test_whatever_is_no_instant_is_none(value):
    assert parse_instant(value) is None
