"""No process looks for the libraries of maps when it starts, and the database backend takes that well."""

import sys

import pytest
from django.core.exceptions import ImproperlyConfigured
from django_mongodb_backend import features, operations

from proctoring_site.mongo_engine import no_maps


def test_nothing_looked_for_them():
    assert [name for name in sys.modules if name.startswith(no_maps.GDAL)] == []
    with pytest.raises(ImproperlyConfigured, match="No model here has a geometry"):
        __import__(no_maps.GDAL)


@pytest.mark.parametrize("without", [operations.GISOperations, features.GISFeatures])
def test_the_backend_has_taken_its_way_without_them(without):
    """Were this its own class, something would have imported the backend before the settings could speak."""
    assert without.__bases__ == (object,)


def test_installed_twice_it_is_there_once():
    no_maps.install()
    assert sum(isinstance(finder, no_maps.NoMaps) for finder in sys.meta_path) == 1
