"""What PyAV does with a file that `video.identify` took for a video: describe it, copy it so that it can be sought in,
take pictures out of it. In constant memory, and without coding anything again but the pictures.

A browser's own recording has no duration and no index, so that players cannot seek in it. Copying its packets into a
new file of the same kind gives both, some 45 ms per recorded minute.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
from av.error import FFmpegError
from av.packet import Packet

from media_app.video import MATROSKA, MOV, MP4, PIXELS_MAX, WEBM, VideoKind, is_moving

MUXER = {WEBM: "webm", MATROSKA: "matroska", MP4: "mp4", MOV: "mov"}
#: The index goes to the front, so that a player has it with the first bytes that it asks for.
INDEX_FIRST = {WEBM: {"cues_to_front": "1"}, MATROSKA: {"cues_to_front": "1"}, MP4: {"movflags": "+faststart"}}
INDEX_FIRST[MOV] = INDEX_FIRST[MP4]
THUMBNAIL_WIDTH, POSTER_WIDTH = 320, 640
#: From the picture that can be decoded alone to the wanted one; browsers make one of those every few seconds.
DECODED_MAX = 3000
DURATION_TOLERANCE_S = 1.0
JPEG_QUALITY = "3"  # of FFmpeg's 2 (best) to 31
BROKEN = (FFmpegError, ValueError, EOFError, OverflowError)


class Unreadable(Exception):
    """A sentence for staff says how far it can be read."""

    def __init__(self, sentence: str = "The recording cannot be read to its end.") -> None:
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """None where the file does not tell. `frame_rate` in pictures per second, on average."""

    duration_s: float | None
    width: int | None
    height: int | None
    frame_rate: float | None
    video_codec: str | None
    audio_codec: str | None


@dataclass(frozen=True, slots=True)
class Copied:
    """How much went into the copy, by stream: packets and their bytes."""

    packets: tuple[int, ...]
    sizes_bytes: tuple[int, ...]


def probe(file: BinaryIO, kind: VideoKind) -> VideoFacts:
    with _opened(file, kind) as container:
        picture = next(filter(is_moving, container.streams.video))
        sound = next(iter(container.streams.audio), None)
        rate = picture.average_rate or picture.guessed_rate
        return VideoFacts(
            duration_s=container.duration / av.time_base if container.duration else None,
            width=picture.width or None,
            height=picture.height or None,
            frame_rate=round(float(rate), 3) if rate and rate <= 1000 else None,
            video_codec=picture.codec_context.name,
            audio_codec=sound.codec_context.name if sound is not None and sound.codec_context else None,
        )


def remux(source: BinaryIO, target: Path, kind: VideoKind) -> Copied:
    """Copy pictures and sound into a new file of the same kind, with a duration and an index. Raises Unreadable.

    A file that was cut off is copied as far as it goes.
    """
    with (
        _opened(source, kind) as container,
        av.open(str(target), "w", format=MUXER[kind], container_options=INDEX_FIRST[kind]) as copy,
    ):
        streams = [*filter(is_moving, container.streams.video), *container.streams.audio]
        targets = {stream.index: copy.add_stream_from_template(stream) for stream in streams}
        packets, sizes, last = dict.fromkeys(targets, 0), dict.fromkeys(targets, 0), dict.fromkeys(targets)
        for packet in _packets(container, streams):
            index = packet.stream.index
            packets[index] += 1
            sizes[index] += packet.size
            last[index] = _after(packet, last[index])
            packet.stream = targets[index]
            copy.mux(packet)
    if not any(packets.values()):
        raise Unreadable
    return Copied(tuple(packets.values()), tuple(sizes.values()))


def verify(made: BinaryIO, kind: VideoKind, copied: Copied) -> None:
    """That the copy holds what was copied, read back from it, and says how long it is. Raises Unreadable."""
    with _opened(made, kind) as container:
        streams = [*container.streams.video, *container.streams.audio]
        packets, sizes = dict.fromkeys((s.index for s in streams), 0), dict.fromkeys((s.index for s in streams), 0)
        end_s = 0.0
        for packet in _packets(container, streams):
            packets[packet.stream.index] += 1
            sizes[packet.stream.index] += packet.size
            end_s = max(end_s, float((packet.pts or packet.dts) * packet.time_base))
        if Copied(tuple(packets.values()), tuple(sizes.values())) != copied:
            raise Unreadable("The seekable copy does not hold all that the recording holds.")
        if container.duration is None or container.duration / av.time_base < end_s - DURATION_TOLERANCE_S:
            raise Unreadable("The seekable copy does not know how long it is.")


def picture(file: BinaryIO, kind: VideoKind, at_s: float, *, width: int = THUMBNAIL_WIDTH) -> bytes:
    """The picture at a moment, or the last one before it, as a JPEG of at most that width. Raises Unreadable."""
    with _opened(file, kind) as container:
        stream = next(filter(is_moving, container.streams.video))
        stream.codec_context.options = {"max_pixels": str(PIXELS_MAX)}
        frame = _frame_at(container, stream, at_s) or _frame_at(container, stream, 0)
        if frame is None:
            raise Unreadable
        return _jpeg(frame, width)


@contextmanager
def _opened(file: BinaryIO, kind: VideoKind) -> Iterator[av.container.InputContainer]:
    """Whatever PyAV raises for a broken file is Unreadable; what the storage below raises is not touched."""
    file.seek(0)
    options = {"max_pixels": str(PIXELS_MAX)}
    try:
        with av.open(file, format=kind.demuxer, metadata_errors="ignore", options=options) as container:
            yield container
    except StopIteration:
        raise Unreadable from None
    except BROKEN as error:
        raise Unreadable(f"The recording cannot be read: {type(error).__name__}.") from error


def _packets(container: av.container.InputContainer, streams: list) -> Iterator[Packet]:
    """Those with a time, up to where the file ends or is broken."""
    try:
        for packet in container.demux(streams):
            if packet.dts is not None:
                yield packet
    except BROKEN:
        return


def _after(packet: Packet, last: int | None) -> int:
    """Muxers take times that go on only; a browser whose clock was set may have told others."""
    if last is not None and packet.dts <= last:
        packet.dts = last + 1
        if packet.pts is None or packet.pts < packet.dts:
            packet.pts = packet.dts
    return packet.dts


def _frame_at(container: av.container.InputContainer, stream: av.VideoStream, at_s: float) -> av.VideoFrame | None:
    try:
        container.seek(int(at_s * av.time_base))
    except BROKEN:  # beyond the end, or a file that cannot be sought in: from where it stands
        return None
    found = None
    try:
        for seen, frame in enumerate(container.decode(stream)):
            if found is not None and (frame.time or 0) > at_s:
                break
            found = frame
            if (frame.time or 0) >= at_s or seen >= DECODED_MAX:
                break
    except BROKEN:
        pass
    return found


def _jpeg(frame: av.VideoFrame, width: int) -> bytes:
    width = min(width, frame.width) // 2 * 2 or 2
    height = max(2, round(frame.height * width / frame.width) // 2 * 2)
    coder = av.CodecContext.create("mjpeg", "w")
    coder.width, coder.height, coder.pix_fmt, coder.time_base = width, height, "yuvj420p", Fraction(1, 25)
    coder.options = {"qmin": JPEG_QUALITY, "qmax": JPEG_QUALITY}
    small = frame.reformat(width=width, height=height, format="yuvj420p")
    small.pts, small.time_base = 0, coder.time_base
    return b"".join(bytes(packet) for packet in [*coder.encode(small), *coder.encode(None)])
