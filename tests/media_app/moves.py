"""Recordings on the local disk, and what moves them to another storage."""

import io

import pytest
from django.core.files import File
from django.core.management import call_command

from media_app.models import Recording
from media_app.services import attach_video
from tests.factories import make_session


@pytest.fixture
def recordings(data_dir, clips, run_jobs, s3):
    for suffix in (".webm", ".mp4"):
        with clips[suffix].open("rb") as file:
            attach_video(make_session(), File(file, name="clip"))
    run_jobs()
    return list(Recording.objects.all())


def migrate(*options, source="local", target="s3"):
    out = io.StringIO()
    call_command("migrate_storage", "--from", source, "--to", target, *options, stdout=out)
    return out.getvalue().strip()


def keys(bucket):
    return {found.key for found in bucket.objects.all()}
