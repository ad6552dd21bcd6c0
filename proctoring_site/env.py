"""Typed readers of the environment. Each fails loudly, naming the variable and what it expects."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

#: Ten years. What comes from far beyond is an instant that no date can tell, in every request that needs it.
SECONDS_MAX = 10 * 365 * 24 * 3600

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def secret(name: str) -> str:
    """NAME, or what the file that NAME_FILE names holds, without the newline at its end. No error repeats a content."""
    given, file = text(name), text(f"{name}_FILE")
    if not file:
        return given
    if given:
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set: keep one of them.")
    try:
        content = Path(file).expanduser().read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ImproperlyConfigured(f"{name}_FILE names a file that cannot be read: {why}.") from None
    if not content.strip():
        raise ImproperlyConfigured(f"{name}_FILE names a file that is empty.")
    return content


def flag(name: str, *, default: bool = False) -> bool:
    raw = os.environ.get(name)
    if raw is None:
        return default
    if raw.strip().lower() in TRUE:
        return True
    if raw.strip().lower() in FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {raw!r}.")


def positive_int(name: str, default: int) -> int:
    return _number(name, default, least=1)


def whole_number(name: str, default: int) -> int:
    """As `positive_int`, and 0, which switches off."""
    return _number(name, default, least=0)


def web_threads() -> int:
    """granian's, in each process. The launcher starts so many, and recordings may hold a share of them."""
    return positive_int("WEB_THREADS", 64)


def seconds(name: str, default: int, *, least: int = 1) -> int:
    return _number(name, default, least=least, most=SECONDS_MAX)


def _number(name: str, default: int, *, least: int, most: int | None = None) -> int:
    raw = text(name)
    if not raw:
        return default
    is_one = raw.isascii() and raw.isdigit()
    if not is_one or int(raw) < least or (most is not None and int(raw) > most):
        bounds = f"from {least} to {most}" if most else "above 0" if least else "and not below 0"
        raise ImproperlyConfigured(f"{name} must be a whole number {bounds}, not {raw!r}.")
    return int(raw)


def choice(name: str, options: tuple[str, ...], default: str) -> str:
    """One of the options, written in any case."""
    raw = text(name)
    if not raw:
        return default
    for option in options:
        if raw.lower() == option.lower():
            return option
    raise ImproperlyConfigured(f"{name} must be one of {', '.join(options)}, not {raw!r}.")


def text_list(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """A comma-separated list; blanks are dropped."""
    return items_of(text(name)) or list(default)


def items_of(listed: str) -> list[str]:
    return [item.strip() for item in listed.split(",") if item.strip()]


def path(name: str, default: Path) -> Path:
    """An absolute path; a relative one counts from the folder the process was started in."""
    raw = text(name)
    return Path(raw).expanduser().absolute() if raw else default


def first_line(file: Path) -> str:
    """What `make run` keeps in a file of one line; empty when there is none."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def weights(name: str) -> Mapping[str, int]:
    """A JSON object of event type → whole points, 0 or more. Empty when unset."""
    raw = text(name, "{}")
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise ImproperlyConfigured(f'{name} must be JSON such as {{"focus_lost": 3}}: {error}.') from error
    whole = isinstance(value, dict) and all(type(points) is int and points >= 0 for points in value.values())
    if not whole:
        raise ImproperlyConfigured(f"{name} must be a JSON object of event types and whole points, 0 or more.")
    return value
