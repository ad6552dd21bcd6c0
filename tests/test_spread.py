"""How the tests are spread over workers: the names hold, and what comes first does."""

from pathlib import Path

import pytest

from tests import spread

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("unit", spread.LONGEST_FIRST)
def test_what_is_named_is_there(unit):
    assert (REPOSITORY / unit.partition(" ")[0]).exists()


@pytest.mark.parametrize("start", spread.OF_CANDIDATES)
def test_what_is_named_of_the_browser_is_there(start):
    assert list(REPOSITORY.glob(f"{start}*.py"))


def test_the_browsers_files_are_two_units_and_every_other_its_own():
    assert spread.unit_of("tests/browser/test_pages.py::TestTheAdmin::test_x[a::b]") == spread.STAFF
    assert spread.unit_of("tests/browser/test_client_life.py::test_x") == spread.CANDIDATES
    assert spread.unit_of("tests/test_spread.py::test_x") == "tests/test_spread.py"


def test_what_takes_longest_begins_first(request):
    units = list(dict.fromkeys(spread.unit_of(item.nodeid) for item in request.session.items))
    named = [unit for unit in spread.LONGEST_FIRST if unit in units]
    assert units[: len(named)] == named
