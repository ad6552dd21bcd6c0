"""The README's example, line by line as a newcomer types it."""

import os
import re
import subprocess
import sys

from django.conf import settings

from tests.browser.conftest import USERNAME
from tests.servers import until

ADDRESS = "http://127.0.0.1:8000"


def test_the_example_of_the_api_works_as_it_stands(site, tmp_path):
    (block,) = re.findall(r"```sh\n(B=.*?)```", (settings.BASE_DIR / "README.md").read_text(), re.DOTALL)
    assert ADDRESS in block
    lines = block.replace(ADDRESS, site.url).replace("create_api_token admin", f"create_api_token {USERNAME}")
    lines = re.sub(r"\bcurl -", "curl --fail-with-body -", lines)
    (tmp_path / "data").symlink_to(site.data_dir)
    (tmp_path / "manage.py").symlink_to(settings.BASE_DIR / "manage.py")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    until(lambda: list((site.data_dir / "videos").glob("*.webm")))  # the demo's
    database = f"test_browser_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    environment = {**os.environ, "MONGODB_DATABASE": database, "DATA_DIR": str(site.data_dir)}
    typed = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        cwd=tmp_path,
        env=environment | {"DJANGO_SETTINGS_MODULE": "proctoring_site.settings"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert typed.returncode == 0, typed.stdout + typed.stderr
    assert '"integrity_score":98' in typed.stdout
    assert (tmp_path / "copy.webm").read_bytes()[:4] == b"\x1a\x45\xdf\xa3"
