"""The quick check agrees with the serializer wherever it has an answer, and has one for what browsers send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.event_serializers import SentEvent
from sessions_app.examples import EVENT
from sessions_app.quick_check import CHECKS, plain_event
from tests.unhurried import UNHURRIED

AWKWARD = ["", " ", " padded ", "a\nb", "nul\0", "\ud800", "ß", "e\u0301", "\u00a0", "x" * 64, "x" * 101, "x" * 4001]
INSTANTS = ["2026-03-02T12:07:30Z", "2026-03-02T12:07:30.250Z", "2026-03-02T12:07:30.250001Z", "2026-03-02T12:07:30"]
INSTANTS += ["2026-02-30T12:07:30Z", "1999-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "2026-03-02T25:07:30Z"]
INSTANTS += ["2026-03-02T12:07:60Z", "2026-03-02 12:07:30Z", "2026-03-02T12:07:30+02:00", "٢٠٢٦-03-02T12:07:30Z"]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(AWKWARD),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
VALUES = JSON_VALUES | st.sampled_from([EVENT["id"], EVENT["id"].upper(), *INSTANTS, 0, 0.5, 1, 2**53, 2**53 + 1])
TEXTS = st.text(max_size=5) | st.sampled_from(AWKWARD)
BODIES = st.fixed_dictionaries(
    {}, optional={"event_type": TEXTS | VALUES, **dict.fromkeys(set(CHECKS) - {"event_type"}, VALUES)}
)


@UNHURRIED
@given(BODIES | JSON_VALUES)
def test_what_it_takes_the_serializer_takes_with_the_same_values(raw):
    plain = plain_event(raw)
    if plain is not None:
        assert plain == SentEvent().run_validation(raw)


@pytest.mark.parametrize("name", ["timestamp", "sent_at"])
@pytest.mark.parametrize("text", INSTANTS[:3])
def test_it_takes_the_instants_of_browsers(name, text):
    assert name in plain_event({"event_type": "focus_lost", name: text})


def test_it_takes_a_whole_event_as_the_module_sends_it():
    told = {name: EVENT[name] for name in CHECKS if name in EVENT} | {"sent_at": "2026-03-02T12:07:31.500Z"}
    assert set(plain_event(told)) == set(CHECKS)


@pytest.mark.parametrize(
    "odd",
    [{"event_type": " padded"}, {"event_type": None}, {}, {"event_type": "x", "data": {"a": [[[[1]]]]}}, [], None],
)
def test_it_leaves_the_rest_to_the_serializer(odd):
    assert plain_event(odd) is None
