"""Connection strings: our options, unless the URL names its own."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from pymongo import MongoClient
from pymongo.uri_parser import parse_uri

from proctoring_site.mongo_engine.mongodb_url import LOCALHOST, OPTIONS, with_options


def options_of(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}


@pytest.mark.parametrize("url", [LOCALHOST, "mongodb://h", "mongodb://h/", "mongodb://h/?", "mongodb://a:1,b:2/db"])
def test_a_url_without_options_gets_all_of_ours(url):
    assert options_of(with_options(url)) == dict(OPTIONS)


def test_writes_are_journaled_by_a_majority():
    options = parse_uri(with_options(LOCALHOST))["options"]
    assert options["w"] == "majority"
    assert options["journal"] is True
    assert options["retryWrites"] is True


def test_no_wait_is_without_an_end():
    with MongoClient(with_options(LOCALHOST), connect=False) as client:
        options = client.options
        assert options.server_selection_timeout == 2.5
        assert options.pool_options.connect_timeout == 2
        assert options.pool_options.socket_timeout == 10
        assert options.pool_options.wait_queue_timeout == 2.5
        assert options.timeout is None  # would take the place of the wait for an absent server


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [("w=1", "w", "1"), ("W=1", "W", "1"), ("journal=false", "journal", "false"), ("APPNAME=x", "APPNAME", "x")],
)
def test_what_the_url_sets_itself_stays(query, name, value):
    options = options_of(with_options(f"mongodb://h/?{query}"))
    assert options[name] == value
    assert [key.lower() for key in options].count(name.lower()) == 1
    assert len(options) == len(OPTIONS)


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://user:p%40ss%2Fword@h:27018/admin?authSource=admin&replicaSet=rs0",
        "mongodb+srv://user:p%23@cluster.example.org/?tls=true",
        "mongodb://[::1]:27017/?directConnection=true",
        "mongodb://a:1,b:2,c:3/?readPreferenceTags=dc:ny&readPreferenceTags=",
    ],
)
def test_the_rest_of_the_url_is_left_as_it_is(url):
    full = with_options(url)
    assert full.startswith(url.partition("?")[0])
    given, kept = parse_qs(urlsplit(url).query, keep_blank_values=True), parse_qs(urlsplit(full).query, True)
    assert all(kept[name] == values for name, values in given.items())


def test_none_may_have_us_read_what_a_secondary_has_not_yet():
    with pytest.raises(ImproperlyConfigured, match="readPreference"):
        with_options("mongodb+srv://h/?readpreference=secondaryPreferred")
    assert "readPreference=primary" in with_options("mongodb://h/?readPreference=primary")


def test_applying_it_twice_changes_nothing():
    once = with_options("mongodb://u:p%40@h/?w=2")
    assert with_options(once) == once


def test_django_uses_them():
    assert options_of(settings.DATABASES["default"]["HOST"]).items() >= OPTIONS.items()
