"""The admin's index leads to the desk: to those of its pages that somebody may see."""

import re

import pytest

LIST = "/admin/sessions_app/session/"


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("group", "pages"),
    [
        ("Reviewer", [LIST, f"{LIST}live/", f"{LIST}overview/", "/admin/review/policyversion/"]),
        ("Proctor", [LIST, f"{LIST}live/"]),
        ("Operator", [LIST]),
        ("Auditor", []),
    ],
)
def test_the_index_leads_to_the_desk(as_staff, group, pages):
    index = as_staff(group).get("/admin/").content.decode()
    desk = "".join(re.findall(r'<nav class="desk-nav".*?</nav>', index, re.DOTALL))
    assert re.findall(r'href="(.*?)"', desk) == pages
