"""`/`: the earlier contract's JSON for programs, a page for people. It asks no database."""

import re

import pytest

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    "accept", [None, "*/*", "application/json", "application/json, text/plain, */*", "image/png", ""]
)
def test_a_program_gets_the_contracts_json(api, accept):
    answer = api.get("/", headers={"Accept": accept} if accept is not None else {})
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert set(answer.json()) == {"status", "message"}
    assert answer.json()["status"] == "ok"
    assert isinstance(answer.json()["message"], str)


def test_a_browser_gets_a_page_that_leads_on(api):
    answer = api.get("/", headers={"Accept": BROWSER})
    assert answer["Content-Type"].startswith("text/html")
    links = re.findall(r'href="([^"]+)"', answer.content.decode())
    assert {"/admin/", "/docs", "/schema", "/candidate/"} <= set(links)


def test_the_pages_links_lead_everybody_somewhere(database, nobody):
    page = nobody.get("/", headers={"Accept": BROWSER}).content.decode()
    for link in re.findall(r'href="([^"]+)"', page):
        assert nobody.get(link, follow=True).status_code == 200


def test_a_cache_is_told_that_there_are_two_answers(api):
    for headers in ({}, {"Accept": BROWSER}):
        assert "Accept" in api.get("/", headers=headers)["Vary"]


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_nothing_can_be_written_to_it(api, method):
    answer = getattr(api, method)("/", {}, format="json", headers={"Accept": BROWSER})
    assert answer.status_code == 405
    assert answer.json()["code"] == "method_not_allowed"


def test_head_answers_as_get_without_a_body(api):
    answer = api.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
