"""STORAGE_BACKEND: the class behind every value. A start that stops at a wrong one: test_checks.py."""

import os
import subprocess
import sys

import pytest
from django.conf import settings as django_settings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.utils.module_loading import import_string

from media_app.storage import BACKENDS, REQUIRED_SETTINGS, SwitchingStorage, backend_class_path
from media_app.storage.local import LocalStorage

DRIVES = ["videos", "reports"]
CLASS_PATHS = {
    "local": "media_app.storage.local.LocalStorage",
    "deta": "media_app.storage.deta.DetaDriveStorage",
    "s3": "media_app.storage.s3.PrivateS3Storage",
}


class TestTheClass:
    @pytest.mark.parametrize(("value", "path"), CLASS_PATHS.items())
    def test_of_every_value_is_known(self, value, path):
        assert backend_class_path(value) == path

    def test_every_value_has_a_class_and_its_required_settings(self):
        assert set(BACKENDS) == set(REQUIRED_SETTINGS) == set(CLASS_PATHS)

    def test_every_class_can_be_imported(self):
        for name in BACKENDS:
            import_string(backend_class_path(name))

    @pytest.mark.parametrize("drive", DRIVES)
    def test_in_use_by_default_is_the_local_disk(self, drive, data_dir):
        assert django_settings.STORAGE_BACKEND == "local"
        assert type(storages[drive]) is SwitchingStorage
        assert type(storages[drive].backend) is LocalStorage
        assert storages[drive].backend.location == str(data_dir / drive)

    @pytest.mark.parametrize("value", ["", "ftp", "Local", "local "])
    def test_of_an_unknown_value_is_none(self, value):
        with pytest.raises(ImproperlyConfigured, match="local, deta, s3"):
            backend_class_path(value)


def test_s3_and_its_bucket_are_enough(settings):
    """What each backend lacks without its key: test_checks.py."""
    settings.STORAGE_BACKEND, settings.AWS_STORAGE_BUCKET_NAME = "s3", "a-bucket"
    assert [error.id for error in run_checks() if str(error.id).startswith("proctoring.")] == []


def test_inside_deta_space_the_named_backend_still_wins():
    environment = {**os.environ, "DETA_SPACE_APP": "true", "STORAGE_BACKEND": "local"}
    command = [sys.executable, "manage.py", "check"]
    assert subprocess.run(command, cwd=django_settings.BASE_DIR, env=environment, capture_output=True).returncode == 0
