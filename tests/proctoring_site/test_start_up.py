"""Each way to start looks for no garbage in what it imports, and for all that comes after."""

import os
import subprocess
import sys

import pytest

from tests.servers import REPOSITORY

SAY = "import gc; print(gc.isenabled(), gc.get_freeze_count() > 100_000)"
STARTS = {
    "a command": ("manage.py", "shell", "--no-imports", "--command", SAY),
    "the server": ("-c", f"import proctoring_site.wsgi; {SAY}"),
    "a worker of Celery": ("-c", f"import proctoring_site.jobs.celery; {SAY}"),
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_what_it_imports_is_left_alone_and_what_comes_later_is_not(start):
    said = subprocess.run([sys.executable, *start], cwd=REPOSITORY, env=os.environ, capture_output=True, text=True)
    assert said.stdout.split() == ["True", "True"], said.stderr
