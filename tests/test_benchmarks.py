"""Each benchmark starts: nothing else of the suite imports them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = sorted(
    f"bench.{file.stem}" for file in (ROOT / "bench").glob("*.py") if "__main__" in file.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("module", BENCHMARKS)
def test_benchmark_tells_how_it_is_run(module: str) -> None:
    as_in_a_shell = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    told = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, env=as_in_a_shell, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    assert "usage:" in told.stdout
