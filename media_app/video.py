"""Is this really a video, and of which kind? Told by its bytes, never by its name.

Magic bytes alone pass a header followed by noise; a demuxer that may choose the format itself also reads playlists
that name local files. So: magic bytes choose the container, and PyAV must open exactly that one and find pictures.
"""

import ctypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import BoundedSemaphore
from time import monotonic
from typing import BinaryIO

import av
import av._core
from av.error import FFmpegError
from av.stream import Disposition

from media_app.errors import NotAVideo

HEAD_BYTES = 4096
#: 8K in either orientation; more is no camera and no screen. Decoders ask before they allocate: two megabytes of PNG
#: frames can claim a gigabyte of pixels.
PIXELS_MAX = 8192 * 4320
#: A recording whose first pictures do not come within so many packets is not one.
PACKETS_LOOKED_AT = 2000
#: Nor within so many bytes, the index of a day-long MP4 included. A demuxer takes whole packets, attachments and
#: indexes into memory, of whatever length they claim.
READ_MAX_BYTES = 32 * 1024**2
#: Nor within such a time, of pictures that take long and show nothing.
LOOK_MAX_S = 10.0
#: A phone writes nine: pictures, two kinds of sound, and what its sensors say.
STREAMS_MAX = 12
#: A kilobyte of MP4 can claim a hundred million pictures, of which each has a place in the demuxer's index. This is an
#: index of twelve hours at sixty pictures a second, or the brightness of a picture of PIXELS_MAX.
ALLOCATED_AT_ONCE_MAX = 64 * 1024**2
#: For whoever opens what somebody sent.
CAREFULLY: Mapping[str, str] = {"max_pixels": str(PIXELS_MAX), "max_streams": str(STREAMS_MAX)}
#: How many files are looked at in one process at the same time, each of which may take all that is allowed.
_looks = BoundedSemaphore(2)


def _limit_allocations() -> None:
    """PyAV has no word for this limit of FFmpeg's, which is the process's. Not where libraries are found otherwise."""
    try:
        limit = ctypes.CDLL(av._core.__file__).av_max_alloc
    except (OSError, AttributeError):
        return
    limit.argtypes, limit.restype = [ctypes.c_size_t], None
    limit(ALLOCATED_AT_ONCE_MAX)


_limit_allocations()


@dataclass(frozen=True, slots=True)
class VideoKind:
    """`suffix` with its dot, the Content-Type to serve, and the demuxer that must be able to read it."""

    suffix: str
    content_type: str
    demuxer: str


WEBM = VideoKind(".webm", "video/webm", "matroska")
MATROSKA = VideoKind(".mkv", "video/x-matroska", "matroska")
MP4 = VideoKind(".mp4", "video/mp4", "mp4")
MOV = VideoKind(".mov", "video/quicktime", "mov")

KINDS: Mapping[str, VideoKind] = {kind.suffix: kind for kind in (WEBM, MATROSKA, MP4, MOV)}
CONTENT_TYPES: Mapping[str, str] = {suffix: kind.content_type for suffix, kind in KINDS.items()}

EBML_MAGIC = b"\x1a\x45\xdf\xa3"
EBML_DOC_TYPE = b"\x42\x82"
QUICKTIME_BRAND = b"qt  "
#: Atoms that open an old QuickTime file, which has no `ftyp`.
QUICKTIME_ATOMS = (b"moov", b"mdat", b"wide", b"free", b"skip")


def identify(file: BinaryIO) -> VideoKind:
    """The kind of a seekable file, which is left at its start. Raises NotAVideo."""
    file.seek(0)
    kind = _by_magic(file.read(HEAD_BYTES))
    file.seek(0)
    if kind is None:
        raise NotAVideo
    with _looks:
        if not _has_pictures(file, kind):
            raise NotAVideo
    file.seek(0)
    return kind


def _by_magic(head: bytes) -> VideoKind | None:
    if head.startswith(EBML_MAGIC):
        return _by_doc_type(head)
    if head[4:8] == b"ftyp":
        return MOV if head[8:12] == QUICKTIME_BRAND else MP4
    return MOV if head[4:8] in QUICKTIME_ATOMS else None


def _by_doc_type(head: bytes) -> VideoKind | None:
    at = head.find(EBML_DOC_TYPE)
    if at < 0 or at + 3 > len(head):
        return None
    length = head[at + 2] & 0x7F
    doc_type = head[at + 3 : at + 3 + length].rstrip(b"\0")
    return {b"webm": WEBM, b"matroska": MATROSKA}.get(doc_type)


class _FirstBytes:
    """A file that ends, for the demuxer, once it has read READ_MAX_BYTES of it, wherever those lie."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = READ_MAX_BYTES
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data


def _has_pictures(file: BinaryIO, kind: VideoKind) -> bool:
    """Whether the demuxer finds a picture of a sane size that decodes."""
    options = dict(CAREFULLY)  # also for the look at the streams that opening takes
    try:
        with av.open(_FirstBytes(file), format=kind.demuxer, metadata_errors="ignore", options=options) as container:
            stream = next(filter(is_moving, container.streams.video), None)
            if stream is None:
                return False
            stream.codec_context.options = {"max_pixels": CAREFULLY["max_pixels"]}
            return next(_pictures(container, stream), None) is not None
    except (FFmpegError, ValueError, EOFError):  # what PyAV raises for noise, cut files and unknown codecs
        return False


def is_moving(stream: av.VideoStream) -> bool:
    """Not the cover of a sound recording, and of a codec that there is a decoder for."""
    return not stream.disposition & Disposition.attached_pic and stream.codec_context is not None


def _pictures(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    deadline = monotonic() + LOOK_MAX_S
    for seen, packet in enumerate(container.demux(stream)):
        if seen >= PACKETS_LOOKED_AT or monotonic() > deadline:
            return
        yield from packet.decode()
