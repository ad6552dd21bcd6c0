"""What a serializer found wrong, as the API says it: field → sentences, however deep the fault was."""

from collections.abc import Mapping
from typing import Any


def by_field(faults: Mapping[str, Any]) -> dict[str, list[str]]:
    return {name: _sentences(inner) for name, inner in faults.items()}


def _sentences(faults: Any) -> list[str]:
    if isinstance(faults, Mapping):
        faults = list(faults.values())
    if isinstance(faults, list):
        return [sentence for fault in faults for sentence in _sentences(fault)]
    return [str(faults)]
