"""Nothing here is a place on a map, so no process looks for the libraries of maps when it starts.

The database backend imports Django's GIS in three places, and each time that looks for GDAL under twelve names, through
ldconfig and, where there are any, a compiler and a linker: over a hundred processes and a fifth of every start. That
there is none is an answer which the backend knows. Settings bring this: it must stand before the backend is imported.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

from django.core.exceptions import ImproperlyConfigured

GDAL = "django.contrib.gis.gdal"


class NoMaps(MetaPathFinder):
    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname == GDAL:
            raise ImproperlyConfigured("No model here has a geometry: see proctoring_site/mongo_engine/no_maps.py.")


def install() -> None:
    """Twice is harmless."""
    if not any(isinstance(finder, NoMaps) for finder in sys.meta_path):
        sys.meta_path.insert(0, NoMaps())
