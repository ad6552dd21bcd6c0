"""A MongoDB server that somebody named by MONGODB_URL: is the name sound, does it answer, is it new enough?"""

from urllib.parse import urlsplit

from pymongo import MongoClient
from pymongo.errors import ConfigurationError, InvalidURI, OperationFailure, PyMongoError

from proctoring_site import env, mongodb_url
from proctoring_site.child_process import LaunchError
from proctoring_site.embedded_mongod import OLDEST_SERVER


def named_server() -> str | None:
    """MONGODB_URL with our options. What is wrong with it is said without repeating it: it may hold a password."""
    given = env.secret("MONGODB_URL")
    if not given:
        return None
    try:
        url = mongodb_url.with_options(given)
        MongoClient(url, connect=False).close()
    except (InvalidURI, ValueError) as error:
        raise LaunchError(
            "MONGODB_URL is not a MongoDB connection string such as mongodb://user:password@host:27017/ "
            "(special characters in the password percent-encoded)."
        ) from error
    except ConfigurationError as error:
        raise LaunchError(f"MONGODB_URL cannot be used: {error}") from error
    return url


def server_version(url: str) -> str:
    """Ask the server; raise LaunchError when it is away, refuses us or is too old."""
    try:
        with MongoClient(url) as client:
            client.admin.command("ping")
            version = client.admin.command("buildInfo")["version"]
    except OperationFailure as error:
        raise LaunchError(f"MongoDB at {hosts_of(url)} refused us ({error.details['errmsg']}).") from error
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
