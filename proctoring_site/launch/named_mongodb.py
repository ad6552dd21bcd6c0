"""A MongoDB server that somebody named by MONGODB_URL: is the name sound, does it answer, is it new enough?"""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from pymongo import MongoClient
from pymongo.errors import ConfigurationError, InvalidURI, OperationFailure, PyMongoError

from proctoring_site import env
from proctoring_site.launch.child_process import LaunchError
from proctoring_site.launch.mongod_binary import OLDEST_SERVER
from proctoring_site.mongo_engine import mongodb_url
from proctoring_site.mongo_engine.away import origins

SCHEMES = ("mongodb://", "mongodb+srv://")
NOT_A_URL = (
    "MONGODB_URL is not a MongoDB connection string such as mongodb://user:password@host:27017/ "
    "(special characters in the password percent-encoded)."
)
#: By MongoDB's code.
REFUSED: Mapping[int, str] = {
    13: "MongoDB refuses this: MONGODB_URL needs a login with the right to do it",
    18: "MongoDB refused the login in MONGODB_URL",
}


def named_server() -> str | None:
    """MONGODB_URL with our options. What is wrong with it is said without repeating it: it may hold a password."""
    given = env.secret("MONGODB_URL")
    if not given:
        return None
    if not given.startswith(SCHEMES):
        raise LaunchError(NOT_A_URL)
    try:
        url = mongodb_url.with_options(given)
        MongoClient(url, connect=False).close()
    except (InvalidURI, ValueError) as error:
        raise LaunchError(NOT_A_URL) from error
    except ConfigurationError as error:
        raise LaunchError(f"MONGODB_URL cannot be used: {error}") from error
    except OSError as error:  # such as tlsCAFile, which it names, without the path and why
        raise LaunchError(f"MONGODB_URL cannot be used: {error.strerror}: {os.strerror(error.errno)}.") from error
    return url


def fault_of(error: BaseException) -> str | None:
    """What is wrong with MONGODB_URL by this error, in a sentence that repeats none of it; None: it is about something
    else."""
    for one in origins(error):
        if isinstance(one, InvalidURI):
            return NOT_A_URL
        if isinstance(one, ConfigurationError):
            return f"MONGODB_URL cannot be used: {one}"
        if isinstance(one, OSError | ValueError):  # no sentence of the driver's: a port or a file that is none
            return _fault_of_the_url()
        if isinstance(one, OperationFailure) and one.code in REFUSED:
            what = (one.details or {}).get("errmsg", "").partition(" to execute command")[0]  # which has the data
            return f"{REFUSED[one.code]} ({what.rstrip('.')})."
    return None


def _fault_of_the_url() -> str | None:
    try:
        named_server()
    except LaunchError as fault:
        return str(fault)
    return None


def server_version(url: str) -> str:
    """Ask the server; raise LaunchError when it is away, refuses us or is too old."""
    try:
        with MongoClient(url) as client:
            client.admin.command("ping")
            version = client.admin.command("buildInfo")["version"]
    except OperationFailure as error:
        raise LaunchError(f"MongoDB at {hosts_of(url)} refused the request ({error.details['errmsg']}).") from error
    except PyMongoError as error:
        raise LaunchError(
            f"MongoDB at {hosts_of(url)} cannot be reached: start it, correct MONGODB_URL, "
            "or unset MONGODB_URL to use an embedded one."
        ) from error
    if not is_new_enough(version):
        raise LaunchError(f"MongoDB at {hosts_of(url)} is version {version}; 6.0 or newer is needed.")
    return version


def is_new_enough(version: str) -> bool:
    major, minor = version.split(".")[:2]
    return (int(major), int(minor)) >= OLDEST_SERVER


def hosts_of(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
