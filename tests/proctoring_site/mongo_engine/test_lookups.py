"""D5: what a user typed stays a value, in a plain filter and in an expression alike."""

import pytest
from django.db.models import Case, Count, F, Q, Value, When
from django.db.models.functions import Concat, Replace

from proctoring_site.mongo_engine import lookups
from sessions_app.models import Event, Session
from tests.proctoring_site.mongo_engine.conftest import still_defective

FIELD = "$candidate_name"


@pytest.fixture(autouse=True)
def _rows(committed_database):
    ann = Session.objects.create(candidate_name="Ann", event_counts={"name": "Ann", "n": 1})
    Session.objects.create(candidate_name="Bob", event_counts={"name": "Bob", "n": 2})
    Event.objects.create(session=ann, event_type="focus_lost")


def counted(**lookup) -> int:
    return Session.objects.aggregate(n=Count("pk", filter=Q(**lookup)))["n"]


#: Lookup and value; on the official backend each counts rows that it should not, or fails.
INJECTED = [
    ("candidate_name", FIELD),
    ("candidate_name__in", [FIELD, "x"]),
    ("candidate_name__range", (FIELD, FIELD)),
    ("candidate_name__regex", FIELD),
    ("candidate_name__iregex", FIELD),
    ("event_counts__name", FIELD),
    ("event_counts__name__in", [FIELD]),
    ("event_counts", {"$ifNull": ["$event_counts", 1]}),
]
#: Those that the official backend keeps apart by itself, through its own escapes.
HARMLESS = [
    ("candidate_name__startswith", FIELD),
    ("candidate_name__istartswith", FIELD),
    ("candidate_name__endswith", FIELD),
    ("candidate_name__contains", FIELD),
    ("candidate_name__icontains", FIELD),
    ("candidate_name__iexact", FIELD),
    ("candidate_name", Value(FIELD)),
    ("candidate_name__in", [Value(FIELD), "x"]),
]


class TestExpressions:
    @pytest.mark.parametrize(("lookup", "value"), INJECTED + HARMLESS)
    def test_a_value_is_no_field(self, lookup, value):
        assert counted(**{lookup: value}) == 0

    @pytest.mark.parametrize(("lookup", "value"), INJECTED)
    def test_canary(self, stock_backend, lookup, value):
        with still_defective("D5"):
            assert counted(**{lookup: value}) == 0

    @pytest.mark.parametrize(("lookup", "value"), INJECTED)
    def test_the_same_in_when(self, lookup, value):
        marked = Session.objects.annotate(hit=Case(When(**{lookup: value}, then=1), default=0))
        assert marked.filter(hit=1).count() == 0

    @pytest.mark.parametrize(
        ("lookup", "value", "expected"),
        [
            ("candidate_name", "Ann", 1),
            ("candidate_name", F("candidate_name"), 2),
            ("candidate_name__in", ["Ann", "Bob", None], 2),
            ("candidate_name__in", [F("candidate_name"), FIELD], 2),
            ("candidate_name__range", ("A", "Az"), 1),
            ("candidate_name__gt", "Ann", 1),
            ("candidate_name__regex", "^A", 1),
            ("candidate_name__startswith", "A", 1),
            ("candidate_name__endswith", "b", 1),
            ("candidate_name__icontains", "NN", 1),
            ("candidate_name__iexact", "ann", 1),
            ("candidate_name__iexact", "a.*", 0),
            ("event_counts__name", "Ann", 1),
            ("event_counts__name__in", ["Ann"], 1),
            ("event_counts__n__gte", 2, 1),
            ("event_counts", {"name": "Ann", "n": 1}, 1),
            ("end_time__isnull", True, 2),
            ("revision__lte", 0, 2),
        ],
    )
    def test_ordinary_values_still_match(self, lookup, value, expected):
        assert counted(**{lookup: value}) == expected

    def test_constants_and_functions_take_text_literally(self):
        ann = Session.objects.annotate(
            constant=Value(FIELD),
            joined=Concat(Value("$id"), Value("$x")),
            replaced=Replace("candidate_name", Value("Ann"), Value("$id")),
        ).get(candidate_name="Ann")
        assert (ann.constant, ann.joined, ann.replaced) == (FIELD, "$id$x", "$id")


