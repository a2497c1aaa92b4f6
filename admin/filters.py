"""What a list can be narrowed by: each filter reads its own parameters and refuses nothing.

What does not fit – an unknown choice, a day that is none, a number beyond any id – counts as not given.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import flask_babel
from sqlalchemy import ColumnElement, false, select
from sqlalchemy.orm import InstrumentedAttribute
from werkzeug.datastructures import MultiDict

import language
from models import GREATEST_ID, Base, db
from services import search

MOST_SUGGESTIONS = 20


def read_id(text: str | None) -> int | None:
    """The id that a parameter names, or None where it names none."""
    if not text or not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    number = int(text)
    return number if 0 < number <= GREATEST_ID else None


@dataclass(frozen=True)
class Filter:
    """One way to narrow a list; promoted ones stand beside the search, the others under More filters."""

    key: str
    label: str
    promoted: bool = False
    kind = "select"  #: how the bar draws it: select, day, text, reference

    def read(self, values: "MultiDict[str, str]") -> str:
        """The value given, in the one spelling that this filter has for it; "" for none."""
        raise NotImplementedError

    def condition(self, value: str) -> ColumnElement[bool]:
        """What rows must meet."""
        raise NotImplementedError

    def words(self, value: str) -> str:
        """The value as the chip says it."""
        return value


@dataclass(frozen=True)
class Choice(Filter):
    """One of few: `choices` are (value, words), `where` gives the condition of a value."""

    choices: tuple[tuple[str, str], ...] = ()
    where: Callable[[str], ColumnElement[bool]] = lambda _value: false()

    def read(self, values: "MultiDict[str, str]") -> str:
        given = values.get(self.key, "")
        return given if given in dict(self.choices) else ""

    def condition(self, value: str) -> ColumnElement[bool]:
        return self.where(value)

    def words(self, value: str) -> str:
        return dict(self.choices)[value]


def choice(
    key: str,
    label: str,
    column: InstrumentedAttribute[Any],
    *,
    promoted: bool = False,
    words: dict[str, str] | None = None,
) -> Choice:
    """A choice among the values of an enum or boolean column."""
    if (kinds := getattr(column.type, "enum_class", None)) is not None:
        choices = tuple((kind.value, (words or {}).get(kind.value) or spoken(kind.value)) for kind in kinds)

        def where(value: str) -> ColumnElement[bool]:
            return column == kinds(value)
    else:
        choices = (("yes", (words or {}).get("yes", "Yes")), ("no", (words or {}).get("no", "No")))

        def where(value: str) -> ColumnElement[bool]:
            return column.is_(value == "yes")

    return Choice(key, label, promoted, choices, where)


def spoken(value: str) -> str:
    """A stored word as people read it: "high_school" → "High school"."""
    return value.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Text(Filter):
    """Exactly this text, as `clean` spells it: an address, a request id."""

    column: Any = None
    clean: Callable[[str], str] = str.strip
    kind = "text"

    def read(self, values: "MultiDict[str, str]") -> str:
        return self.clean(values.get(self.key, "")[:254])

    def condition(self, value: str) -> ColumnElement[bool]:
        condition: ColumnElement[bool] = self.column == value
        return condition


@dataclass(frozen=True)
class Day(Filter):
    """From or until a day of the reader's calendar, both days included."""

    column: Any = None
    is_end: bool = False
    kind = "day"

    def read(self, values: "MultiDict[str, str]") -> str:
        try:
            given = date.fromisoformat(values.get(self.key, ""))
        except ValueError:
            return ""
        return given.isoformat() if 1970 <= given.year < 9999 else ""

    def condition(self, value: str) -> ColumnElement[bool]:
        zone = flask_babel.get_timezone() or ZoneInfo("UTC")
        begin = datetime.combine(date.fromisoformat(value), time.min, tzinfo=zone)
        condition: ColumnElement[bool] = (
            self.column < begin + timedelta(days=1) if self.is_end else self.column >= begin
        )
        return condition

    def words(self, value: str) -> str:
        return language.day(date.fromisoformat(value))


def days(label: str, column: InstrumentedAttribute[Any]) -> tuple[Day, Day]:
    """Two filters, `from` and `until`, on a moment."""
    return (
        Day("from", f"{label} from", column=column),
        Day("until", f"{label} until", column=column, is_end=True),
    )


# MARK: Suggestions


@dataclass(frozen=True)
class Suggested:
    """How rows of a table are suggested while somebody types: by which columns, under which words."""

    model: type[Base]
    columns: tuple[InstrumentedAttribute[Any], ...]
    label: InstrumentedAttribute[Any]
    hint: Any = None  #: a column or expression that tells two of the same name apart
    join: Any = None  #: the relationship that `hint` needs

    def name_of(self, number: int | None) -> str:
        """The words under which that row is suggested; "" where there is none."""
        if number is None:
            return ""
        key = self.model.__mapper__.primary_key[0]
        return str(db.session.scalar(select(self.label).where(key == number)) or "")

    def find(self, needle: str) -> list[dict[str, Any]]:
        """At most twenty rows as {id, label, hint}; none before two letters were typed."""
        needle = " ".join(search.words(needle))
        if len(needle) < 2:
            return []
        number = self.model.__mapper__.primary_key[0]
        hint = self.hint if self.hint is not None else self.label
        # Those that begin so first; more than the twenty are never read.
        found: dict[int, dict[str, Any]] = {}
        for condition in (
            search.starting(self.columns, needle),
            search.matching(self.model, self.columns, needle),
        ):
            chosen = select(number).where(condition).limit(MOST_SUGGESTIONS).subquery()
            statement = select(number, self.label.label("label"), hint.label("hint")).join(
                chosen, chosen.c.id == number
            )
            if self.join is not None:
                statement = statement.outerjoin(self.join)
            for row in db.session.execute(statement.order_by(self.label, number)):
                shown = row.hint if self.hint is not None else ""
                found.setdefault(
                    row[0], {"id": row[0], "label": row.label or row.hint, "hint": str(shown or "")}
                )
            if len(found) >= MOST_SUGGESTIONS:
                break
        return list(found.values())[:MOST_SUGGESTIONS]


@dataclass(frozen=True)
class Reference(Filter):
    """Rows that point to one row of another table, which is found by typing its name."""

    column: Any = None
    suggested: "Suggested | None" = None
    endpoint: str = ""  #: answers ?q= with suggestions as JSON
    kind = "reference"

    def read(self, values: "MultiDict[str, str]") -> str:
        number = read_id(values.get(self.key))
        return str(number) if number else ""

    def condition(self, value: str) -> ColumnElement[bool]:
        condition: ColumnElement[bool] = self.column == int(value)
        return condition

    def words(self, value: str) -> str:
        return self._suggested.name_of(int(value)) or f"number {value}"

    def suggest(self, typed: str) -> list[dict[str, Any]]:
        """What the words typed may mean, for those without scripts."""
        return self._suggested.find(typed)

    @property
    def _suggested(self) -> "Suggested":
        if self.suggested is None:
            raise TypeError(f"{self.key}: say what is suggested")
        return self.suggested
