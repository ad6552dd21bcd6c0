"""CreateModel on a fresh database, on one that the earlier service filled, and on one that a cut-off migration left."""

import pytest
from django.db import IntegrityError, connection, migrations, models
from django.db.migrations.state import ProjectState

CREATE = migrations.CreateModel(
    name="Note",
    fields=[
        ("id", models.CharField(primary_key=True, db_column="_id", max_length=36)),
        ("code", models.CharField(max_length=20, unique=True)),
    ],
    options={"db_table": "scratch_notes", "indexes": [models.Index(fields=["code", "id"], name="notes_code")]},
)


@pytest.fixture
def notes(committed_database):
    yield connection.database["scratch_notes"]
    connection.database.drop_collection("scratch_notes")


def migrate() -> None:
    before, after = ProjectState(), ProjectState()
    CREATE.state_forwards("sessions_app", after)
    with connection.schema_editor() as editor:
        CREATE.database_forwards("sessions_app", editor, before, after)


def test_a_fresh_database_gets_the_collection_and_its_indexes(notes):
    migrate()
    assert len(notes.index_information()) == 3


def test_an_existing_collection_keeps_its_documents_and_gets_the_indexes(notes):
    document = {"_id": "1", "code": "a", "unknown": {"stays": True}}
    notes.insert_one(document)
    migrate()
    assert list(notes.find()) == [document]
    assert len(notes.index_information()) == 3


def test_running_it_again_changes_nothing(notes):
    migrate()
    indexes = notes.index_information()
    migrate()
    assert notes.index_information() == indexes


def test_documents_that_break_a_constraint_are_named_as_such(notes):
    notes.insert_many([{"_id": "1", "code": "a"}, {"_id": "2", "code": "a"}])
    with pytest.raises(IntegrityError):
        migrate()


def test_an_index_of_the_same_keys_under_another_name_serves(notes):
    notes.create_index([("code", 1), ("_id", 1)], name="by_hand")
    migrate()
    assert set(notes.index_information()) == {
        "_id_",
        "by_hand",
        next(n for n in notes.index_information() if "uniq" in n),
    }


def test_an_index_that_is_not_there_is_removed(notes):
    """As by a migration that was cut off before it was recorded."""
    after = ProjectState()
    CREATE.state_forwards("sessions_app", after)
    migrate()
    for _ in range(2):
        with connection.schema_editor() as editor:
            migrations.RemoveIndex("note", "notes_code").database_forwards("sessions_app", editor, after, after)
    assert "notes_code" not in notes.index_information()


def test_an_index_of_the_same_keys_that_is_not_unique_does_not_serve_for_a_unique_one(notes):
    notes.create_index([("code", 1)], name="by_hand")
    migrate()
    assert any(index.get("unique") for index in notes.index_information().values())
