"""Bad combinations of settings stop the start, by id, and say what to set."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import Error, Warning, run_checks
from django.core.exceptions import ImproperlyConfigured

REPOSITORY = Path(__file__).resolve().parents[2]


def ours():
    return {message.id: message for message in run_checks() if str(message.id).startswith("proctoring.")}


def test_the_shipped_settings_have_nothing_to_complain_of():
    assert [message for message in run_checks() if isinstance(message, (Error, Warning))] == []


def test_an_unknown_storage_backend_is_refused_with_those_that_are_known(settings):
    settings.STORAGE_BACKEND = "floppy"
    assert list(ours()) == ["proctoring.E001"]
    error = ours()["proctoring.E001"]
    assert "floppy" in error.msg
    for name in ("local", "deta", "s3"):
        assert name in error.hint


@pytest.mark.parametrize(("backend", "key"), [("deta", "DETA_PROJECT_KEY"), ("s3", "AWS_STORAGE_BUCKET_NAME")])
def test_a_backend_without_its_key_names_the_key(settings, backend, key):
    settings.STORAGE_BACKEND = backend
    setattr(settings, key, "")
    error = ours()["proctoring.E002"]
    assert key in error.msg
    assert key in error.hint


def test_a_deta_key_without_its_underscore_is_refused_and_not_repeated(settings):
    settings.STORAGE_BACKEND, settings.DETA_PROJECT_KEY = "deta", "halfakey"
    error = ours()["proctoring.E004"]
    assert "halfakey" not in f"{error.msg}{error.hint}"
    settings.DETA_PROJECT_KEY = "a0_secret"
    assert "proctoring.E004" not in ours()


def test_local_storage_needs_nothing(settings):
    settings.STORAGE_BACKEND = "local"
    assert ours() == {}


def check(**environment):
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"DETA_SPACE_APP": "true", "CELERY_BROKER_URL": "localhost:6379"}, ("DETA_PROJECT_KEY", "proctoring.E007")),
        ({"SCORE_WEIGHTS": "{'focus_lost': 3}"}, ("SCORE_WEIGHTS",)),
    ],
)
def test_the_command_ends_in_failure_and_names_the_variable(environment, said):
    done = check(**environment)
    assert done.returncode != 0
    for word in said:
        assert word in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("HSTS_SECONDS", "a year", "HSTS_SECONDS"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL must be one of DEBUG, INFO"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT must be one of text, json"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(monkeypatch, name, wrong, said):
    monkeypatch.setenv("PRODUCTION", "1")
    monkeypatch.setenv(name, wrong)
    with pytest.raises(ImproperlyConfigured, match=said):
        settings_as_read()


def settings_as_read():
    return runpy.run_path(str(REPOSITORY / "proctoring_site" / "settings.py"))


@pytest.mark.parametrize(("subdomains", "seconds"), [(False, 31_536_000), (True, 31_535_999)])
def test_the_browsers_list_wants_subdomains_and_a_year(settings, subdomains, seconds):
    settings.SECURE_HSTS_PRELOAD = True
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS, settings.SECURE_HSTS_SECONDS = subdomains, seconds
    assert list(ours()) == ["proctoring.E006"]
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS, settings.SECURE_HSTS_SECONDS = True, 31_536_000
    assert ours() == {}


CELERY = ("-m", "celery", "-A", "proctoring_site.jobs.celery", "worker")


@pytest.mark.parametrize(
    ("start", "environment", "said"),
    [
        (("-c", "import proctoring_site.wsgi"), {"VIDEO_MAX_BYTES": "2GiB"}, "VIDEO_MAX_BYTES must be a whole number"),
        (CELERY, {"STORAGE_BACKEND": "floppy", "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"}, "proctoring.E001"),
    ],
    ids=["the web server", "Celery"],
)
def test_so_does_what_serves_and_it_says_what_to_set_and_no_more(start, environment, said):
    done = subprocess.run(
        [sys.executable, *start],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("ALLOWED_HOSTS", ["https://exam.example.org"], ["exam.example.org", ".example.org", "[::1]", "*"]),
        ("ALLOWED_HOSTS", ["exam.example.org:8443"], ["localhost"]),
        (
            "MEDIA_ORIGINS",
            ["media example"],
            ["media.example.org:8443", "https://media.example.org", "http://127.0.0.1:9000"],
        ),
        ("MEDIA_ORIGINS", ["https://a.example; script-src"], ["https://*.amazonaws.com"]),
        ("SENDFILE_URL", "protected", "/protected/"),
        ("SENDFILE_URL", "https://exam.example.org/protected/", "/protected"),
        ("DETA_DRIVE_HOST", "https://drive.example.org", "drive.example.org:8443"),
        ("DETA_DRIVE_HOST", "::1", "[::1]:8443"),
        ("AWS_STORAGE_BUCKET_NAME", "s3://exams", "exams"),
        ("AWS_S3_ENDPOINT_URL", "localhost:9000", "http://localhost:9000"),
        ("AWS_S3_ENDPOINT_URL", "https://", None),
        ("AWS_S3_REGION_NAME", "eu central", "eu-central-1"),
        ("CELERY_BROKER_URL", "http://hush@host", "amqp://guest:hush@host//"),
        ("CELERY_BROKER_URL", "guest:hush@host", "pyamqp://guest:hush@host//"),
    ],
)
def test_a_value_of_another_shape_is_refused_and_not_repeated(settings, name, wrong, right):
    setattr(settings, name, wrong)
    error = ours()["proctoring.E007"]
    assert name in error.msg
    assert name in error.hint
    assert "hush" not in f"{error.msg}{error.hint}"
    setattr(settings, name, right)
    assert ours() == {}


def test_a_client_that_beats_too_seldom_to_be_there_is_told_of(settings):
    settings.HEARTBEAT_EVERY_S = settings.HEARTBEAT_MISSING_AFTER_S
    assert list(ours()) == ["proctoring.W002"]


def test_production_does_not_start_on_a_key_that_lies_beside_the_data(tmp_path, monkeypatch):
    (tmp_path / "secret_key").write_text("x" * 60)
    environment = {"DATA_DIR": str(tmp_path), "SECRET_KEY": ""}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", "y, z")
    read = settings_as_read()
    assert (read["SECRET_KEY"], read["SECRET_KEY_FALLBACKS"]) == ("x" * 60, ["y", "z"])
    done = check(**environment, PRODUCTION="1")
    assert done.returncode != 0
    assert "SECRET_KEY" in done.stderr
