"""How a report looks. A new format: one file here with `render(report, events) -> bytes`, one line in `FORMATS`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reports_app.builder import EventFact, Report
from reports_app.renderers import csv_file, html_page


@dataclass(frozen=True, slots=True)
class Format:
    """`version` goes up when the renderer's output changes, so that stored files are made anew."""

    suffix: str
    content_type: str
    version: int
    render: Callable[[Report, Sequence[EventFact]], bytes]


FORMATS: Mapping[str, Format] = {
    "html": Format(".html", "text/html; charset=utf-8", 9, html_page.render),
    "csv": Format(".csv", "text/csv; charset=utf-8", 8, csv_file.render),
}
