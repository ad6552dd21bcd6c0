"""D3: unique indexes that queries use. D7: defaults taken literally. And time enough for large collections."""

import time
from collections.abc import Callable

import pymongo
import pytest
from django.db import IntegrityError, connection, connections, models
from django.db.models import Q
from django.test.utils import isolate_apps
from django_mongodb_backend.fields import EmbeddedModelField, ObjectIdAutoField
from django_mongodb_backend.models import EmbeddedModel
from django_mongodb_backend.schema import DatabaseSchemaEditor as StockDatabaseSchemaEditor
from pymongo.errors import PyMongoError

from proctoring_site.mongo_engine.base import DatabaseWrapper
from tests.plans import explain
from tests.proctoring_site.mongo_engine.conftest import still_defective


@pytest.fixture
def badge() -> type[models.Model]:
    with isolate_apps("sessions_app"):

        class Badge(models.Model):  # noqa: DJ008
            id = ObjectIdAutoField(primary_key=True)
            code = models.CharField(max_length=20, unique=True)
            nickname = models.CharField(max_length=20, null=True, unique=True)
            room = models.CharField(max_length=20)
            seat = models.IntegerField()
            floor = models.IntegerField(null=True)
            state = models.CharField(max_length=20)

            class Meta:
                app_label = "sessions_app"
                db_table = "scratch_badges"
                unique_together = [("room", "seat")]
                constraints = [
                    models.UniqueConstraint(fields=["room", "floor"], name="room_floor"),
                    models.UniqueConstraint(fields=["seat", "state"], name="seat_state"),
                    models.UniqueConstraint(fields=["seat"], name="one_open", condition=Q(state="open")),
                ]

    return Badge


@pytest.fixture
def badges(badge, create_collection) -> type[models.Model]:
    create_collection(badge)
    return badge


def numbered(n: int, **values) -> dict:
    return {"code": str(n), "room": str(n), "seat": n, "floor": n, "state": "closed", **values}


def filters() -> dict[tuple[str, ...], dict | None]:
    """Each unique index: its columns and its partial filter. Two on the same columns are told apart by the filter."""
    indexes = connection.database["scratch_badges"].index_information().values()
    return {
        tuple(column for column, _ in index["key"]): dict(index["partialFilterExpression"])
        if "partialFilterExpression" in index
        else None
        for index in indexes
        if index.get("unique")
    }


def assert_lookups_use_the_unique_index(badges: type[models.Model]) -> None:
    badges.objects.bulk_create([badges(**numbered(n)) for n in range(50)])
    for query in (badges.objects.filter(code="7"), badges.objects.filter(room="7", seat=7)):
        plan = explain(query)
        assert plan.uses_index
        assert plan.docs_examined == 1


class TestUniqueIndexes:
    def test_a_lookup_uses_them(self, badges):
        assert_lookups_use_the_unique_index(badges)

    def test_canary(self, badge, stock_backend, create_collection):
        create_collection(badge)
        with still_defective("D3"):
            assert_lookups_use_the_unique_index(badge)

    def test_only_nullable_columns_keep_the_partial_filter_and_conditions_stay(self, badges):
        assert filters() == {
            ("code",): None,
            ("nickname",): {"nickname": {"$type": "string"}},
            ("room", "seat"): None,
            ("room", "floor"): {"floor": {"$type": "long"}},
            ("seat", "state"): None,
            ("seat",): {"state": {"$eq": "open"}},
        }

    @pytest.mark.parametrize(
        "twin",
        [
            {"code": "1"},
            {"nickname": "n"},
            {"room": "1", "seat": 1},
            {"room": "1", "floor": 1},
            {"seat": 1, "state": "closed"},
        ],
    )
    def test_they_refuse_a_second(self, badges, twin):
        badges.objects.create(**numbered(1, nickname="n"))
        with pytest.raises(IntegrityError):
            badges.objects.create(**numbered(2, **twin))

    def test_a_condition_limits_what_is_unique(self, badges):
        badges.objects.create(**numbered(1, seat=5, state="open"))
        badges.objects.create(**numbered(2, seat=5, state="shut"))
        with pytest.raises(IntegrityError):
            badges.objects.create(**numbered(3, seat=5, state="open"))

    def test_nullable_ones_allow_several_nulls(self, badges):
        for n in (1, 2):
            badges.objects.create(**numbered(n, room="same", floor=None, nickname=None))
        assert badges.objects.count() == 2

    def test_they_are_removed_again(self, badges):
        with connection.schema_editor() as editor:
            editor.alter_unique_together(badges, [("room", "seat")], [])
            for constraint in badges._meta.constraints:
                editor.remove_constraint(badges, constraint)
            editor.alter_field(badges, badges._meta.get_field("code"), plain_code(badges))
        assert set(filters()) == {("nickname",)}

    def test_a_field_that_becomes_unique_gets_a_full_index(self, badges):
        unique = models.CharField(max_length=20, unique=True)
        unique.set_attributes_from_name("state")
        unique.model = badges
        with connection.schema_editor() as editor:
            editor.alter_field(badges, badges._meta.get_field("state"), unique)
        assert filters()["state",] is None

    def test_a_unique_field_of_an_embedded_document_stays_partial(self, create_collection):
        with isolate_apps("sessions_app"):

            class Address(EmbeddedModel):
                mail = models.CharField(max_length=20, unique=True)

                class Meta:
                    app_label = "sessions_app"

            class Person(models.Model):  # noqa: DJ008
                id = ObjectIdAutoField(primary_key=True)
                address = EmbeddedModelField(Address, null=True)

                class Meta:
                    app_label = "sessions_app"
                    db_table = "scratch_badges"

        create_collection(Person)
        assert filters() == {("address.mail",): {"address.mail": {"$type": "string"}}}


