"""Is this really a video, and of which kind? Real files from real encoders, and what only looks like one."""

import io
import os
import subprocess
import sys

import pytest
from django.conf import settings

from media_app.errors import NotAVideo
from media_app.video import CONTENT_TYPES, MATROSKA, MOV, MP4, STREAMS_MAX, WEBM, identify
from tests import clips as make

KINDS = {".webm": WEBM, ".mkv": MATROSKA, ".mp4": MP4, ".mov": MOV}
NOISE = os.urandom(20_000)
MEMORY_MAX_BYTES = 128 * 1024**2

#: Reads each file named on the command line, after a first, harmless one; prints what the rest cost at the peak.
PEAK = """
import sys, django
django.setup()
from media_app import video
from media_app.errors import NotAVideo
def peak():
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
first, *others = sys.argv[1:]
video.identify(open(first, "rb"))
before = peak()
for name in others:
    try:
        video.identify(open(name, "rb"))
    except NotAVideo:
        continue
    print("accepted", name)
print(peak() - before)
"""


def kind_of(data):
    return identify(io.BytesIO(data))


def is_refused(data):
    with pytest.raises(NotAVideo):
        kind_of(data)
    return True


class TestARealVideo:
    @pytest.mark.parametrize(("suffix", "kind"), KINDS.items())
    def test_is_known_by_its_bytes(self, clips, suffix, kind):
        with clips[suffix].open("rb") as file:
            assert identify(file) == kind
            assert file.tell() == 0
        assert (kind.suffix, CONTENT_TYPES[suffix]) == (suffix, kind.content_type)

    @pytest.mark.parametrize(
        ("suffix", "codec"), [(".mp4", "mpeg4"), (".mov", "libx264"), (".webm", "libvpx-vp9"), (".mkv", "libx264")]
    )
    def test_may_use_any_codec_that_its_container_takes(self, tmp_path, suffix, codec):
        assert kind_of(make.clip(tmp_path, suffix, codec=codec).read_bytes()) == KINDS[suffix]

    def test_may_have_pictures_as_screen_recorders_write_them(self, tmp_path):
        assert kind_of(make.png_frames(tmp_path / "screen.mov", make.png_of(320)).read_bytes()) == MOV

    def test_may_carry_a_small_attachment(self, tmp_path, clips):
        path = make.with_attachment(clips[".mkv"], tmp_path / "a.mkv", size_bytes=10_000)
        assert kind_of(path.read_bytes()) == MATROSKA

    @pytest.mark.parametrize("suffix", [".webm", ".mkv"])
    def test_that_was_cut_off_in_the_middle_is_accepted(self, clips, suffix):
        data = clips[suffix].read_bytes()
        assert kind_of(data[: len(data) // 2]) == KINDS[suffix]

    def test_that_was_cut_off_in_the_middle_is_accepted_as_mp4_too_when_its_index_comes_first(self, tmp_path):
        data = make.fragmented_mp4(tmp_path / "a.mp4").read_bytes()
        assert kind_of(data[: len(data) // 2]) == MP4


class TestWhatIsNoVideo:
    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"", id="nothing"),
            pytest.param(b"\0" * 5000, id="zeros"),
            pytest.param(NOISE, id="noise"),
            pytest.param(b"The free encyclopedia says so. " * 100, id="text"),
            pytest.param(b"    free text where a QuickTime atom would stand " * 100, id="text like an atom"),
            pytest.param(b"<!doctype html><video src='x.webm'></video>" * 10, id="html"),
            pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", id="svg"),
            pytest.param(b"MZ" + NOISE, id="a program"),
            pytest.param(b"\x1a\x45\xdf\xa3" + NOISE, id="EBML magic, then noise"),
            pytest.param(b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm" + NOISE, id="WebM header, then noise"),
            pytest.param(b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska" + NOISE, id="Matroska header, then noise"),
            pytest.param(b"\x1a\x45\xdf\xa3\x93\x42\x82", id="a document type that is cut off"),
            pytest.param(b"\x1a\x45\xdf\xa3\x93\x42\x82\x85other" + NOISE, id="another document type"),
            pytest.param(b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + NOISE, id="ftyp, then noise"),
            pytest.param(b"\0\0\0\x14ftypqt  \0\0\2\0qt  " + NOISE, id="QuickTime ftyp, then noise"),
            pytest.param(b"\0\0\0\x20ftyp", id="ftyp alone"),
            pytest.param(b"\0\0\0\x08mdat" + NOISE, id="mdat alone"),
            pytest.param(b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;", id="GIF"),
            pytest.param(make.png_of(16), id="PNG"),
        ],
    )
    def test_is_refused(self, data):
        assert is_refused(data)

    def test_is_a_real_video_of_another_container(self, clips):
        assert is_refused(clips[".avi"].read_bytes())

    @pytest.mark.parametrize(("suffix", "codec"), [(".webm", "libopus"), (".mkv", "libopus"), (".mp4", "aac")])
    def test_is_sound_alone(self, tmp_path, suffix, codec):
        assert is_refused(make.sound_only(tmp_path / f"sound{suffix}", codec=codec).read_bytes())

    def test_is_sound_with_a_cover(self, tmp_path):
        path = make.sound_only(tmp_path / "song.mp4", codec="aac", cover=make.png_of(8))
        assert is_refused(path.read_bytes())

    def test_has_more_streams_than_any_recorder_writes(self, tmp_path):
        assert kind_of(make.many_streams(tmp_path / "x.mov", streams=STREAMS_MAX).read_bytes()) == MOV
        assert is_refused(make.many_streams(tmp_path / "y.mov", streams=STREAMS_MAX + 1).read_bytes())

    @pytest.mark.parametrize("suffix", KINDS)
    def test_is_a_header_without_its_pictures(self, clips, suffix):
        data = clips[suffix].read_bytes()
        for length in (5, 12, 48, 200):
            assert is_refused(data[:length])

    def test_is_an_mp4_without_its_index(self, clips):
        data = clips[".mp4"].read_bytes()
        assert is_refused(data[: len(data) // 2])

    @pytest.mark.parametrize("suffix", [".webm", ".mp4"])
    def test_is_a_video_of_a_codec_that_nobody_knows(self, clips, suffix):
        data = clips[suffix].read_bytes()
        for known, unknown in ((b"V_VP8", b"V_XYZ"), (b"avc1", b"xyz1")):
            data = data.replace(known, unknown)
        assert is_refused(data)

    def test_is_a_video_whose_every_picture_is_noise(self, clips):
        data = clips[".webm"].read_bytes()
        cluster = data.index(b"\x1f\x43\xb6\x75") + 40
        assert is_refused(data[:cluster] + NOISE)


class TestAPlaylist:
    """Followed, each of these would give a real video: only a refusal to follow makes them none."""

    @pytest.fixture
    def target(self, clips):
        return clips[".mp4"].absolute()

    def test_of_hls_is_refused(self, target):
        assert is_refused(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{target}\n#EXT-X-ENDLIST\n".encode())
        assert is_refused(b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")

    def test_of_ffconcat_is_refused(self, target):
        assert is_refused(f"ffconcat version 1.0\nfile '{target}'\n".encode())

    def test_of_dash_is_refused(self, target):
        assert is_refused(
            b"<?xml version='1.0'?><MPD><Period><AdaptationSet><Representation><BaseURL>"
            + str(target).encode()
            + b"</BaseURL></Representation></AdaptationSet></Period></MPD>"
        )

    def test_behind_the_header_of_a_video_is_refused(self, target):
        playlist = f"#EXTM3U\n#EXTINF:9,\nfile://{target}\n#EXT-X-ENDLIST\n".encode()
        for header in (b"\x1a\x45\xdf\xa3\x93\x42\x82\x84webm\n", b"\0\0\0\x14ftypisom\0\0\2\0isom"):
            assert is_refused(header + playlist)


def test_what_claims_much_costs_little_memory(clips, tmp_path):
    """Two megabytes of PNG can claim a gigabyte of pixels, a kilobyte of MP4 a hundred million pictures; an attachment
    lets a demuxer read all of it."""
    hostile = [
        make.huge_pictures(tmp_path / "huge.webm", 6_000),
        make.huge_pictures(tmp_path / "huge.mp4", 6_000),
        make.png_frames(tmp_path / "bomb.mov", make.png_of(10_000)),
        make.with_attachment(clips[".mkv"], tmp_path / "attached.mkv", size_bytes=200 * 1024**2),
        make.claiming(clips[".mp4"], tmp_path / "claiming.mp4", pictures=10_000_000),
    ]
    run = subprocess.run(
        [sys.executable, "-c", PEAK, clips[".webm"], *hostile],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "proctoring_site.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(run.stdout) < MEMORY_MAX_BYTES
