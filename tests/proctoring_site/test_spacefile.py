"""The Spacefile against Deta's schema v0, written down here from its documentation, since the service is gone."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

SPACEFILE = Path(__file__).resolve().parents[2] / "Spacefile"
ENGINES = [
    "static",
    "react",
    "svelte",
    "vue",
    "next",
    "nuxt",
    "svelte-kit",
    "python3.8",
    "python3.9",
    "nodejs16",
    "custom",
]


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "additionalProperties": False, "properties": properties}


TEXT, TEXTS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
ACTION = closed(
    ["id", "name", "trigger"],
    id=TEXT,
    name=TEXT,
    description={"type": "string", "maxLength": 142},
    trigger={"const": "schedule"},
    default_interval=TEXT,
    path=TEXT,
)
PRESETS = closed(
    [],
    env={"type": "array", "items": closed(["name"], name=TEXT, description=TEXT, default=TEXT)},
    api_keys={"type": "boolean"},
)
MICRO = closed(
    ["name", "src", "engine"],
    name={"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]*$"},
    src=TEXT,
    engine={"enum": ENGINES},
    primary={"type": "boolean"},
    path=TEXT,
    commands=TEXTS,
    include=TEXTS,
    run=TEXT,
    dev=TEXT,
    public={"type": "boolean"},
    public_routes=TEXTS,
    presets=PRESETS,
    actions={"type": "array", "items": ACTION},
)
SCHEMA = closed(["v", "micros"], v={"const": 0}, micros={"type": "array", "minItems": 1, "maxItems": 5, "items": MICRO})


@pytest.fixture
def spacefile() -> dict[str, Any]:
    return yaml.safe_load(SPACEFILE.read_text())


def test_it_is_valid(spacefile: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(spacefile)
    assert not ("public" in spacefile["micros"][0] and "public_routes" in spacefile["micros"][0])


def test_it_switches_storage_to_deta_and_asks_for_a_database(spacefile: dict[str, Any]) -> None:
    (micro,) = spacefile["micros"]
    presets = {preset["name"]: preset.get("default") for preset in micro["presets"]["env"]}
    assert presets["STORAGE_BACKEND"] == "deta"
    assert presets.keys() >= {"MONGODB_URL", "SECRET_KEY"}
    assert "python3.8" != micro["engine"] != "python3.9"  # Django 5.2 needs 3.10


def test_what_it_ships_and_runs_exists(spacefile: dict[str, Any]) -> None:
    (micro,) = spacefile["micros"]
    built = {"vendor", "staticfiles"}
    assert [name for name in micro["include"] if name not in built and not (SPACEFILE.parent / name).exists()] == []
    assert "granian" in micro["run"]
    assert "--port $PORT" in micro["run"]
