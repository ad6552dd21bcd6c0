"""Moments of a sitting, for people and from them: 12:04 or 1:12:04 since its start. Pure."""

import re

#: How far a drawing reaches beyond a sitting whose length is known; what is told to lie further out stands at its edge,
#: so that no event of the year 2099 makes the sitting a dot. No zone's time is further off, where a client tells that.
BEYOND_MAX_S = 14 * 3600.0

_MOMENT = re.compile(r"\s*([-−]?)(?:(\d{1,3}):)??(\d{1,3}):(\d{1,2}(?:\.\d{1,3})?)\s*", re.ASCII)
_SECONDS = re.compile(r"\s*(\d{1,7}(?:\.\d{1,3})?)\s*", re.ASCII)


def said(seconds: float) -> str:
    """As the desk's static/desk/session/clock.js says it: whole seconds, hours only where there are any."""
    whole = int(abs(seconds) + 1e-6)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    sign = "−" if seconds < 0 and whole else ""
    return f"{sign}{hours}:{minutes:02}:{rest:02}" if hours else f"{sign}{minutes}:{rest:02}"


def stretch(begins: float, ends: float) -> str:
    """Where it begins before the sitting, in a word: a dash beside a minus is hard to read."""
    first, last = said(begins), said(ends)
    if first == last:
        return first
    return f"{first} to {last}" if first[0] == "−" else f"{first}–{last}"


def length(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s"


def read(text: str) -> float:
    """Seconds since the start. Raises ValueError for what is no moment."""
    if plain := _SECONDS.fullmatch(text):
        return float(plain[1])
    told = _MOMENT.fullmatch(text)
    if told is None:
        raise ValueError(text)
    sign, hours, minutes, seconds = told.groups()
    total = int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
    return -total if sign else total
