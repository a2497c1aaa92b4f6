"""The one clock: every moment in Portico comes from here, aware and in UTC."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, UTC, with microseconds; tests hold it still by replacing `read`."""
    return read()


def _system() -> datetime:
    return datetime.now(UTC)


#: What `now` asks; a test sets it to a clock that stands still.
read = _system
