"""The drawing of a sitting, the words for its moments, and what the player plays: none of it asks the database."""

import random

import pytest

from media_app.models import Recording, RecordingState
from media_app.processing import NOT_LOOKED_AT
from proctoring_site.desk import playlist, timeline
from proctoring_site.desk.timeline import STEPS, Span, draw
from sessions_app import moments
from sessions_app.models import Session


def lane(drawn, label):
    return next(one for one in drawn.lanes if one.label == label)


class TestTheDrawing:
    def test_a_moment_lies_where_its_share_of_the_sitting_is(self):
        drawn = draw(length_s=1000, events=[("phone", Span(250, 250))], incidents=[("high", Span(500, 750))])
        assert lane(drawn, "phone").paths == (("event", "M2500 30v10"),)
        assert lane(drawn, "Incidents").paths == (("high", "M5000 4v18H7500v-18z"),)

    def test_the_gravest_incident_lies_above_the_others(self):
        incidents = [(mark, Span(5, 9)) for mark in ("high", "none", "low", "dismissed", "medium")]
        drawn = lane(draw(length_s=10, events=[], incidents=incidents), "Incidents")
        assert [mark for mark, _ in drawn.paths] == ["none", "dismissed", "low", "medium", "high"]

    def test_events_on_the_same_step_are_drawn_once_with_the_longest(self):
        events = [("x", Span(10, 10)), ("x", Span(10.0001, 20)), ("x", Span(10, 12))]
        assert lane(draw(length_s=100, events=events, incidents=[]), "x").paths == (("event", "M1000 30v10H2000v-10z"),)
        assert lane(draw(length_s=100, events=events, incidents=[]), "x").count == 3

    def test_it_stays_small_however_many_events_there_are(self):
        seconds = random.Random(1)
        events = [("x", Span(at, at)) for at in (seconds.uniform(0, 10) for _ in range(50_000))]
        (_, path), *_ = lane(draw(length_s=7200, events=events, incidents=[]), "x").paths
        assert path.count("M") <= 10 / 7200 * STEPS + 2

    def test_rare_types_share_the_last_lane(self):
        events = [(f"type {n}", Span(n, n)) for n in range(30)] + [("often", Span(1, 1))] * 2
        drawn = draw(length_s=60, events=events, incidents=[])
        assert [one.label for one in drawn.lanes][:2] == ["Incidents", "often"]
        assert drawn.lanes[-1].label == timeline.OTHER_TYPES
        assert sum(one.count for one in drawn.lanes[1:]) == 32

    def test_it_holds_what_came_before_the_start_and_after_the_end(self):
        drawn = draw(length_s=60, events=[("x", Span(-30, -30)), ("x", Span(90, 90))], incidents=[], milestones=[0, 60])
        assert (drawn.begins, drawn.ends) == (-30, 90)
        assert drawn.milestones.startswith("M2500 0V")

    def test_what_is_told_of_another_year_stands_at_its_edge_and_makes_the_sitting_no_dot(self):
        events = [("x", Span(-(10**9), -(10**9))), ("x", Span(30, 30)), ("x", Span(10**9, 10**9))]
        drawn = draw(length_s=60, events=events, incidents=[], beyond_max_s=30)
        assert (drawn.begins, drawn.ends) == (-30, 90)
        assert lane(drawn, "x").paths == (("event", "M0 30v10M5000 30v10M10000 30v10"),)

    def test_a_sitting_without_length_and_events_is_a_line(self):
        drawn = draw(length_s=0, events=[], incidents=[])
        assert drawn.ends > drawn.begins
        assert [one.label for one in drawn.lanes] == ["Incidents"]

    def test_a_silence_covers_the_whole_height(self):
        drawn = draw(length_s=100, events=[], incidents=[], gaps=[Span(10, 20)])
        assert drawn.gaps == f"M1000 0H2000V{drawn.height}H1000z"


class TestMoments:
    @pytest.mark.parametrize(
        ("seconds", "said"), [(0, "0:00"), (59.99, "0:59"), (724, "12:04"), (4324.5, "1:12:04"), (-5, "−0:05")]
    )
    def test_they_are_said_as_a_player_says_them(self, seconds, said):
        assert moments.said(seconds) == said

    @pytest.mark.parametrize(
        ("begins", "ends", "said"),
        [(1, 1.5, "0:01"), (-0.5, 2, "0:00–0:02"), (-2811, -2810, "−46:51 to −46:50"), (-5, 5, "−0:05 to 0:05")],
    )
    def test_a_stretch_has_no_dash_beside_a_minus(self, begins, ends, said):
        assert moments.stretch(begins, ends) == said

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("12:04", 724),
            (" 1:12:04 ", 4324),
            ("0:59.5", 59.5),
            ("90", 90),
            ("−0:05", -5),
            ("-1:00", -60),
            ("99:00", 5940),
        ],
    )
    def test_and_read_again(self, text, seconds):
        assert moments.read(text) == seconds

    @pytest.mark.parametrize("text", ["", "noon", "1:2:3:4", "12:", ":12", "1e9", "٣:٠٠", "9" * 40, "1:60:0x"])
    def test_what_is_no_moment_is_refused(self, text):
        with pytest.raises(ValueError, match=r"^"):
            moments.read(text)


class TestThePlaylist:
    def recording(self, **fields):
        return Recording(**{"session_id": "s", "size_bytes": 1000, "offset": 1000, "stored_on": "local", **fields})

    def ready(self, **fields):
        told = {"state": RecordingState.READY, "name": "s.webm", "original": "s.webm", "duration_s": 60.0}
        return self.recording(**{**told, **fields})

    def screens(self, *recordings, **session):
        return playlist.screens_of(Session(**session), recordings)

    def test_camera_and_screen_lie_where_they_were_begun(self):
        found = self.screens(self.ready(start_offset_s=4.5), self.ready(kind="screen", name="t.webm", start_offset_s=9))
        assert [(screen.kind, screen.tracks[0].begins, screen.tracks[0].ends) for screen in found] == [
            ("camera", 4.5, 64.5),
            ("screen", 9, 69),
        ]
        assert [track["src"] for track in playlist.for_script(found)] == ["/videos/s.webm", "/videos/t.webm"]

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"state": "receiving", "offset": 250}, "still arriving: 25%"),
            ({"state": "processing"}, "still being prepared"),
            ({"state": "processing", "reason": NOT_LOOKED_AT}, "could not be prepared: It could not be examined"),
            ({"state": "rejected", "reason": "It is a text."}, "was rejected, and is kept: It is a text."),
            ({"state": "receiving", "size_bytes": 0, "offset": 0}, "0%"),
        ],
    )
    def test_what_cannot_be_shown_says_why(self, fields, words):
        (screen,) = self.screens(self.recording(**fields))
        assert screen.first_url is None
        assert words in screen.words[0]
        assert playlist.for_script([screen]) == []

    def test_without_any_there_is_an_empty_camera(self):
        (screen,) = self.screens()
        assert (screen.kind, screen.tracks) == ("camera", ())

    def test_an_adopted_video_is_the_cameras(self):
        (screen,) = self.screens(video_path="data\\videos\\x y.webm")
        assert screen.first_url == "/videos/x%20y.webm"
        assert playlist.end_of([screen]) == 0
