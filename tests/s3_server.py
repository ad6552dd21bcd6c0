"""moto as an S3 server on a port of its own. Import the fixtures where they are needed."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.servers import free_port

BUCKET = "recordings"


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(moto_url: str, settings: Any) -> Any:
    """Its bucket, empty; the settings know how to reach it."""
    settings.AWS_S3_ENDPOINT_URL, settings.AWS_STORAGE_BUCKET_NAME = moto_url, BUCKET
    settings.AWS_ACCESS_KEY_ID, settings.AWS_SECRET_ACCESS_KEY = "an-access-key", "a-secret-key"
    settings.AWS_S3_REGION_NAME = "us-east-1"
    keys = {"aws_access_key_id": "an-access-key", "aws_secret_access_key": "a-secret-key"}
    bucket = boto3.resource("s3", endpoint_url=moto_url, region_name="us-east-1", **keys).Bucket(BUCKET)
    bucket.create()
    bucket.objects.all().delete()
    return bucket
