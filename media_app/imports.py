"""Recordings from a folder: which file belongs to which session, and what became of each."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

from django.core.files import File

from media_app import services, video
from proctoring_site.audit.models import Action
from sessions_app.errors import ProctoringError
from sessions_app.import_rows import uuid_of
from sessions_app.models import Session

MANIFEST_COLUMNS = {"session_id", "filename"}


class UnreadableManifest(ProctoringError):
    code = "unreadable_manifest"
    sentence = "The manifest must be a UTF-8 CSV file with the columns session_id and filename."


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file and the session it is meant for, by the manifest or by its name."""

    session_id: str
    filename: str


@dataclass(slots=True)
class Outcome:
    """`failed` are (file name, reason), for a person to read."""

    imported: int = 0
    already_there: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)


def wanted_of(folder: Path, manifest: Path | None) -> list[Wanted]:
    """What is to be imported, in the order of names. Raises UnreadableManifest."""
    if manifest is not None:
        return _by_manifest(manifest)
    files = sorted(path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return [Wanted(session_id=name.partition(".")[0], filename=name) for name in files]


def import_one(folder: Path, wanted: Wanted, outcome: Outcome, *, replace: bool = False, dry_run: bool = False) -> None:
    """Import one file and note in the outcome what became of it; a file that fails stops no other."""
    try:
        _import(folder, wanted, outcome, replace=replace, dry_run=dry_run)
    except ProctoringError as error:
        outcome.failed.append((wanted.filename, str(error)))


def _import(folder: Path, wanted: Wanted, outcome: Outcome, *, replace: bool, dry_run: bool) -> None:
    session = Session.objects.filter(pk__in=[wanted.session_id, uuid_of(wanted.session_id)]).first()
    if session is None:
        raise ProctoringError(f"no session has the id {wanted.session_id!r}")
    if session.pk in outcome.sessions:
        raise ProctoringError("an earlier file was for the same session; a session has one video")
    if session.video_path and not replace:
        outcome.sessions.add(session.pk)
        outcome.already_there += 1
        return
    with services.open_for_import(folder, wanted.filename) as file:
        if dry_run:
            video.identify(file)
        else:
            content = File(file, name=wanted.filename)
            services.attach_video(session, content, action=Action.IMPORTED, instead=replace)
    outcome.sessions.add(session.pk)
    outcome.imported += 1


def _by_manifest(manifest: Path) -> list[Wanted]:
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            if not set(table.fieldnames or ()) >= MANIFEST_COLUMNS:
                raise UnreadableManifest
            return [Wanted(row["session_id"] or "", row["filename"] or "") for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableManifest(f"The manifest cannot be read: {error}.") from error
