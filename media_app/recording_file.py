"""What PyAV does with a file that `video.identify` took for a video: describe it, copy it so that it can be sought in,
take pictures out of it. In constant memory, and without coding anything again but the pictures.

A browser's own recording has no duration and no index, so that players cannot seek in it. Copying its packets into a
new file of the same kind gives both, some 45 ms per recorded minute.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from time import monotonic
from typing import BinaryIO

import av
from av.error import FFmpegError
from av.packet import Packet

from media_app.storage.local import DISK_FAILED, translated
from media_app.video import CAREFULLY, MATROSKA, MOV, MP4, WEBM, VideoKind, is_moving

MUXER = {WEBM: "webm", MATROSKA: "matroska", MP4: "mp4", MOV: "mov"}
#: The index goes to the front, so that a player has it with the first bytes that it asks for.
INDEX_FIRST = {WEBM: {"cues_to_front": "1"}, MATROSKA: {"cues_to_front": "1"}, MP4: {"movflags": "+faststart"}}
INDEX_FIRST[MOV] = INDEX_FIRST[MP4]
#: The same recording gives the same bytes: two workers, one of which was held for dead, store what both hashed.
ALWAYS_ALIKE = {"fflags": "+bitexact"}
THUMBNAIL_WIDTH, POSTER_WIDTH = 320, 640
#: From the picture that can be decoded alone to the wanted one; browsers make one of those every few seconds.
DECODED_FOR_S = 2.0
#: A picture further from the asked moment than this shows another moment.
NEAR_S = 5.0
#: Of packets that come earlier in the file than their time says.
INTERLEAVED_S = 10.0
#: Packets of pictures that come before their order is known; FFmpeg looks 16 far.
REORDERED_MAX = 32
#: Of packets that wait in memory: for their order, or for what belongs between them in the copy.
WAITING_MAX_BYTES = 128 * 1024**2
LOOK_EVERY_BYTES = 16 * 1024**2
#: Eleven hours of sixty pictures and sixty pieces of sound a second, which take a minute to copy and to compare; a file
#: of VIDEO_MAX_BYTES may hold two hundred million.
PACKETS_MAX = 5_000_000
DURATION_TOLERANCE_S = 1.0
JPEG_QUALITY = "3"  # of FFmpeg's 2 (best) to 31
BROKEN = (FFmpegError, ValueError, EOFError, OverflowError)


class Unreadable(Exception):
    """A sentence for staff says how far it can be read."""

    def __init__(self, sentence: str = "The recording cannot be read to the end.") -> None:
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
            duration_s=_length_s(container),
            width=picture.width or None,
            height=picture.height or None,
            frame_rate=round(float(rate), 3) if rate and rate <= 1000 else None,
            video_codec=picture.codec_context.name,
            audio_codec=sound.codec_context.name if sound is not None and sound.codec_context else None,
        )


def remux(source: BinaryIO, target: Path, kind: VideoKind) -> Copied:
    """Copy pictures and sound into a new file of the same kind, with a duration and an index. Raises Unreadable.

    A file that was cut off is copied as far as it goes. StorageFailed: the disk did not take the copy.
    """
    with _opened(source, kind) as container, translated(), _written(target, kind) as copy:
        streams = [*filter(is_moving, container.streams.video), *container.streams.audio]
        targets = {stream.index: copy.add_stream_from_template(stream) for stream in streams}
        packets, sizes, last = dict.fromkeys(targets, 0), dict.fromkeys(targets, 0), dict.fromkeys(targets)
        looked_at = 0
        for number, packet in enumerate(_packets(container, streams), start=1):
            if number > PACKETS_MAX:
                raise Unreadable("It has more pieces than any recording should.")
            index = packet.stream.index
            packets[index] += 1
            sizes[index] += packet.size
            last[index] = _after(packet, last[index])
            packet.stream = targets[index]
            copy.mux(packet)
            if (given := sum(sizes.values())) > looked_at + LOOK_EVERY_BYTES:
                looked_at = given
                if given - target.stat().st_size > WAITING_MAX_BYTES:
                    raise Unreadable("Its picture and sound are too far apart in the file.")
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
            raise Unreadable("The seekable copy does not contain all of the recording.")
        length_s = _length_s(container)
        if length_s is None or length_s < end_s - DURATION_TOLERANCE_S:
            raise Unreadable("The seekable copy does not say how long it is.")


def picture(
    file: BinaryIO, kind: VideoKind, at_s: float, *, holds: bool = False, decode_for_s: float = DECODED_FOR_S
) -> bytes:
    """The picture at a moment, or the last one before it, as a JPEG of at most THUMBNAIL_WIDTH.

    Raises Unreadable when there is none within NEAR_S, or none found after `decode_for_s`. `holds`: a picture is good
    until the next one comes, however long that takes, as of a screen on which nothing moves.
    """
    with _opened(file, kind) as container:
        stream = _pictures_of(container)
        frame, is_followed = _frame_at(container, stream, at_s, decode_for_s)
        if frame is None or not (abs((frame.time or 0) - at_s) <= NEAR_S or (holds and is_followed)):
            raise Unreadable("No picture of that moment can be found.")
        return _jpeg(frame, THUMBNAIL_WIDTH)


def poster(file: BinaryIO, kind: VideoKind, at_s: float) -> bytes:
    """The picture at a moment, or what is nearest, as a JPEG of at most POSTER_WIDTH. Raises Unreadable."""
    with _opened(file, kind) as container:
        stream = _pictures_of(container)
        for moment_s in (at_s, 0):
            frame, _ = _frame_at(container, stream, moment_s, DECODED_FOR_S)
            if frame is not None:
                return _jpeg(frame, POSTER_WIDTH)
    raise Unreadable


def _length_s(container: av.container.InputContainer) -> float | None:
    return container.duration / av.time_base if container.duration else None


@contextmanager
def _opened(file: BinaryIO, kind: VideoKind) -> Iterator[av.container.InputContainer]:
    """Whatever PyAV raises for a broken file is Unreadable; what the storage below raises is not touched."""
    file.seek(0)
    try:
        with av.open(file, format=kind.demuxer, metadata_errors="ignore", options=dict(CAREFULLY)) as container:
            yield container
    except StopIteration:
        raise Unreadable from None
    except BROKEN as error:
        raise Unreadable(f"The recording cannot be read: {type(error).__name__}.") from error


@contextmanager
def _written(target: Path, kind: VideoKind) -> Iterator[av.container.OutputContainer]:
    """A disk that is full says nothing about the recording: that is the system's OSError, not one of FFmpeg's kind."""
    options = INDEX_FIRST[kind] | ALWAYS_ALIKE
    try:
        with av.open(str(target), "w", format=MUXER[kind], container_options=options) as copy:
            yield copy
    except FFmpegError as error:
        if error.errno in DISK_FAILED and error.filename == str(target):
            raise OSError(error.errno, error.strerror) from error
        raise


def _packets(container: av.container.InputContainer, streams: list) -> Iterator[Packet]:
    """All up to where the file ends or is broken, each with its time of decoding.

    Matroska keeps none. Of pictures that are not in the order of their showing (x264's way, unless told otherwise)
    FFmpeg knows it only after some of them, the first key frame among these.
    """
    waiting: dict[int, list[Packet]] = {}
    with suppress(*BROKEN):
        for packet in container.demux(streams):
            held = waiting.setdefault(packet.stream.index, [])
            if packet.dts is not None:
                yield from _timed(held, packet.dts)
                held.clear()
                yield packet
            elif packet.size:  # else it is PyAV's sign for the end
                held.append(packet)
                if len(held) > REORDERED_MAX or sum(one.size for one in held) > WAITING_MAX_BYTES:
                    raise Unreadable("The recording does not say in which order to show its pictures.")
    for held in waiting.values():
        yield from _timed(held, min((packet.pts or 0 for packet in held), default=0))


def _timed(held: list[Packet], until: int) -> Iterator[Packet]:
    """By the least steps there are: only the order counts, and no picture may be decoded after it is shown."""
    for steps, packet in enumerate(held):
        packet.dts = until - len(held) + steps
        yield packet


def _after(packet: Packet, last: int | None) -> int:
    """Muxers take times that go on only; a browser whose clock was set may have told others."""
    if last is not None and packet.dts <= last:
        packet.dts = last + 1
        if packet.pts is None or packet.pts < packet.dts:
            packet.pts = packet.dts
    return packet.dts


def _pictures_of(container: av.container.InputContainer) -> av.VideoStream:
    stream = next(filter(is_moving, container.streams.video))
    stream.codec_context.options = {"max_pixels": CAREFULLY["max_pixels"]}
    return stream


def _frame_at(
    container: av.container.InputContainer, stream: av.VideoStream, at_s: float, decode_for_s: float
) -> tuple[av.VideoFrame | None, bool]:
    """The last frame until then, else the first after it; and whether it was seen to last until then."""
    with suppress(*BROKEN):  # beyond the end, or a file that cannot be sought in: from where it stands
        container.seek(int(at_s * av.time_base))
    found = None
    try:
        for frame in _frames(container, stream, until_s=at_s + INTERLEAVED_S, deadline=monotonic() + decode_for_s):
            if found is not None and (frame.time or 0) > at_s:
                return found, True
            found = frame
            if (frame.time or 0) >= at_s:
                break
    except BROKEN:
        pass
    return found, False


def _frames(
    container: av.container.InputContainer, stream: av.VideoStream, *, until_s: float, deadline: float
) -> Iterator[av.VideoFrame]:
    """Up to where pictures should have come by what else is in the file: its sound may go on for hours without any."""
    for packet in container.demux([stream, *container.streams.audio]):
        if packet.stream.index == stream.index:
            yield from packet.decode()
        elif packet.dts is not None and packet.dts * packet.time_base > until_s:
            yield from stream.codec_context.decode(None)
            return
        if monotonic() > deadline:
            return


def _jpeg(frame: av.VideoFrame, width: int) -> bytes:
    width = min(width, frame.width) // 2 * 2 or 2
    height = max(2, round(frame.height * width / frame.width) // 2 * 2)
    coder = av.CodecContext.create("mjpeg", "w")
    coder.width, coder.height, coder.pix_fmt, coder.time_base = width, height, "yuvj420p", Fraction(1, 25)
    coder.options = {"qmin": JPEG_QUALITY, "qmax": JPEG_QUALITY}
    small = frame.reformat(width=width, height=height, format="yuvj420p")
    small.pts, small.time_base = 0, coder.time_base
    return b"".join(bytes(packet) for packet in [*coder.encode(small), *coder.encode(None)])
