"""What the player plays, and in words why it plays nothing: a session's recordings on the sitting's own time."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.urls import NoReverseMatch, reverse

from media_app.models import Recording, RecordingKind, RecordingState
from sessions_app.models import Session


@dataclass(frozen=True, slots=True)
class Track:
    """One recording from second `begins` to second `ends` of the sitting; `ends` None: as long as it turns out to be.
    `url` None: it cannot be shown, and `words` say why."""

    kind: str
    url: str | None
    begins: float
    ends: float | None
    words: str
    has_pictures: bool = False


@dataclass(frozen=True, slots=True)
class Screen:
    """What one kind of recording shows. `words`: of what cannot be shown; empty when all can."""

    kind: str
    tracks: tuple[Track, ...]

    @property
    def label(self) -> str:
        return RecordingKind(self.kind).label

    @property
    def first_url(self) -> str | None:
        return next((track.url for track in self.tracks if track.url), None)

    @property
    def words(self) -> list[str]:
        return [track.words for track in self.tracks if track.words]


def screens_of(session: Session, recordings: Iterable[Recording]) -> list[Screen]:
    """Those of which there is a recording, and the camera's when there is none."""
    tracks = [_track(recording) for recording in recordings]
    if not tracks and (name := session.video_name):  # adopted: a file that no recording tells of
        url = reverse("stored-video", args=[name])
        tracks = [Track(RecordingKind.CAMERA, url, 0.0, None, "")]
    by_kind = {kind: sorted((t for t in tracks if t.kind == kind), key=lambda t: t.begins) for kind in RecordingKind}
    shown = [Screen(kind, tuple(found)) for kind, found in by_kind.items() if found]
    return shown or [Screen(RecordingKind.CAMERA, ())]


def end_of(screens: Iterable[Screen]) -> float:
    """The second at which the last recording ends, as far as that is known."""
    return max((track.ends or track.begins for screen in screens for track in screen.tracks), default=0.0)


def for_script(screens: Iterable[Screen]) -> list[dict[str, Any]]:
    """Those that can be played, as static/desk/session/player.js takes them."""
    return [
        {"kind": t.kind, "src": t.url, "from": t.begins, "until": t.ends, "has_pictures": t.has_pictures}
        for screen in screens
        for t in screen.tracks
        if t.url
    ]


def pictures_url(session: Session) -> str | None:
    """Where a picture of any moment is to be had (`?at_s=`); None where no address can hold the session's id."""
    try:
        return reverse("session-thumbnail", args=[session.pk])
    except NoReverseMatch:
        return None


def _track(recording: Recording) -> Track:
    begins = recording.start_offset_s or 0.0
    return Track(
        kind=recording.kind,
        url=reverse("stored-video", args=[recording.name]) if recording.served_file else None,
        begins=begins,
        ends=begins + recording.duration_s if recording.duration_s is not None else None,
        words=_words(recording),
        has_pictures=recording.state == RecordingState.READY,
    )


def _words(recording: Recording) -> str:
    match recording.state:
        case RecordingState.RECEIVING:
            share = recording.offset / recording.size_bytes if recording.size_bytes else 0
            return f"A recording is still arriving: {share:.0%} of it is here."
        case RecordingState.REJECTED:
            return f"A recording was rejected, and is kept: {recording.reason or 'it is not a video'}"
        case RecordingState.PROCESSING if recording.reason:
            return f"A recording could not be prepared: {recording.reason}"
        case RecordingState.PROCESSING if recording.served_file:
            return "This recording is still being prepared; until then, some moments may be out of reach."
        case RecordingState.PROCESSING:
            return "A recording is still being prepared."
    return "" if recording.served_file else "There is a recording, but it is not a video that can be shown."
