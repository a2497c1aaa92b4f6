"""The clock of the tests."""

from datetime import UTC, datetime, timedelta

#: A Monday morning, far from the end of a month, a year and from any change of summer time.
MONDAY = datetime(2026, 5, 11, 9, 0, tzinfo=UTC)


class StillClock:
    """Stands still until it is told to move; what `clock.now()` gives while a test runs."""

    def __init__(self, now: datetime = MONDAY) -> None:
        self.now = now

    def read(self) -> datetime:
        return self.now

    def pass_(
        self, *, weeks: float = 0, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> datetime:
        """Let time pass and give the new moment."""
        self.now += timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
        return self.now
