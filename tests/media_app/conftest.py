"""Clips are encoded once per run; every test has drives of its own."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import clips as make
from tests.drives import data_dir  # noqa: F401 - a fixture of this folder's tests


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """One real clip per suffix, an AVI among them, which is none of ours."""
    folder = tmp_path_factory.mktemp("clips")
    return {suffix: make.clip(folder, suffix) for suffix in make.CODECS}