def assert_bulk_update_changes_only_its_rows() -> None:
    odd = Session.objects.create(id="$_id", candidate_name="Odd", video_path="odd")
    bob = Session.objects.get(candidate_name="Bob")
    odd.video_path, bob.video_path = "new odd", "new bob"
    Session.objects.bulk_update([odd, bob], ["video_path"])
    assert Session.objects.get(pk=bob.pk).video_path == "new bob"
    assert Session.objects.get(pk=odd.pk).video_path == "new odd"


class TestBulkUpdate:
    def test_an_id_with_a_dollar_is_no_field(self):
        assert_bulk_update_changes_only_its_rows()

    def test_canary(self, stock_backend):
        with still_defective("D5 (bulk_update)"):
            assert_bulk_update_changes_only_its_rows()


class TestForeignKeys:
    def test_an_id_with_a_dollar_is_no_field(self):
        assert Event.objects.aggregate(n=Count("pk", filter=Q(session="$session_id")))["n"] == 0
        assert Event.objects.aggregate(n=Count("pk", filter=Q(session__in=["$session_id"])))["n"] == 0

    def test_a_subquery_of_another_database_is_still_refused(self):
        elsewhere = Session.objects.using("elsewhere").all()
        with pytest.raises(ValueError, match="across different databases"):
            Event.objects.aggregate(n=Count("pk", filter=Q(session__in=elsewhere)))


#: Filter and the number of rows; the official backend reads an operator, fails on the key, or garbles the pattern.
PLAIN = [
    ({"event_counts": {"$gt": {}}}, 0),
    ({"event_counts__n": {"$gt": 0}}, 0),
    ({"event_counts__$name": "Ann"}, 0),
    ({"event_counts__has_key": FIELD}, 0),
    ({"event_counts__has_any_keys": [FIELD, "name"]}, 2),
    ({"candidate_name__startswith": Value("A")}, 1),
    ({"candidate_name__endswith": Value("b")}, 1),
    ({"candidate_name__contains": Value("n")}, 1),
    ({"candidate_name__iexact": Value("a.*")}, 0),
]


class TestPlainFilters:
    @pytest.mark.parametrize(("lookup", "expected"), PLAIN)
    def test_a_value_is_no_operator_and_no_pattern(self, lookup, expected):
        assert Session.objects.filter(**lookup).count() == expected

    @pytest.mark.parametrize(("lookup", "expected"), PLAIN)
    def test_canary(self, stock_backend, lookup, expected):
        with still_defective("D5 (plain filters)"):
            assert Session.objects.filter(**lookup).count() == expected

    def test_json_keys_are_found(self):
        Session.objects.create(candidate_name="Key", event_counts={"$odd": 1, "a.b": 2, "list": ["x", "y"]})
        for lookup in ({"has_key": "$odd"}, {"$odd": 1}, {"has_key": "a.b"}, {"a.b": 2}, {"list__1": "y"}):
            [(name, value)] = lookup.items()
            assert Session.objects.get(**{f"event_counts__{name}": value}).candidate_name == "Key"

    def test_an_update_stores_text_as_it_is(self):
        Session.objects.filter(candidate_name="Ann").update(video_path=FIELD, event_counts={"$set": {}})
        ann = Session.objects.get(candidate_name="Ann")
        assert (ann.video_path, ann.event_counts) == (FIELD, {"$set": {}})


def test_registering_twice_changes_nothing():
    lookups.register()
    lookups.register()
    assert counted(candidate_name=FIELD) == 0
    assert counted(candidate_name="Ann") == 1


def test_a_range_of_instants_still_matches():
    ann = Session.objects.get(candidate_name="Ann")
    assert counted(start_time__range=(ann.start_time, ann.start_time)) >= 1
