"""A picture of one moment of a recording, or none where the recording shows none. Nothing asks the database."""

import io

import av
import pytest

from media_app import recording_file, video
from tests import clips as clips_of


class TestAPicture:
    def test_is_of_the_moment(self, live):
        early, late, last = (recording_file.picture(io.BytesIO(live), video.WEBM, at) for at in (0, 2, 5))
        assert early[:3] == late[:3] == last[:3] == b"\xff\xd8\xff"
        assert brightness(early) < brightness(late)

    def test_of_another_moment_is_refused(self, live):
        with pytest.raises(recording_file.Unreadable):
            recording_file.picture(io.BytesIO(live), video.WEBM, 100)
        assert recording_file.poster(io.BytesIO(live), video.WEBM, 100)

    @pytest.mark.parametrize("holds", [False, True])
    def test_is_none_where_only_the_sound_goes_on(self, tmp_path, holds):
        film = io.BytesIO(clips_of.short_film(tmp_path / "film.webm", pictures_s=range(5), sound_s=60).read_bytes())
        assert recording_file.picture(film, video.WEBM, 4, holds=holds)
        for at_s in (20, 40, 59):
            with pytest.raises(recording_file.Unreadable):
                recording_file.picture(film, video.WEBM, at_s, holds=holds)

    def test_of_a_screen_holds_until_the_next_one(self, tmp_path):
        film = io.BytesIO(clips_of.short_film(tmp_path / "film.webm", pictures_s=(1, 60, 61)).read_bytes())
        assert recording_file.picture(film, video.WEBM, 40, holds=True)
        with pytest.raises(recording_file.Unreadable):
            recording_file.picture(film, video.WEBM, 40)

    def test_that_takes_too_long_is_none_and_not_an_earlier_one(self, tmp_path):
        film = io.BytesIO(clips_of.short_film(tmp_path / "film.webm", pictures_s=range(60)).read_bytes())
        assert recording_file.picture(film, video.WEBM, 50)
        with pytest.raises(recording_file.Unreadable):
            recording_file.picture(film, video.WEBM, 50, decode_for_s=0)

    def test_of_a_file_without_any_is_refused(self):
        with pytest.raises(recording_file.Unreadable):
            recording_file.picture(io.BytesIO(b"\x1a\x45\xdf\xa3 noise"), video.WEBM, 0)


def brightness(jpeg: bytes) -> float:
    with av.open(io.BytesIO(jpeg), format="mjpeg") as container:
        frame = next(container.decode(video=0))
        return sum(bytes(frame.planes[0])) / frame.planes[0].buffer_size
