"""A short, real video made on the spot: the demo needs one, and the repository carries no recordings."""

from pathlib import Path

import av

WIDTH, HEIGHT, FRAMES_PER_S = 320, 240, 15
#: The threads of libvpx wait for each other at full speed, which for pictures so small is 15 times the encoding itself.
ONE_THREAD = {"threads": "1"}


def write_clip(path: Path, *, seconds: int = 8, codec: str = "libvpx") -> Path:
    """Encode a moving bar with a beat of light, so that seeking can be seen. The container follows the suffix."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FRAMES_PER_S, options=ONE_THREAD)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 200_000
        for number in range(seconds * FRAMES_PER_S):
            container.mux(stream.encode(_frame(number)))
        container.mux(stream.encode(None))
    return path


def _frame(number: int) -> av.VideoFrame:
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    bar = number * 4 % WIDTH
    row = bytes(235 if bar <= x < bar + 24 else 60 + x // 4 for x in range(WIDTH))
    _fill(frame.planes[0], [row] * HEIGHT)
    warm, cold = (138, 118) if number // FRAMES_PER_S % 2 else (118, 138)
    for plane, tint in zip(frame.planes[1:], (cold, warm), strict=True):
        _fill(plane, [bytes([tint]) * (WIDTH // 2)] * (HEIGHT // 2))
    return frame


def _fill(plane: av.video.plane.VideoPlane, rows: list[bytes]) -> None:
    padding = bytes(plane.line_size - len(rows[0]))  # lines are aligned in memory
    plane.update(b"".join(row + padding for row in rows))
