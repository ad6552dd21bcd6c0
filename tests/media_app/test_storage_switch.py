"""STORAGE_BACKEND: the class behind every value, and a start that stops when the value or a key is wrong."""

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


def error_ids():
    return sorted(error.id for error in run_checks() if error.id and error.id.startswith("proctoring."))


def manage_check(**environment):
    command = [sys.executable, "manage.py", "check"]
    return subprocess.run(
        command, cwd=django_settings.BASE_DIR, env={**os.environ, **environment}, capture_output=True, text=True
    )


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


class TestTheChecks:
    def test_find_nothing_wrong_with_the_shipped_settings(self):
        assert error_ids() == []

    def test_name_an_unknown_value(self, settings):
        settings.STORAGE_BACKEND = "ftp"
        assert error_ids() == ["proctoring.E001"]

    @pytest.mark.parametrize(
        ("backend", "key"), [(name, key) for name, keys in REQUIRED_SETTINGS.items() for key in keys]
    )
    def test_name_a_missing_key(self, backend, key, settings):
        settings.STORAGE_BACKEND = backend
        setattr(settings, key, "")
        assert error_ids() == ["proctoring.E002"]
        assert any(key in error.msg and key in error.hint for error in run_checks() if error.id == "proctoring.E002")

    def test_find_nothing_wrong_with_s3_and_its_bucket(self, settings):
        settings.STORAGE_BACKEND, settings.AWS_STORAGE_BUCKET_NAME = "s3", "a-bucket"
        assert error_ids() == []

    def test_name_a_deta_key_that_cannot_be_one_without_repeating_it(self, settings):
        settings.STORAGE_BACKEND, settings.DETA_PROJECT_KEY = "deta", "secretwithoutunderscore"
        assert error_ids() == ["proctoring.E004"]
        assert not any("secretwithout" in str(error) + str(error.hint) for error in run_checks())


class TestTheRealStart:
    """That the environment reaches these settings; what each lacks, the checks above say."""

    def test_is_stopped_by_name_and_hint(self):
        run = manage_check(DETA_SPACE_APP="true", DETA_PROJECT_KEY="nounderscore")
        assert run.returncode != 0
        assert [number for number in ("E001", "E002", "E004") if f"proctoring.{number}" in run.stderr] == ["E004"]
        assert run.stderr.count("HINT: ") == 1
        assert "Traceback" not in run.stderr

    def test_inside_deta_space_the_named_backend_still_wins(self):
        assert manage_check(DETA_SPACE_APP="true", STORAGE_BACKEND="local").returncode == 0
