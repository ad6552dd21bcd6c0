"""The document at /schema, as the tests of it read it."""

import json
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.core.management import call_command
from jsonschema import Draft202012Validator, FormatChecker


@lru_cache
def document():
    with TemporaryDirectory() as folder:
        file = Path(folder) / "schema.json"
        call_command("spectacular", "--fail-on-warn", "--format", "openapi-json", "--file", str(file))
        return json.loads(file.read_text())


def operations():
    return [(m.upper(), path, it) for path, methods in document()["paths"].items() for m, it in methods.items()]


def examples(of, *, least, most):
    """(method, path, status, content type, example's name, value), of the answers between these statuses."""
    return [
        (method, path, int(status), media, example.get("summary") or name, example["value"])
        for method, path, operation in of
        for status, answer in operation["responses"].items()
        for media, content in answer.get("content", {}).items()
        for name, example in content.get("examples", {}).items()
        if least <= int(status) <= most
    ]


def named(example):
    return " ".join(map(str, example[:5]))


def schema_errors(schema: dict[str, Any], value: Any) -> list[str]:
    """OpenAPI 3.1 is JSON Schema."""
    whole = {**schema, "components": document()["components"]}
    return [error.message for error in Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(value)]


def documented(method, path, status, media="application/json"):
    return document()["paths"][path][method.lower()]["responses"][str(status)]["content"][media]
