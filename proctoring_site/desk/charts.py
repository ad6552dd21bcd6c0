"""Figures as the geometry of an inline SVG: what a template needs to draw them, and nothing of where they come from.

Every chart says in words what it shows, and its rows are the table that stands beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 1000
#: A lying bar stands under its own line of words: beside it there is no room for them on a phone.
ROW_HEIGHT, WORDS_HEIGHT, BAR_HEIGHT = 64, 36, 16
COLUMNS_HEIGHT, AXIS_HEIGHT, AXIS_WIDTH = 200, 28, 60
#: Half of the last column's label.
RIGHT_MARGIN = 30
#: A label under every so many columns; more would run into each other.
COLUMNS_PER_LABEL = 7


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a chart. `said`: as people read it, when it is more than the number; `kind`: a CSS class."""

    label: str
    value: float
    said: str = ""
    kind: str = ""

    @property
    def text(self) -> str:
        return self.said or f"{self.value:,.0f}"


@dataclass(frozen=True, slots=True)
class Mark:
    """A bar of a chart, and where its label stands."""

    figure: Figure
    x: float
    y: float
    width: float
    height: float
    is_labelled: bool = True

    @property
    def text_y(self) -> float:
        """The line on which the words above a bar stand."""
        return self.y - 10

    @property
    def middle_x(self) -> float:
        return round(self.x + self.width / 2, 1)


@dataclass(frozen=True, slots=True)
class Chart:
    """`name`: unique on its page. `heads`: of the table's two columns. Without marks there is nothing to draw."""

    name: str
    title: str
    description: str
    heads: tuple[str, str]
    marks: tuple[Mark, ...] = ()
    height: int = 0
    ticks: tuple[Mark, ...] = ()
    width: int = WIDTH
    is_columns: bool = False

    @property
    def label_y(self) -> int:
        return COLUMNS_HEIGHT + AXIS_HEIGHT - 8


def bars(
    name: str, title: str, figures: Sequence[Figure], *, heads: tuple[str, str], description: str, full: float = 0
) -> Chart:
    """Lying bars, one under the other. `full`: what the longest possible one stands for; else the largest value."""
    longest = full or max((figure.value for figure in figures), default=0)
    marks = tuple(
        Mark(
            figure=figure,
            x=0,
            y=row * ROW_HEIGHT + WORDS_HEIGHT,
            width=round(WIDTH * figure.value / longest, 1) if longest else 0,
            height=BAR_HEIGHT,
        )
        for row, figure in enumerate(figures)
    )
    return Chart(name, title, description, heads, marks, height=len(marks) * ROW_HEIGHT)


def columns(name: str, title: str, figures: Sequence[Figure], *, heads: tuple[str, str], description: str) -> Chart:
    """Standing bars in the order of time, with an axis of whole numbers."""
    highest = _nice_number(max((figure.value for figure in figures), default=0))
    step = (WIDTH - AXIS_WIDTH - RIGHT_MARGIN) / max(len(figures), 1)
    marks = tuple(
        Mark(
            figure=figure,
            x=round(AXIS_WIDTH + number * step + step * 0.15, 1),
            y=round(COLUMNS_HEIGHT * (1 - figure.value / highest), 1),
            width=round(step * 0.7, 1),
            height=round(COLUMNS_HEIGHT * figure.value / highest, 1),
            is_labelled=(len(figures) - 1 - number) % COLUMNS_PER_LABEL == 0,
        )
        for number, figure in enumerate(figures)
    )
    ticks = tuple(
        Mark(Figure("", value), x=0, y=round(COLUMNS_HEIGHT * (1 - value / highest), 1), width=WIDTH, height=0)
        for value in (highest, highest / 2, 0)
        if value == int(value)
    )
    height = COLUMNS_HEIGHT + AXIS_HEIGHT
    return Chart(name, title, description, heads, marks, height=height, ticks=ticks, is_columns=True)


def _nice_number(highest: float) -> int:
    """The next of 1, 2, 4, 10, 20, 40, 100 …, so that the axis and its half are whole."""
    tens = 1
    while True:
        for digit in (1, 2, 4):
            if highest <= digit * tens:
                return digit * tens
        tens *= 10
