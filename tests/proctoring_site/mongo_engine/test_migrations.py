"""AdoptModel on a fresh database and on one that the earlier service filled."""

import pytest
from django.db import IntegrityError, connection, models
from django.db.migrations.state import ProjectState

from proctoring_site.mongo_engine.migrations import AdoptModel

ADOPT = AdoptModel(
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
    ADOPT.state_forwards("sessions_app", after)
    with connection.schema_editor() as editor:
        ADOPT.database_forwards("sessions_app", editor, before, after)


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
