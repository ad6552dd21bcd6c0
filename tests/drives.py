"""The drives of videos and reports in a folder of the test's own. Imported by the conftest of each app that stores."""

from pathlib import Path
from typing import Any

import pytest

from media_app.storage.local import UNFINISHED


@pytest.fixture
def data_dir(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    settings.VIDEO_IMPORT_DIR = tmp_path / "recordings"
    settings.VIDEO_IMPORT_DIR.mkdir()
    settings.STORAGES = {**settings.STORAGES}  # so that Django makes the storages anew
    return settings.DATA_DIR


def stored(drive: Path) -> list[str]:
    """Finished files of a drive, by name."""
    return sorted(path.name for path in drive.iterdir() if path.is_file()) if drive.exists() else []


def unfinished(drive: Path) -> list[str]:
    return [path.name for path in drive.rglob("*") if path.suffix in UNFINISHED]
