"""rclone as an S3 server, which checks each signature, on its own port. Import the fixtures where they are needed."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from proctoring_site.launch.child_process import end, start_tied
from tests.s3_server import BUCKET
from tests.servers import free_port, until

RCLONE = Path(sys.executable).parent / "rclone"
ACCESS_KEY, SECRET_KEY = "rclones-access-key", "rclones-secret-key"
KEYS = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY, "region_name": "us-east-1"}


def client(url: str, *, secret_key: str) -> Any:
    return boto3.client("s3", endpoint_url=url, **{**KEYS, "aws_secret_access_key": secret_key})


def start(folder: Path, *options: str, port: int) -> subprocess.Popen:
    """Buckets are the folders of the folder."""
    served = ["--addr", f"127.0.0.1:{port}", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}"]
    places = ["--config", f"{folder}.conf", "--cache-dir", f"{folder}.cache", "--vfs-cache-mode", "writes"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return start_tied([str(RCLONE), "serve", "s3", str(folder), *served, *places, *options], **quiet)


@pytest.fixture(scope="module")
def rclone_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("rclone") / "buckets"
    (folder / BUCKET).mkdir(parents=True)
    url = f"http://127.0.0.1:{(port := free_port())}"
    process = start(folder, port=port)
    until(lambda: _answers(url))
    yield url
    end(process, patience_s=10)
    shutil.rmtree(folder.parent)


def _answers(url: str) -> bool:
    try:
        return bool(httpx.get(url).status_code)
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def rclone_bucket(rclone_url: str) -> Any:
    return boto3.resource("s3", endpoint_url=rclone_url, **KEYS).Bucket(BUCKET)


@pytest.fixture
def rclone(rclone_bucket: Any, rclone_url: str, settings: Any) -> Any:
    """Its bucket, empty; the settings know how to reach it."""
    rclone_bucket.objects.all().delete()
    settings.AWS_S3_ENDPOINT_URL, settings.AWS_STORAGE_BUCKET_NAME = rclone_url, BUCKET
    settings.AWS_ACCESS_KEY_ID, settings.AWS_SECRET_ACCESS_KEY = ACCESS_KEY, SECRET_KEY
    settings.AWS_S3_REGION_NAME = "us-east-1"
    return rclone_bucket
