"""Counts in, one explainable number out. Pure: no database, no settings."""

import random

import pytest

from sessions_app.scoring import (
    BANDS,
    DEFAULT_WEIGHTS,
    FULL_SCORE,
    SUSPICIOUS_TYPES,
    Deduction,
    Policy,
    band_range,
    integrity_score,
    risk_band,
)

DEFAULT = Policy.with_overrides({})


def score_of(counts, **overrides):
    return integrity_score(counts, policy=Policy.with_overrides(overrides))


@pytest.mark.parametrize(
    ("counts", "score"),
    [
        ({}, 100),
        ({"looking_away": 1}, 99),
        ({"focus_lost": 1}, 98),
        ({"no_face": 1}, 97),
        ({"multiple_faces": 1}, 90),
        ({"notes_detected": 1}, 90),
        ({"device_detected": 1}, 90),
        ({"phone_detected": 1}, 85),
        ({"looking_away": 7, "focus_lost": 2}, 89),
        ({"phone_detected": 2, "multiple_faces": 2}, 50),
        ({"phone_detected": 6, "multiple_faces": 1}, 0),
        ({"phone_detected": 7}, 0),
        ({"looking_away": 10**12}, 0),
        ({"looking_away": 0}, 100),
    ],
)
def test_the_score_is_100_minus_the_weighted_counts_and_never_below_0(counts, score):
    assert integrity_score(counts, policy=DEFAULT).integrity_score == score


@pytest.mark.parametrize("name", ["tab_hidden", "", "PHONE_DETECTED", " phone_detected", "$where", "телефон"])
def test_a_type_that_the_policy_does_not_name_weighs_nothing(name):
    score = score_of({name: 1000, "looking_away": 1})
    assert score.integrity_score == 99
    assert [deduction.event_type for deduction in score.deductions] == ["looking_away"]


@pytest.mark.parametrize(
    ("score", "band"),
    [(100, "low"), (80, "low"), (79, "medium"), (50, "medium"), (49, "high"), (1, "high"), (0, "high")],
)
def test_the_bands_meet_at_their_edges(score, band):
    assert risk_band(score) == band
    assert integrity_score({"looking_away": 100 - score}, policy=DEFAULT).risk_band == band


def test_the_ranges_of_the_bands_cover_every_score_once():
    covered = [score for name, _ in BANDS for score in range(band_range(name)[0], band_range(name)[1] + 1)]
    assert sorted(covered) == list(range(FULL_SCORE + 1))
    assert all(risk_band(score) == name for name, _ in BANDS for score in band_range(name))


def test_there_is_no_range_of_a_band_that_is_none():
    with pytest.raises(ValueError, match="purple"):
        band_range("purple")


class TestTheDeductions:
    def test_are_listed_heaviest_first_with_what_they_are_made_of(self):
        assert score_of({"looking_away": 3, "phone_detected": 1, "focus_lost": 4}).deductions == (
            Deduction("phone_detected", count=1, weight=15, points=15),
            Deduction("focus_lost", count=4, weight=2, points=8),
            Deduction("looking_away", count=3, weight=1, points=3),
        )

    def test_of_equal_weight_are_in_the_order_of_names(self):
        names = [
            d.event_type for d in score_of({"notes_detected": 1, "device_detected": 1, "multiple_faces": 1}).deductions
        ]
        assert names == ["device_detected", "multiple_faces", "notes_detected"]

    def test_take_no_more_than_is_left(self):
        score = score_of({"phone_detected": 6, "multiple_faces": 2, "looking_away": 1})
        assert [(d.event_type, d.points) for d in score.deductions] == [
            ("phone_detected", 90),
            ("multiple_faces", 10),
            ("looking_away", 0),
        ]

    def test_always_sum_to_100_minus_the_score(self):
        chance = random.Random(7)
        for _ in range(2000):
            counts = {name: chance.choice([0, 1, 2, 5, 50]) for name in [*DEFAULT_WEIGHTS, "other"]}
            score = score_of(counts, other=chance.choice([0, 1, 30]))
            assert sum(d.points for d in score.deductions) == FULL_SCORE - score.integrity_score
            assert all(0 <= d.points <= d.count * d.weight for d in score.deductions)
            assert 0 <= score.integrity_score <= FULL_SCORE


class TestOverrides:
    def test_change_one_weight_and_keep_the_others(self):
        assert score_of({"phone_detected": 1, "looking_away": 1}, phone_detected=40).integrity_score == 59

    def test_give_weight_to_a_type_of_the_clients(self):
        assert score_of({"tab_hidden": 3}, tab_hidden=5).deductions == (Deduction("tab_hidden", 3, 5, 15),)

    def test_of_0_take_a_type_out_of_the_score(self):
        score = score_of({"phone_detected": 9}, phone_detected=0)
        assert (score.integrity_score, score.deductions) == (100, ())

    def test_do_not_change_the_defaults(self):
        score_of({}, phone_detected=1)
        assert DEFAULT_WEIGHTS["phone_detected"] == 15
        with pytest.raises(TypeError):
            DEFAULT_WEIGHTS["phone_detected"] = 1


def test_every_suspicious_type_weighs_something():
    assert all(DEFAULT_WEIGHTS[name] >= 10 for name in SUSPICIOUS_TYPES)
