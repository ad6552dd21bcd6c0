"""Every test has drives of its own."""

from tests.drives import data_dir  # noqa: F401 - a fixture of this folder's tests
