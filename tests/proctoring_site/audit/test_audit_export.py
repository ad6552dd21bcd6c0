"""The export of the audit log: what it gives away, to whom, and what it costs."""

import json
import tracemalloc
from datetime import timedelta

import pytest

from proctoring_site.audit import export
from proctoring_site.audit.models import Action, AuditRecord
from tests.audit_records import EXPORT, LIST, exported, make_record, recording, told, write, write_many
from tests.factories import NOON
from tests.plans import explain


class TestTheExport:
    def test_has_every_field_of_every_record_with_iso_instants(self, auditor):
        at = NOON + timedelta(milliseconds=7)
        (record,) = write(make_record(at=at, address="2001:db8::1", changes={"é": [None, [1]]}, actor_id="7"))
        assert exported(auditor) == [
            {
                "id": str(record.pk),
                "at": "2026-03-02T12:00:00.007Z",
                "actor_kind": "user",
                "actor_id": "7",
                "actor_name": "rita",
                "action": "looked",
                "object_kind": "session",
                "object_id": "exam-1",
                "address": "2001:db8::1",
                "request_id": "request-1",
                "changes": '{"é": [null, [1]]}',
                "details": "{}",
            }
        ]

    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
    def test_makes_no_formula(self, auditor, start):
        write(make_record(actor_name=f"{start}HYPERLINK(1)", object_id=f"{start}1"))
        (row,) = exported(auditor)
        assert (row["actor_name"], row["object_id"]) == (f"'{start}HYPERLINK(1)", f"'{start}1")

    def test_holds_each_record_once_over_all_its_pieces_even_of_one_instant(self, auditor, monkeypatch):
        monkeypatch.setattr(export, "ROWS_AT_ONCE", 7)
        write(*(make_record(at=NOON + timedelta(seconds=n // 20), details={"n": n}) for n in range(100)))
        rows = exported(auditor)
        numbers = [json.loads(row["details"])["n"] for row in rows]
        assert sorted(numbers) == list(range(100))
        assert [row["at"] for row in rows] == sorted((row["at"] for row in rows), reverse=True)
        assert len(exported(auditor, q="rita")) == 100

    def test_holds_each_record_once_whatever_order_is_asked_for(self, auditor, monkeypatch):
        monkeypatch.setattr(export, "ROWS_AT_ONCE", 7)
        write(*(make_record(at=NOON + timedelta(seconds=n), address=f"10.0.0.{n * 37 % 100}") for n in range(100)))
        page = auditor.get(LIST, {"o": 4, "q": "rita"})
        assert [record.at for record in page.context["cl"].result_list[:2]] == [
            NOON + timedelta(seconds=n) for n in (99, 98)
        ]
        assert "sortable" not in page.content.decode()
        assert [row["id"] for row in exported(auditor, o=4)] == [row["id"] for row in exported(auditor)]
        unsorted = AuditRecord.objects.filter(action="looked").order_by("address")
        assert b"".join(export.csv_pieces(unsorted)).count(b"\r\n") == 101

    @pytest.mark.parametrize("count", [6, 7, 8, 14])
    def test_ends_well_at_the_edges_of_a_piece(self, auditor, monkeypatch, count):
        monkeypatch.setattr(export, "ROWS_AT_ONCE", 7)
        write_many(count)
        assert len(exported(auditor)) == count

    def test_is_a_file_that_nobody_keeps(self, auditor):
        answer = auditor.get(EXPORT)
        assert answer.streaming
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert answer["Content-Disposition"].startswith('attachment; filename="audit-log-')
        assert "no-store" in answer["Cache-Control"]

    def test_is_recorded_with_its_filters_before_its_first_byte(self, auditor):
        write_many(3)
        with recording() as records:
            answer = auditor.get(EXPORT, {"action__exact": "looked", "q": "rita"}, REMOTE_ADDR="203.0.113.7")
            assert AuditRecord.objects.filter(action="exported").exists()
            answer.close()
        assert told(records) == [("exported", "audit_log", "")]
        assert records[0].details == {"filters": {"action__exact": "looked", "q": "rita"}}
        assert (records[0].actor_name, records[0].address) == ("anna", "203.0.113.7")

    def test_needs_no_more_memory_for_a_longer_log(self, auditor, monkeypatch):
        monkeypatch.setattr(export, "ROWS_AT_ONCE", 200)  # looking at memory takes long

        def peak_bytes(expected):
            tracemalloc.start()
            size = sum(len(piece) for piece in auditor.get(EXPORT).streaming_content)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert size > expected
            return peak

        write_many(2 * export.ROWS_AT_ONCE, details={"text": "x" * 300})
        peak_bytes(0)  # what is imported and cached at the first
        few = peak_bytes(2 * export.ROWS_AT_ONCE * 300)
        write_many(12 * export.ROWS_AT_ONCE, details={"text": "x" * 300})
        assert peak_bytes(14 * export.ROWS_AT_ONCE * 300) < 1.5 * few

    def test_every_piece_is_read_in_the_order_of_an_index(self, auditor):
        write_many(300)
        write_many(300, action=Action.EXPORTED)
        records = auditor.get(f"{LIST}?action__exact=looked").context["cl"].queryset
        plan = explain(records.filter(at__lt=NOON + timedelta(seconds=200))[:50])
        assert plan.index_names == {"audit_action"}
        assert plan.docs_examined <= 50
        assert not plan.sorts_in_memory

    @pytest.mark.parametrize("method", ["post", "put", "delete"])
    def test_has_one_method(self, auditor, method):
        assert getattr(auditor, method)(EXPORT).status_code == 405

    def test_the_button_keeps_the_filters_and_not_the_page(self, auditor):
        write_many(60)
        page = auditor.get(LIST, {"p": 2, "action__exact": "looked", "q": "rita"}).content.decode()
        assert f'href="{EXPORT}?action__exact=looked&amp;q=rita"' in page
