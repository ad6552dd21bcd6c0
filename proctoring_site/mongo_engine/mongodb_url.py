"""Connection strings: which server we talk to, and the options that a proctoring backend must not run without."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django.core.exceptions import ImproperlyConfigured

#: What the earlier service used when MONGODB_URL was unset.
LOCALHOST = "mongodb://127.0.0.1:27017"

#: An answered write is on a majority and in the journal (kill -9: 0 of 1,981 lost; without: 267 of 5,220).
#: A server that is away is given up after 2.5 to 3 s, one that is frozen after 10 to 15 s and from then on as soon;
#: short writes have a limit of their own (calls/outage.py). Without these, a request hangs 30 s, or for ever. Not
#: timeoutMS: pymongo waits that long for an absent server, too.
OPTIONS: Mapping[str, str] = {
    "w": "majority",
    "journal": "true",
    "retryWrites": "true",
    "serverSelectionTimeoutMS": "2500",
    "connectTimeoutMS": "2000",
    "socketTimeoutMS": "10000",
    "maxPoolSize": "50",
    "waitQueueTimeoutMS": "2500",  # connections are made two at a time; to a frozen server that takes for ever
    "appname": "proctoring",
}

#: A session that was just started would be a 404 on a member that is behind, and its client drop what it has to tell.
READS_ELSEWHERE = "MONGODB_URL must not set readPreference: only the primary has all that was confirmed. Leave it out."


def with_options(url: str) -> str:
    """The same server with our options, except those that the URL sets itself (names compare without case). Raises
    ImproperlyConfigured where it has us read from secondaries."""
    parts = urlsplit(url)
    given = parse_qsl(parts.query, keep_blank_values=True)
    named = {name.lower(): value for name, value in given}
    if named.get("readpreference", "primary").lower() != "primary":
        raise ImproperlyConfigured(READS_ELSEWHERE)
    missing = [(name, value) for name, value in OPTIONS.items() if name.lower() not in named]
    return urlunsplit(parts._replace(path=parts.path or "/", query=urlencode(given + missing)))
