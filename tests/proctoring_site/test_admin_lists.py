"""What the admin's lists share: they are called by what they hold, and a search leads back to all of it."""

import re

import pytest

pytestmark = pytest.mark.usefixtures("database")


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/admin/access/apitoken/", "API tokens"),
        ("/admin/audit/auditrecord/", "Audit records"),
        ("/admin/jobs/job/", "Jobs"),
    ],
)
def test_a_list_is_called_by_what_it_holds(as_staff, path, title):
    page = as_staff(is_superuser=True).get(path).content.decode()
    assert re.findall(r"<h1>(.*?)</h1>", page)[-1] == title


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/admin/auth/user/", "1 total"),
        ("/admin/access/apitoken/", "Show all"),
        ("/admin/audit/auditrecord/", "Show all"),
        ("/admin/jobs/job/", "Show all"),  # what is never counted as a whole
    ],
)
def test_a_search_leads_back_to_the_whole_list(as_staff, path, said):
    page = as_staff(is_superuser=True).get(f"{path}?q=nothing-is-called-so").content.decode()
    assert f'0 results (<a href="?">{said}</a>)' in page


def test_without_a_search_there_is_none_to_lead_back_from(as_staff):
    assert "result" not in as_staff(is_superuser=True).get("/admin/jobs/job/").text
