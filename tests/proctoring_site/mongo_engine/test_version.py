"""An upgrade of the backend is noticed, and with it the question which of our patches are still needed."""

from importlib.metadata import version

from django.conf import settings

REVIEWED = "5.2.4"


def test_the_installed_backend_is_the_one_our_patches_were_written_for():
    assert version("django-mongodb-backend") == REVIEWED


def test_the_requirements_pin_it():
    assert f"django-mongodb-backend=={REVIEWED} " in (settings.BASE_DIR / "requirements.txt").read_text()
