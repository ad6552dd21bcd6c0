"""The time of one sitting: instants as seconds since its start. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class SittingTime:
    """Where nobody knows the start, seconds count from `zero`, the first event; None: there is none either."""

    zero: datetime | None

    @classmethod
    def of(cls, start: datetime | None, instants: Iterable[datetime | None] = ()) -> "SittingTime":
        return cls(start or min(filter(None, instants), default=None))

    def seconds(self, at: datetime | None) -> float:
        """An instant that nobody knows is at the start."""
        return 0.0 if at is None or self.zero is None else (at - self.zero).total_seconds()

    def instant(self, seconds: float | None) -> datetime | None:
        """None also for a moment that has no place on the calendar."""
        if seconds is None or self.zero is None:
            return None
        try:
            return self.zero + timedelta(seconds=seconds)
        except OverflowError:  # an adopted start in the year 1 or 9999
            return None
