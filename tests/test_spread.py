"""How the tests are spread over workers: the names hold, and what comes first does."""

from pathlib import Path

import pytest

from tests import spread

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("unit", spread.LONGEST_FIRST)
def test_what_is_named_is_there(unit):
    assert (REPOSITORY / unit).exists()


def test_the_browsers_files_are_one_unit_and_every_other_its_own():
    assert spread.unit_of("tests/browser/test_pages.py::TestTheAdmin::test_x[a::b]") == "tests/browser"
    assert spread.unit_of("tests/test_spread.py::test_x") == "tests/test_spread.py"


def test_what_takes_longest_begins_first(request):
    units = list(dict.fromkeys(spread.unit_of(item.nodeid) for item in request.session.items))
    named = [unit for unit in spread.LONGEST_FIRST if unit in units]
    assert units[: len(named)] == named
