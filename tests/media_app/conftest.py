"""Clips are encoded once per run; every test has drives of its own, to which recordings are sent."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import av
import pytest

from media_app import resumable
from media_app.models import Recording
from proctoring_site.launch.demo_clip import ONE_THREAD
from sessions_app.models import Session
from tests import clips as make
from tests.drives import data_dir  # noqa: F401 - a fixture of this folder's tests
from tests.factories import make_session


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """One real clip per suffix, an AVI among them, which is none of ours."""
    folder = tmp_path_factory.mktemp("clips")
    return {suffix: make.clip(folder, suffix) for suffix in make.CODECS}


@pytest.fixture
def videos(data_dir: Path) -> Path:  # noqa: F811 - the fixture
    return data_dir / "videos"


@pytest.fixture
def send(data_dir: Path) -> Callable[..., Recording]:  # noqa: F811 - the fixture
    """`send(data, session=…, kind=…)`: a recording of which all has come and nobody has looked yet."""

    def arrive(data: bytes, *, session: Session | None = None, **told: object) -> Recording:
        recording = resumable.begin(session or make_session(), size_bytes=len(data), **told)
        return resumable.write(recording, offset=0, chunks=iter([data]))

    return arrive


@pytest.fixture
def live() -> bytes:
    """As a browser records: written to a stream that cannot be sought in, so without duration and index."""

    class Stream(io.BytesIO):
        def seekable(self) -> bool:
            return False

    out = Stream()
    with av.open(out, "w", format="webm", container_options={"live": "1"}) as container:
        stream = container.add_stream("libvpx", rate=10, options=ONE_THREAD)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(30):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([number * 8 % 256]) * plane.buffer_size)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()
