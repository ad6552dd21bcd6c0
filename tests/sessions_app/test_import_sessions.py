"""`import_sessions`: all rows or none, bad ones by number, exact counts, and a second run that changes nothing."""

import io
import json
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from sessions_app import counters, imports, services
from sessions_app.models import Event, Session
from tests.factories import NOON, make_event, make_session, old_event, old_session, write_old_documents

pytestmark = pytest.mark.usefixtures("database")

START = "2026-03-02T12:00:00Z"
ADA = {"id": "exam-7/ada", "candidate_name": "Ada", "start_time": START}
LOOK = {"session_id": "exam-7/ada", "event_type": "looking_away", "timestamp": "2026-03-02T12:05:00Z"}


@pytest.fixture
def write(tmp_path):
    def write(*rows, name="rows.jsonl"):
        path = tmp_path / name
        text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
        path.write_text(text + "\n" if rows else "")
        return path

    return write


@pytest.fixture
def write_csv(write):
    return lambda *lines: write(*lines, name="rows.csv")


def run(path, **options):
    """The summary line. A CommandError carries what stood on stderr as its notes."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("import_sessions", path, stdout=out, stderr=err, **options)
    except CommandError as error:
        error.shown = err.getvalue()
        error.summary = out.getvalue().strip()
        raise
    return out.getvalue().strip()


def refused(path, **options):
    with pytest.raises(CommandError) as caught:
        run(path, **options)
    return caught.value


def stored():
    return {
        name: list(connection.database[name].find({}, session=connection.session).sort("_id"))
        for name in ("sessions", "events")
    }


def assert_counts_are_exact():
    for session in Session.objects.all():
        assert counters.recount(session.pk, weighed=services.active_policy().weights) is False


class TestJSONLines:
    def test_sessions_and_events_become_documents(self, write):
        end = {"end_time": "2026-03-02T13:00:00+01:00"}
        path = write({**ADA, **end, "events": [{"event_type": "x", "timestamp": START, "message": "m"}]}, LOOK)
        assert run(path) == "2 rows: 1 sessions and 2 events new, 0 and 0 already there, 0 bad rows."
        session = Session.objects.get()
        assert str(UUID(session.pk)) == session.pk
        assert (session.candidate_name, session.start_time, session.end_time) == ("Ada", NOON, NOON)
        assert session.counts == {"x": 1, "looking_away": 1}
        first, second = session.events.in_order()
        assert (first.event_type, first.message, first.timestamp) == ("x", "m", NOON)
        assert (second.event_type, second.message, second.timestamp) == ("looking_away", None, NOON.replace(minute=5))

    def test_an_imported_session_is_answered_like_any_other(self, write, api):
        run(write(ADA, LOOK))
        session = api.get("/sessions").json()[0]
        assert session["start_time"] == START
        assert api.get(f"/sessions/{session['id']}/report").json()["looking_away_count"] == 1

    def test_a_uuid_stays_itself_and_other_text_becomes_the_same_uuid_every_time(self, write):
        known = uuid4()
        run(write({**ADA, "id": str(known).upper()}, {**ADA, "id": "ä/7"}, {**ADA, "id": "ä/8"}))
        ids = set(Session.objects.values_list("pk", flat=True))
        assert len(ids) == 3
        assert str(known) in ids
        run(write({**ADA, "id": "ä/7"}))
        assert set(Session.objects.values_list("pk", flat=True)) == ids

    def test_events_may_be_for_sessions_that_are_already_there(self, write):
        session = make_session()
        make_event(session)
        path = write({**LOOK, "session_id": session.pk}, {**LOOK, "session_id": session.pk, "event_type": "focus_lost"})
        assert "0 sessions and 2 events new" in run(path)
        session.refresh_from_db()
        assert session.counts == {"focus_lost": 2, "looking_away": 1}
        assert session.revision == 2  # once for all of them
        assert_counts_are_exact()

    def test_events_for_an_adopted_session_count_its_old_ones_too(self, write):
        old = old_session()
        write_old_documents([old], [old_event(old), old_event(old, event_type="a.b")])
        run(write({**LOOK, "session_id": old["_id"]}))
        assert Session.objects.get().counts == {"focus_lost": 1, "a.b": 1, "looking_away": 1}

    def test_a_session_that_is_already_there_stays_as_it_is(self, write):
        session = make_session(candidate_name="As stored", end_time=NOON)
        summary = run(write({**ADA, "id": session.pk, "candidate_name": "Another"}))
        assert "0 sessions and 0 events new, 1 and 0 already there" in summary
        assert Session.objects.get().candidate_name == "As stored"


class TestCSV:
    HEADER = "session_id,candidate_name,start_time,end_time,event_type,message,timestamp,event_id"

    def test_rows_are_sessions_events_or_both(self, write_csv):
        path = write_csv(
            self.HEADER,
            f"s1,Ada,{START},,,,,",
            f"s1,,,,looking_away,\"two, 'three'\",{START},",
            f"s2,Bob,{START},2026-03-02T13:00:00Z,focus_lost,,{START},e1",
        )
        assert "2 sessions and 2 events new" in run(path)
        ada, bob = (Session.objects.get(candidate_name=name) for name in ("Ada", "Bob"))
        assert ada.events.get().message == "two, 'three'"
        assert bob.end_time == NOON.replace(hour=13)
        assert bob.counts == {"focus_lost": 1}

    def test_columns_may_come_in_any_order_and_some_only(self, write_csv):
        run(write_csv("start_time,session_id,candidate_name", f"{START},s1,Ada"))
        assert Session.objects.get().candidate_name == "Ada"

    @pytest.mark.parametrize(
        "header", ["candidate_name", "session_id,colour", "session_id;event_type", "a\tb", ",", "session_id,session_id"]
    )
    def test_a_header_that_is_not_ours_is_refused(self, write_csv, header):
        assert "header" in str(refused(write_csv(header, "1,2")))

    def test_an_empty_file_lacks_its_header(self, write_csv):
        assert "header" in str(refused(write_csv()))

    def test_a_header_alone_is_no_rows(self, write_csv):
        assert run(write_csv(self.HEADER)).startswith("0 rows")

    def test_bad_rows_are_named_as_a_spreadsheet_numbers_them(self, write_csv):
        path = write_csv(
            self.HEADER,
            f's1,"Ada\nof two lines",{START},,,,,',
            "",
            ",,,,,,,",
            "s2,Bob,never,,,,,",
            f"s1,,,,x,,{START},e1,too,many",
        )
        shown = refused(path).shown
        assert "row 5: start_time" in shown
        assert "row 6: more cells than the header" in shown
        assert len(shown.splitlines()) == 2

    def test_a_cell_of_enormous_size_is_no_csv_and_no_trace(self, write_csv):
        assert "not CSV" in str(refused(write_csv(self.HEADER, "s1," + "x" * 200_000)))


IDENTICAL = {
    "rows.jsonl": [ADA, LOOK, LOOK, LOOK],
    "nested.jsonl": [{**ADA, "events": [{k: v for k, v in LOOK.items() if k != "session_id"}] * 3}],
    "rows.csv": [
        "session_id,candidate_name,start_time,event_type,timestamp",
        f"s1,Ada,{START},looking_away,{START}",
        f"s1,Ada,{START},looking_away,{START}",
        f"s1,Ada,{START},looking_away,{START}",
    ],
}


class TestIdenticalRows:
    @pytest.mark.parametrize("name", IDENTICAL)
    def test_events_without_an_id_are_all_kept_and_found_again(self, write, name):
        path = write(*IDENTICAL[name], name=name)
        assert "1 sessions and 3 events new" in run(path)
        assert Event.objects.count() == 3
        before = stored()
        assert "0 sessions and 0 events new, 1 and 3 already there" in run(path)
        assert stored() == before
        assert_counts_are_exact()

    def test_they_are_kept_across_batches_too(self, write, monkeypatch):
        monkeypatch.setattr(imports, "BATCH", 2)
        path = write(ADA, *[LOOK] * 5, {**ADA, "candidate_name": "Told again"}, LOOK)
        assert "1 sessions and 6 events would be new, 0 and 0 already there" in run(path, dry_run=True)
        assert "1 sessions and 6 events new, 0 and 0 already there" in run(path)
        assert "0 sessions and 0 events new, 1 and 6 already there" in run(path)
        assert Session.objects.get().candidate_name == "Ada"
        assert Session.objects.get().counts == {"looking_away": 6}

    def test_a_longer_export_adds_only_what_is_more(self, write):
        run(write(ADA, LOOK, LOOK))
        assert "0 sessions and 1 events new, 1 and 2 already there" in run(write(ADA, LOOK, LOOK, LOOK))
        assert Session.objects.get().counts == {"looking_away": 3}

    def test_events_that_differ_in_one_thing_on_the_same_second_are_all_kept(self, write):
        rows = [LOOK, {**LOOK, "message": "a"}, {**LOOK, "message": "b"}, {**LOOK, "event_type": "x"}]
        rows.append({**LOOK, "timestamp": "2026-03-02T12:05:00.001Z"})
        run(write(ADA, *rows))
        assert Event.objects.count() == 5

    def test_an_id_told_twice_is_one_and_the_first_telling_counts(self, write):
        path = write(ADA, {**ADA, "candidate_name": "Later"}, *({**LOOK, "id": "e1", "message": m} for m in "ab"))
        for _ in range(2):
            run(path)
            assert Session.objects.get().candidate_name == "Ada"
            assert Event.objects.get().message == "a"
        assert Session.objects.get().counts == {"looking_away": 1}


BAD_ROWS = {
    "no JSON": ("{", "Expecting"),
    "no object": ("[1]", "not a JSON object"),
    "too deep": ("[" * 100_000, "nested too deeply"),
    "a session without a name": ({"id": "b", "start_time": START}, "candidate_name"),
    "a session without an id": ({"candidate_name": "B", "start_time": START}, "id"),
    "an id that is a number": ({**ADA, "id": 5}, "id"),
    "an id with an operator": ({**ADA, "id": {"$gt": ""}}, "id"),
    "an id too long": ({**ADA, "id": "x" * 201}, "id"),
    "a session without a start": ({"id": "b", "candidate_name": "B"}, "start_time"),
    "an end before the start": ({**ADA, "id": "b", "end_time": "2026-03-02T11:59:59Z"}, "end_time"),
    "an instant from far away": ({**ADA, "id": "b", "start_time": "0001-01-01T00:00:00+14:00"}, "start_time"),
    "a NUL": ({**ADA, "candidate_name": "a\0b"}, "candidate_name"),
    "a lone surrogate": ({**ADA, "candidate_name": "\ud800"}, "candidate_name"),
    "NaN": ('{"id": "b", "candidate_name": NaN, "start_time": "2026-03-02T12:00:00Z"}', "candidate_name"),
    "events that are no list": ({**ADA, "id": "b", "events": {"event_type": "x"}}, "events"),
    "events that are no objects": ({**ADA, "id": "b", "events": ["x"]}, "events"),
    "an event without an instant": ({"session_id": ADA["id"], "event_type": "x"}, "timestamp"),
    "an event type too long": ({**LOOK, "event_type": "x" * 65}, "event_type"),
    "a message that is no text": ({**LOOK, "message": {"$gt": ""}}, "message"),
    "an event of nobody": ({**LOOK, "session_id": "nobody"}, "no such session"),
    "an event of a session below": ({**LOOK, "session_id": "below"}, "no such session"),
    "one bad event of many": ({**ADA, "id": "b", "events": [{"event_type": "x"}]}, "timestamp"),
}


class TestBadRows:
    @pytest.mark.parametrize(("row", "reason"), BAD_ROWS.values(), ids=BAD_ROWS)
    def test_one_of_them_is_named_and_nothing_is_written(self, write, row, reason):
        path = write(ADA, LOOK, "", row, {**ADA, "id": "below"})
        error = refused(path)
        assert error.shown.startswith("row 4: ")
        assert reason in error.shown
        assert len(error.shown.splitlines()) == 1
        assert "nothing was imported" in str(error)
        assert stored() == {"sessions": [], "events": []}

    @pytest.mark.parametrize("row", [row for row, _ in BAD_ROWS.values()], ids=BAD_ROWS)
    def test_skip_bad_imports_the_others(self, write, row):
        error = refused(write(ADA, row, LOOK, {**ADA, "id": "below"}), skip_bad=True)
        assert "the others were imported" in str(error)
        assert "2 sessions and 1 events new" in error.summary
        assert (Session.objects.count(), Event.objects.count()) == (2, 1)
        assert_counts_are_exact()

    def test_events_of_a_bad_session_are_bad_too(self, write):
        error = refused(write({**ADA, "candidate_name": ""}, LOOK), skip_bad=True)
        assert [line.partition(":")[0] for line in error.shown.splitlines()] == ["row 1", "row 2"]
        assert stored() == {"sessions": [], "events": []}

    def test_only_bad_rows_are_named_with_skip_bad_as_well(self, write):
        error = refused(write("{", "["), skip_bad=True)
        assert "2 bad rows" in error.summary
        assert len(error.shown.splitlines()) == 2

    def test_of_very_many_the_first_fifty_are_named(self, write):
        error = refused(write(*["{"] * 60))
        assert len(error.shown.splitlines()) == 51
        assert "10 more bad rows" in error.shown


class TestDryRun:
    def test_it_writes_nothing_and_predicts_the_truth(self, write):
        make_session(id="11111111-1111-4111-8111-111111111111")
        rows = [ADA, LOOK, LOOK, {**ADA, "id": "11111111-1111-4111-8111-111111111111"}]
        path = write(*rows, {**LOOK, "session_id": "11111111-1111-4111-8111-111111111111"})
        before = stored()
        predicted = run(path, dry_run=True)
        assert stored() == before
        assert run(path) == predicted.replace("would be new", "new")
        assert predicted == "5 rows: 1 sessions and 3 events would be new, 1 and 0 already there, 0 bad rows."

    def test_it_predicts_a_second_import_too(self, write):
        path = write(ADA, LOOK)
        run(path)
        assert "0 sessions and 0 events would be new, 1 and 1 already there" in run(path, dry_run=True)

    def test_with_bad_rows_it_says_that_nothing_was_written(self, write):
        error = refused(write(ADA, "{"), dry_run=True, skip_bad=True)
        assert "nothing was written" in str(error)
        assert "1 sessions and 0 events would be new" in error.summary
        assert stored() == {"sessions": [], "events": []}


class TestFiles:
    @pytest.mark.parametrize("name", ["rows.jsonl", "rows.NDJSON"])
    def test_a_byte_order_mark_is_no_part_of_the_first_row(self, tmp_path, name):
        path = tmp_path / name
        path.write_text(json.dumps(ADA), encoding="utf-8-sig")
        assert "1 sessions" in run(path)

    def test_nor_of_a_csv_header(self, tmp_path):
        path = tmp_path / "rows.CSV"
        path.write_text(f"session_id,candidate_name,start_time\r\ns1,Zoë,{START}\r\n", encoding="utf-8-sig")
        run(path)
        assert Session.objects.get().candidate_name == "Zoë"

    @pytest.mark.parametrize("name", ["rows.txt", "rows", "rows.json", "rows.csv.gz"])
    def test_another_suffix_is_refused_with_those_that_are_known(self, write, name):
        assert ".jsonl, .ndjson or .csv" in str(refused(write(ADA, name=name)))

    @pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv"])
    @pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\x00\xff", b"\xff\xfes\x00e\x00", b"id\n\xe9\n"])
    def test_a_file_that_is_no_text_is_refused(self, tmp_path, name, content):
        path = tmp_path / name
        path.write_bytes(content)
        assert "not UTF-8 text" in str(refused(path))

    @pytest.mark.parametrize("name", ["missing.jsonl", "missing.csv"])
    def test_a_file_that_is_not_there_is_refused(self, tmp_path, name):
        assert "No such file" in str(refused(tmp_path / name))

    def test_a_folder_is_refused(self, tmp_path):
        assert "directory" in str(refused(tmp_path))

    @pytest.mark.parametrize("rows", [[], ["", "   ", ""]])
    def test_an_empty_file_is_no_rows(self, write, rows):
        assert run(write(*rows)) == "0 rows: 0 sessions and 0 events new, 0 and 0 already there, 0 bad rows."
