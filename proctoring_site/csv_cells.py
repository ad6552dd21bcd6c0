"""What may stand in a cell of a CSV file that somebody will open in a spreadsheet."""

from datetime import datetime

#: A spreadsheet takes a cell that begins so for a formula (OWASP, CSV injection); an apostrophe keeps it text.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe(cell: object) -> str:
    text = str(cell)  # an adopted document may hold anything
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def instant(at: datetime | None) -> str:
    return "" if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
