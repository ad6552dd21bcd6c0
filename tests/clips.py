"""Real videos, and things that only look like one, made on the spot with PyAV."""

import random
import struct
import zlib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av

from proctoring_site.launch.demo_clip import ONE_THREAD, write_clip

#: A codec that the container of this suffix takes.
CODECS = {".webm": "libvpx", ".mkv": "libvpx", ".mp4": "libx264", ".mov": "mpeg4", ".avi": "mpeg4"}
TICK = Fraction(1, 15)


def clip(folder: Path, suffix: str, *, name: str = "clip", codec: str | None = None, seconds: int = 1) -> Path:
    return write_clip(folder / f"{name}{suffix}", seconds=seconds, codec=codec or CODECS[suffix])


def fragmented_mp4(path: Path) -> Path:
    """As a browser records MP4: the index first and the pictures in pieces, so that a crash leaves it readable."""
    with av.open(str(path), "w", options={"movflags": "frag_keyframe+empty_moov"}) as container:
        stream = container.add_stream("libx264", rate=15, options={"g": "5", **ONE_THREAD})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(30):
            container.mux(stream.encode(_noise(number, 320, 240)))
        container.mux(stream.encode(None))
    return path


def reordered(path: Path, *, pictures: int) -> Path:
    """H.264 as x264 codes it unless told otherwise: some pictures are in the file after ones that are shown later."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=15, options={"bf": "2", "b-adapt": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(pictures):
            container.mux(stream.encode(_noise(number, 64, 48)))
        container.mux(stream.encode(None))
    return path


def short_film(path: Path, *, pictures_s: Iterable[int], sound_s: int = 0) -> Path:
    """A WebM of one key frame and one picture at each of these seconds, with so much silence beside them."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=1, options={"g": "999", "lag-in-frames": "0", **ONE_THREAD})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("libopus", rate=48_000) if sound_s else None
        for second in pictures_s:
            frame = _noise(second, 64, 48)
            frame.pts = second
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for number in range(sound_s * 50):
            container.mux(sound.encode(_silence(number)))
        container.mux(sound.encode(None) if sound else [])
    return path


def sound_only(path: Path, *, codec: str, cover: bytes | None = None) -> Path:
    """A second of silence; with a cover (PNG bytes) it has a picture, but none that moves."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream(codec, rate=48_000)
        picture = container.add_stream("png", rate=1) if cover else None
        if picture:
            picture.width, picture.height, picture.pix_fmt = 1, 1, "rgb24"
            picture.disposition = av.stream.Disposition.attached_pic
            container.mux(_packet(cover, picture, at=0))
        for number in range(50):
            container.mux(sound.encode(_silence(number)))
        container.mux(sound.encode(None))
    return path


def huge_pictures(path: Path, side_px: int) -> Path:
    """A real clip of one picture that is so wide and high, and of one colour, so that the file stays small."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(CODECS[path.suffix], rate=15)
        stream.width, stream.height, stream.pix_fmt = side_px, side_px, "yuv420p"
        stream.options = {"preset": "ultrafast", "deadline": "realtime", "cpu-used": "8", **ONE_THREAD}
        container.mux(stream.encode(_black(side_px)))
        container.mux(stream.encode(None))
    return path


def png_frames(path: Path, png: bytes, *, frames: int = 5) -> Path:
    """A QuickTime file whose pictures are these PNG bytes, as some screen recorders write them."""
    with av.open(str(path), "w", format="mov") as container:
        stream = container.add_stream("png", rate=15)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "rgb24"
        for number in range(frames):
            container.mux(_packet(png, stream, at=number))
    return path


def with_attachment(source: Path, path: Path, *, size_bytes: int) -> Path:
    """A Matroska file whose Attachments element, before the pictures, is this long; sparse on disk."""
    data = source.read_bytes()
    cluster = data.index(b"\x1f\x43\xb6\x75")
    file_data = b"\x46\x5c" + _ebml_length(size_bytes)
    named = b"\x46\x6e\x81a" + b"\x46\x60\x81b" + b"\x46\xae\x81\x01"  # FileName, FileMediaType, FileUID
    attached = b"\x61\xa7" + _ebml_length(len(named) + len(file_data) + size_bytes) + named + file_data
    attachments = b"\x19\x41\xa4\x69" + _ebml_length(len(attached) + size_bytes) + attached
    segment = data.index(b"\x18\x53\x80\x67") + 4
    unknown_length = b"\x01\xff\xff\xff\xff\xff\xff\xff"
    with path.open("wb") as file:
        file.write(data[:segment] + unknown_length + data[segment + 8 : cluster] + attachments)
        file.seek(size_bytes, 1)
        file.write(data[cluster:])
    return path


def claiming(source: Path, path: Path, *, pictures: int) -> Path:
    """An MP4 that says to have so many pictures of one byte each, all in its first chunk."""
    data = bytearray(source.read_bytes())
    for box, fields in ((b"stts", (1, pictures, 1)), (b"stsz", (1, pictures)), (b"stsc", (1, 1, pictures, 1))):
        at = data.index(box) + 8  # behind version and flags
        struct.pack_into(f">{len(fields)}I", data, at, *fields)
    path.write_bytes(data)
    return path


def many_streams(path: Path, *, streams: int) -> Path:
    with av.open(str(path), "w") as container:
        for _ in range(streams):
            stream = container.add_stream("png", rate=15)
            stream.width, stream.height, stream.pix_fmt = 16, 16, "rgb24"
        for stream in container.streams.video:
            container.mux(_packet(png_of(16), stream, at=0))
    return path


def long_recording(path: Path, *, size_bytes: int) -> Path:
    """A valid recording of at least so many bytes: pictures of noise, encoded once and muxed over and over."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=15, options={"deadline": "realtime", "cpu-used": "8", "g": "1"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 1280, 720, "yuv420p", 200_000_000
        stream.options |= {"qmin": "0", "qmax": "4", "kf-max-dist": "0", **ONE_THREAD}
        packets = [bytes(p) for n in range(4) for p in stream.encode(_noise(n))] + [bytes(p) for p in stream.encode()]
        written = number = 0
        while written < size_bytes:
            container.mux(_packet(packets[number % len(packets)], stream, at=number))
            written += len(packets[number % len(packets)])
            number += 1
    return path


def png_of(side_px: int) -> bytes:
    """One black picture: hardly any bytes for its many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + side_px * 3)) for _ in range(side_px)) + packer.flush()
    header = struct.pack(">IIBBBBB", side_px, side_px, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _ebml_length(number: int) -> bytes:
    return (number | 1 << 56).to_bytes(8)


def _packet(data: bytes, stream: av.VideoStream, *, at: int) -> av.Packet:
    packet = av.Packet(data)
    packet.stream, packet.pts, packet.dts, packet.time_base, packet.is_keyframe = stream, at, at, TICK, True
    return packet


def _silence(number: int) -> av.AudioFrame:
    frame = av.AudioFrame(format="fltp", layout="stereo", samples=960)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.sample_rate, frame.pts = 48_000, number * 960
    return frame


def _black(side_px: int) -> av.VideoFrame:
    """Filled: a new frame shows whatever the memory held before, and how large that gets encoded is luck."""
    frame = av.VideoFrame(side_px, side_px, "yuv420p")
    for plane, level in zip(frame.planes, (16, 128, 128), strict=True):
        plane.update(bytes([level]) * plane.buffer_size)
    return frame


def _noise(number: int, width: int = 1280, height: int = 720) -> av.VideoFrame:
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane in frame.planes:
        plane.update(random.Random(number).randbytes(plane.buffer_size))
    return frame
