"""Finding rows by words, quickly at a million rows and alike on both databases.

PostgreSQL asks trigram indexes (or, where the extension could not be made, word indexes), SQLite its
full-text tables; revision 0003 of the migrations makes all of them and keeps them in step. Words of
fewer than three letters have no trigram: they are looked for at the beginning of a column only.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import (
    ColumnElement,
    Engine,
    Select,
    and_,
    column,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.orm import InstrumentedAttribute

from models import Base, db

LONGEST = 100  #: characters of a needle that count
MOST_WORDS = 6
SHORTEST = 3  #: letters that a trigram takes

#: The columns of each full-text table and word index, in its order; revision 0003 made them so.
INDEXED: dict[str, tuple[str, ...]] = {
    "partner_organizations": ("name", "domain"),
    "partner_entities": ("name",),
    "partner_users": ("full_name", "email_canonical"),
    "partner_invitations": ("email_canonical", "invitation_code"),
    "schools": ("name", "city", "code"),
}

Columns = Sequence[InstrumentedAttribute[Any]]


@dataclass(frozen=True)
class Source:
    """Where a list looks for words: in its own columns, a parent's, or those of rows that point to it.

    `key` is the column that holds the id of the listed row; `parent` the listed row's column that holds
    the id of the searched one; `joins` lead from the searched rows to those that hold `key`.
    """

    columns: tuple[InstrumentedAttribute[Any], ...]
    key: InstrumentedAttribute[int] | None = None
    parent: InstrumentedAttribute[Any] | None = None
    joins: tuple[tuple[type[Base], ColumnElement[bool]], ...] = ()

    @property
    def model(self) -> Any:
        return self.columns[0].class_


def words(needle: str) -> list[str]:
    """The words of a needle that count."""
    return needle.replace("\x00", "")[:LONGEST].split()[:MOST_WORDS]


def matching(model: type[Base], columns: Columns, needle: str) -> ColumnElement[bool]:
    """The condition that each word of the needle stands somewhere in the columns, by an index.

    A row matches when every word is part of at least one column, whatever its case; when all words are
    short, when each begins a column. An empty needle matches nothing.
    """
    wanted = words(needle)
    if not wanted:
        return false()
    long = [word for word in wanted if len(word) >= SHORTEST]
    short = [word for word in wanted if len(word) < SHORTEST]
    if not long:
        return and_(*(_begins(columns, word) for word in short))
    rest = [_contains(columns, word) for word in short]
    indexed = INDEXED.get(model.__tablename__, ())
    if not all(each.key in indexed for each in columns):
        return and_(*(_contains(columns, word) for word in wanted))
    if _dialect() == "sqlite":
        return and_(_in_full_text(model, columns, long), *rest)
    if _has_trigrams():
        return and_(*(_contains(columns, word) for word in wanted))
    return _in_words(model, indexed, wanted)


def containing(columns: Columns, needle: str) -> ColumnElement[bool]:
    """The same without an index: quick where most rows match and the list is walked in its order."""
    return and_(*(_contains(columns, word) for word in words(needle))) if words(needle) else false()


def starting(columns: Columns, needle: str) -> ColumnElement[bool]:
    """The condition that one of the columns begins with the needle, by the columns' own indexes."""
    return _begins(columns, " ".join(words(needle))) if words(needle) else false()


def hits(listed: type[Base], sources: Sequence[Source], needle: str) -> list[Select[Any]]:
    """For each source, the ids of the listed rows that it finds."""
    found = []
    number = listed.__mapper__.primary_key[0]
    for source in sources:
        if source.parent is not None:
            wanted = select(number.label("id")).join(source.model, source.parent == _key_of(source.model))
        elif source.key is not None:
            wanted = select(_column(source.key).label("id")).select_from(source.model).distinct()
            for other, condition in source.joins:
                wanted = wanted.join(other, condition)
        else:
            wanted = select(number.label("id"))
        found.append(wanted.where(matching(source.model, source.columns, needle)))
    return found


def meets(listed: type[Base], sources: Sequence[Source], needle: str) -> ColumnElement[bool]:
    """The condition on one listed row that some source finds it, to test rows in the list's order."""
    number = listed.__mapper__.primary_key[0]
    met: list[ColumnElement[bool]] = []
    for source in sources:
        there = (
            containing(source.columns, needle)
            if any(len(word) >= SHORTEST for word in words(needle))
            else matching(source.model, source.columns, needle)
        )
        if source.parent is not None:
            met.append(exists().where(_key_of(source.model) == source.parent, there))
        elif source.key is not None:
            near: Select[Any] = select(literal_column("1")).select_from(source.model)
            for other, condition in source.joins:
                near = near.join(other, condition)
            met.append(near.where(_column(source.key) == number, there).exists())
        else:
            met.append(there)
    return or_(*met)


# MARK: One word in some columns


def _contains(columns: Columns, word: str) -> ColumnElement[bool]:
    return or_(*(_like(each, f"%{_escaped(word)}%") for each in columns))


def _begins(columns: Columns, word: str) -> ColumnElement[bool]:
    if _dialect() != "sqlite":
        return or_(*(_like(each, f"{_escaped(word)}%") for each in columns))
    # SQLite's LIKE passes plain indexes by; a range over each usual spelling uses them.
    spellings = dict.fromkeys((word, word.lower(), word.upper(), word.capitalize(), word.title()))
    return or_(
        *(
            and_(each >= spelling, each < spelling + "\U0010ffff")
            for each in columns
            for spelling in spellings
        )
    )


def _like(each: InstrumentedAttribute[Any], pattern: str) -> ColumnElement[bool]:
    """Without an ESCAPE on PostgreSQL, where the backslash is it by default and indexes want it plain."""
    return each.like(pattern, escape="\\") if _dialect() == "sqlite" else each.ilike(pattern)


def _escaped(word: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", word)


# MARK: Indexes


def _in_full_text(model: type[Base], columns: Columns, wanted: list[str]) -> ColumnElement[bool]:
    quoted = " AND ".join('"' + word.replace('"', '""') + '"' for word in wanted)
    names = " ".join(each.key for each in columns)
    name = f"{model.__tablename__}_fts"
    found = table(name, column("rowid"))
    match = literal_column(name).op("MATCH")(f"{{{names}}} : ({quoted})")
    return _key_of(model).in_(select(found.c.rowid).where(match))


def _in_words(model: type[Base], indexed: tuple[str, ...], wanted: list[str]) -> ColumnElement[bool]:
    """Every word as the beginning of a word; the expression is that of the index, letter by letter."""
    query = " & ".join("'" + re.sub(r"['\\]", " ", word) + "':*" for word in wanted)
    joined = " || ' ' || ".join(f"coalesce({model.__tablename__}.{name}, '')" for name in indexed)
    vector: ColumnElement[Any] = literal_column(f"to_tsvector('simple', {joined})")
    return vector.op("@@")(func.to_tsquery(literal_column("'simple'"), query))


_trigrams: WeakKeyDictionary[Engine, bool] = WeakKeyDictionary()


def _has_trigrams() -> bool:
    """Whether this database has pg_trgm; asked once per engine."""
    engine = db.engine
    if engine not in _trigrams:
        asked = text("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'")
        _trigrams[engine] = bool(db.session.execute(asked).scalar_one())
    return _trigrams[engine]


def _dialect() -> str:
    return db.session.get_bind().dialect.name


def _key_of(model: Any) -> ColumnElement[Any]:
    key: ColumnElement[Any] = model.__mapper__.primary_key[0]
    return key


def _column(attribute: Any) -> ColumnElement[Any]:
    column_: ColumnElement[Any] = attribute.expression
    return column_
