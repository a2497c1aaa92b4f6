"""Rows on their way out: as CSV that no spreadsheet takes for a formula, streamed, and recorded."""

import csv
import enum
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select

from models import Base, db
from permissions import Actor
from services import audit

MOST_ROWS = 100_000
BATCH = 2_000  #: rows fetched at once
#: What makes a spreadsheet calculate, after spaces and quotes that it would skip.
_FORMULA = re.compile(r"^[\s\"']*[=+\-@|\uFF1D\uFF0B\uFF0D\uFF20]|^[\t\r\n]")
_NUMBER = re.compile(r"^-?\d+(\.\d+)?$")


def neutral(value: object) -> str:
    """The value as text of a CSV cell: what would be a formula begins with an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = str(value)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.match(text) else text


def rows_of(statement: Select[Any]) -> Iterator[Sequence[Any]]:
    """The rows of a statement of columns, a batch at a time, at most MOST_ROWS."""
    found = db.session.execute(
        statement.limit(MOST_ROWS), execution_options={"yield_per": BATCH, "stream_results": True}
    )
    yield from found


def as_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The lines of a CSV file in chunks, every field quoted, lines ending in CR LF."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([neutral(name) for name in header])
    for number, row in enumerate(rows, 1):
        writer.writerow([neutral(value) for value in row])
        if number % 500 == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def record(*, actor: Actor, what: str, count: int, filters: str, subject: Base | None = None) -> None:
    """Leave a trace of who took how many rows of what, and how they were chosen."""
    audit.record(
        actor=actor, verb="record.exported", subject=subject, what=what, count=count, filters=filters[:500]
    )
