"""Videos of the time before recordings, the earlier service's and those of our first releases, become recordings: then
they can be sought in, and their moments have pictures."""

from collections.abc import Iterator

from django.conf import settings
from django.core.files.storage import storages

from media_app import arrival, processing, services, video
from media_app.models import Recording, RecordingState
from proctoring_site.audit.models import Action
from sessions_app.errors import ProctoringError, SessionNotFound
from sessions_app.models import Session, now

#: It may be another's as well, and a recording's file goes with it.
NOT_ITS_OWN = "The file is not named after its session and its type; import it with a manifest and --replace."


def sessions_with_one() -> Iterator[Session]:
    for session in Session.objects.with_video().only("video_path").iterator():
        name = session.video_name
        if name and Recording.objects.named(name) is None and arrival.is_old_file(name):
            yield session


def make_recording(session: Session) -> None:
    """Where it lies, and at the address that it has. Raises ProctoringError."""
    name, storage = session.video_name, storages["videos"]
    with storage.one_at_a_time(session.pk):
        is_as_it_was = Session.objects.filter(pk=session.pk, video_path=session.video_path).exists()
        if not is_as_it_was or Recording.objects.named(name):  # meanwhile, as by another run
            raise SessionNotFound
        with services.open_stored("videos", name) as file:
            kind = video.identify(file)
        if name != f"{session.pk}{kind.suffix}":
            raise ProctoringError(NOT_ITS_OWN)
        size_bytes = storage.size(name)
        recording = Recording(session_id=session.pk, size_bytes=size_bytes, offset=size_bytes, original=name, name=name)
        recording.state, recording.arrived_at = RecordingState.PROCESSING, now()
        recording.stored_on = settings.STORAGE_BACKEND
        arrival.note(recording, Action.IMPORTED)
        recording.save(force_insert=True)
    processing.queue(recording)