def plain_code(badges: type[models.Model]) -> models.Field:
    field = models.CharField(max_length=20)
    field.set_attributes_from_name("code")
    field.model = badges
    return field


def named_field(model: type[models.Model], name: str, field: models.Field) -> models.Field:
    field.set_attributes_from_name(name)
    field.model = model
    return field


DEFAULTS = [
    (models.JSONField, {}),
    (models.JSONField, {"$add": [1, 2]}),
    (models.JSONField, ["$room"]),
    (models.CharField, "$room"),
]
PLAIN_DEFAULTS = [
    (models.IntegerField, 3),
    (models.BooleanField, False),
    (models.CharField, "x"),
    (models.TextField, ""),
]


def assert_added_field_holds(badges: type[models.Model], kind: type[models.Field], default) -> None:
    field = named_field(badges, "extra", kind(default=lambda: default, max_length=20))
    with connection.schema_editor() as editor:
        editor.add_field(badges, field)
    assert connection.database["scratch_badges"].find_one()["extra"] == default


def assert_filled_null_holds(badges: type[models.Model], kind: type[models.Field], default) -> None:
    connection.database["scratch_badges"].update_many({}, {"$set": {"extra": None}})
    nullable = named_field(badges, "extra", kind(null=True, max_length=20))
    required = named_field(badges, "extra", kind(default=lambda: default, max_length=20))
    with connection.schema_editor() as editor:
        editor.alter_field(badges, nullable, required)
    assert connection.database["scratch_badges"].find_one()["extra"] == default


@pytest.mark.parametrize("holds", [assert_added_field_holds, assert_filled_null_holds])
class TestDefaults:
    @pytest.fixture(autouse=True)
    def _row(self, badges):
        badges.objects.create(**numbered(1))

    @pytest.mark.parametrize(("kind", "default"), DEFAULTS + PLAIN_DEFAULTS)
    def test_they_are_stored_as_they_are(self, badges, holds: Callable, kind, default):
        holds(badges, kind, default)

    @pytest.mark.parametrize(("kind", "default"), DEFAULTS)
    def test_canary(self, badges, stock_backend, holds: Callable, kind, default):
        with still_defective("D7"):
            holds(badges, kind, default)


class TestTimeLimit:
    """A server that takes longer over an index than the client's timeoutMS."""

    TIMEOUT_MS, INDEX_BUILD_MS = 400, 700

    @pytest.fixture
    def impatient(self, committed_database):
        settings = dict(connections["default"].settings_dict)
        settings["OPTIONS"] = {"timeoutMS": self.TIMEOUT_MS, "appname": "impatient"}
        wrapper = DatabaseWrapper(settings, alias="impatient")
        admin = connection.database.client.admin
        slow = {"blockConnection": True, "blockTimeMS": self.INDEX_BUILD_MS}
        data = {"failCommands": ["createIndexes"], "appName": "impatient", **slow}
        admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=data)
        yield wrapper
        admin.command("configureFailPoint", "failCommand", mode="off")
        wrapper.close_pool()
        connection.database.drop_collection("scratch_badges")

    def build(self, wrapper: DatabaseWrapper, badge: type[models.Model]) -> None:
        with wrapper.schema_editor() as editor:
            editor.create_model(badge)
        assert "one_open" in connection.database["scratch_badges"].index_information()

    def test_it_is_not_the_clients(self, impatient, badge):
        begun = time.monotonic()
        self.build(impatient, badge)
        assert time.monotonic() - begun >= self.INDEX_BUILD_MS / 1000

    def test_canary(self, impatient, badge, monkeypatch):
        monkeypatch.setattr(impatient, "SchemaEditorClass", StockDatabaseSchemaEditor)
        with still_defective("the schema editor's time limit"):
            self.build(impatient, badge)

    def test_it_ends_with_the_schema_editor_even_after_an_error(self, impatient, badge):
        with pytest.raises(LookupError), impatient.schema_editor():
            raise LookupError
        with pytest.raises(PyMongoError) as caught:
            impatient.get_collection("scratch_badges").create_index([("seat", pymongo.ASCENDING)])
        assert caught.value.timeout
