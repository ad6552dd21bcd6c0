"""What may stand in a cell of a CSV file that somebody will open in a spreadsheet, and how its lines are written."""

import csv
import io
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Sequence
from datetime import datetime

#: Without it Excel takes a file that is opened by a double click for one of its own country's letters. For people
#: alone: to a program it is part of the first cell.
FOR_EXCEL = BOM_UTF8

#: A spreadsheet takes a cell that begins so for a formula (OWASP, CSV injection); an apostrophe keeps it text. The last
#: four are the wide ones of East Asian keyboards. After a blank LibreOffice Calc (7.4, trimming or not) keeps it text.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
#: Where a cell begins too, for one whose separator is another than the comma: the semicolon in much of Europe. Quotes
#: in the middle of a cell mean nothing to it then, so a line ends where a message breaks.
CELL_IN_A_CELL = re.compile(r'([;\t\r\n]"?)(?=[=+\-@＝＋－＠])')
CELL_IN_JSON = re.compile(r";(?=[=+\-@＝＋－＠])")


def safe(cell: object) -> str:
    text = "" if cell is None else CELL_IN_A_CELL.sub(r"\1'", str(cell))  # an adopted document may hold anything
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def safe_json(text: str) -> str:
    """JSON is read by machines, to whom it says the same: a semicolon can be written so that no cell begins there."""
    return safe(CELL_IN_JSON.sub(r"\\u003b", text))


def instant(at: datetime | None) -> str:
    return "" if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def lines(rows: Iterable[Sequence[object]]) -> bytes:
    """UTF-8; for half a surrogate, which an adopted document may hold, a question mark."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue().encode("utf-8", errors="replace")
