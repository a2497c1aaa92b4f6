"""The list engine: every table of the desk, from its address to the rows that are shown.

A list reads ids alone, along an index, and then the rows of one page with the relations they show. It
counts to CAP and no further; up to there its pages are numbered, beyond it they follow each other by
`after`. A junk parameter counts as not given. The number of statements is fixed, however many rows
there are and however many match.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import CTE, ColumnElement, Select, func, literal_column, select, tuple_, union
from sqlalchemy.orm import InstrumentedAttribute, raiseload
from sqlalchemy.orm.interfaces import ORMOption
from werkzeug.datastructures import MultiDict

from admin.cells import Cell
from admin.filters import Filter, read_id
from models import Base, db
from services import search

CAP = 10_000  #: rows that are counted and paged by number
TAB_CAP = 200  #: rows that are counted for a tab nobody looks at: whether much waits, not how much exactly
SIZES = (25, 50, 100)
MOST_PAGES_TYPED = 6  #: digits of a page number that are read at all


@dataclass(frozen=True)
class Column:
    """A column of a list: how its cell is made, what sorts it, what an export says of it.

    `cell` is given the row and what `Listing.extras` found for it. `style` is "num", "p2" (hides below
    640 px) or "p3" (below 960 px). `export` is the SQL expression of an export; None leaves it out.
    """

    key: str
    label: str
    cell: Callable[[Any, Any], Cell]
    sorts: InstrumentedAttribute[Any] | None = None
    style: str = ""
    export: Any = None


@dataclass(frozen=True)
class Tab:
    """A view that every reader has: a name for a query, with the number of its rows up to TAB_CAP."""

    label: str
    query: Mapping[str, str]
    is_counted: bool = True


@dataclass(frozen=True)
class State:
    """What the address of a list says, cleaned."""

    needle: str = ""
    values: Mapping[str, str] = None  # type: ignore[assignment]
    typed: Mapping[str, str] = None  # type: ignore[assignment]  #: words for references not chosen yet
    sort: str = ""
    size: int = SIZES[0]
    page: int = 1
    after: int | None = None

    @property
    def is_narrowed(self) -> bool:
        return bool(self.needle or self.values)

    def query(self, **changes: Any) -> str:
        """The address of the list with some of it changed, from the first page on."""
        return "?" + string if (string := self.string(**changes)) else "."

    def string(self, **changes: Any) -> str:
        """The same as a bare query string, "" for the list as it opens."""
        state = replace(self, **{"page": 1, "after": None, **changes})
        pairs: list[tuple[str, object]] = [("q", state.needle), *state.values.items()]
        pairs += [("sort", state.sort), ("size", state.size if state.size != SIZES[0] else "")]
        pairs += [("page", state.page if state.page > 1 else ""), ("after", state.after or "")]
        return urlencode([(name, value) for name, value in pairs if value != ""])

    def without(self, key: str) -> str:
        """The address without that filter."""
        return self.query(values={name: value for name, value in self.values.items() if name != key})


@dataclass(frozen=True)
class Listing:
    """One list, declared once: what it shows, sorts, filters, searches and exports.

    `order` is the sort before anybody chose one, "-" in front for descending; `scope` limits which rows
    there are at all; `loads` names every relation that cells read; `joins` those that exports read;
    `extras` is given the rows of a page and answers by id what cells need beyond the row.
    """

    name: str  #: of its saved views: "partners", "records.people"
    nouns: tuple[str, str]  #: one and many: ("partner", "partners")
    model: type[Base]
    columns: tuple[Column, ...]
    order: str
    filters: tuple[Filter, ...] = ()
    sources: tuple[search.Source, ...] = ()
    search_label: str = "Search"
    loads: tuple[ORMOption, ...] = ()
    joins: tuple[Any, ...] = ()
    scope: Callable[[], ColumnElement[bool]] | None = None
    extras: Callable[[Sequence[Any]], Mapping[int, Any]] | None = None
    tabs: tuple[Tab, ...] = ()
    empty: str = ""  #: what it is for, while there are no rows at all

    def __post_init__(self) -> None:
        """Refuse a sort that no index carries, or that rows without a value would fall out of."""
        sorts = self._sorts()
        if self.order.lstrip("-") not in sorts:
            raise TypeError(f"{self.name}: {self.order} is no sort of it")
        table = self.model.__table__
        leading = {index.columns[0].name for index in table.indexes}  # type: ignore[attr-defined]
        leading |= {column.name for column in table.columns if column.primary_key or column.unique}
        for key, column in sorts.items():
            if column.expression.name not in leading or column.nullable:
                raise TypeError(
                    f"{self.name}: sorting by {key} needs an index on a column that is never empty"
                )

    # MARK: From the address

    def read(self, values: "MultiDict[str, str]") -> State:
        """The state that an address asks for; what does not fit counts as not given."""
        sort = values.get("sort", "")
        number = values.get("page", "")
        size = values.get("size", "")
        is_number = number.isascii() and number.isdigit() and len(number) <= MOST_PAGES_TYPED
        read = {each.key: each.read(values) for each in self.filters}
        return State(
            needle=" ".join(search.words(values.get("q", ""))) if self.sources else "",
            values={key: value for key, value in read.items() if value},
            typed={
                each.key: " ".join(search.words(values.get(f"{each.key}_text", "")))
                for each in self.filters
                if each.kind == "reference" and not read[each.key]
            },
            sort=sort if sort.removeprefix("-") in self._sorts() and sort != self.order else "",
            size=int(size) if size in {str(each) for each in SIZES} else SIZES[0],
            page=max(1, int(number)) if is_number else 1,
            after=read_id(values.get("after")),
        )

    # MARK: Rows

    def rows(self, numbers: Sequence[int]) -> list[Any]:
        """These rows in this order, with the relations that cells read and no others."""
        if not numbers:
            return []
        statement = select(self.model).where(self._number.in_(numbers)).options(*self.loads, raiseload("*"))
        found = {self.key_of(row): row for row in db.session.scalars(statement).unique()}
        return [found[number] for number in numbers if number in found]

    def matching(self, state: State, *columns: Any) -> Select[Any]:
        """Every row of the state in its order, for exports and bulk changes; limit it yourself."""
        conditions = self._conditions(state)
        if state.needle:
            wanted = union(*search.hits(self.model, self.sources, state.needle)).subquery()
            conditions.append(self._number.in_(select(wanted.c.id)))
        statement = select(*(columns or (self._number,))).select_from(self.model).where(*conditions)
        for relation in self.joins if columns else ():
            statement = statement.outerjoin(relation)
        return statement.order_by(*self._order(state))

    def count(self, state: State, most: int = CAP) -> int:
        """How many rows the state has; `most` + 1 stands for more than `most`."""
        some = self.matching(state).order_by(None).limit(most + 1).subquery()
        return int(db.session.execute(select(func.count()).select_from(some)).scalar_one())

    def tab_counts(self, most: int = TAB_CAP) -> list[int | None]:
        """The number of rows of each tab, in one statement; `most` + 1 stands for more."""
        counted = [tab for tab in self.tabs if tab.is_counted]
        if not counted:
            return [None for _tab in self.tabs]
        each = [
            select(func.count())
            .select_from(
                self.matching(self.read(MultiDict(tab.query))).order_by(None).limit(most + 1).subquery()
            )
            .scalar_subquery()
            for tab in counted
        ]
        found = iter(db.session.execute(select(*each)).one())
        return [next(found) if tab.is_counted else None for tab in self.tabs]

    # MARK: How ids are found

    def numbers(self, state: State) -> tuple[list[int], int | None, State]:
        """One id more than the page shows, the capped count (None beyond it), and the state as it holds.

        A page beyond the last is the first.
        """
        if self._offset(state) >= CAP:  # beyond the cap pages have no numbers
            state = replace(state, page=1)
        conditions = self._conditions(state)
        if not conditions and not state.needle:
            if state.after and (start := self._start(state)) is not None:
                return self._walk(state, [start]), None, state
            first = self._walk(state, [], count=True)
            if not first and state.page > 1:
                state = replace(state, page=1)
                first = self._walk(state, [], count=True)
            return [row.id for row in first], first[0].count if first else 0, replace(state, after=None)
        if state.needle:
            rows, is_whole = self._found(state, conditions, by_hits=True)
            conditions = [*conditions, search.meets(self.model, self.sources, state.needle)]
            if not is_whole:  # so many hits that testing rows in order is quicker than listing them
                rows, _ = self._found(state, conditions)
        else:
            rows, _ = self._found(state, conditions)
        if not rows and state.page > 1:
            return self.numbers(replace(state, page=1))
        count = rows[0].count if rows else 0
        if count <= CAP:
            return [row.id for row in rows], count, replace(state, after=None)
        if state.after and (start := self._start(state)) is not None:
            return self._walk(state, [*conditions, start]), None, state
        return self._walk(state, conditions), count, replace(state, after=None)

    def _found(
        self, state: State, conditions: list[ColumnElement[bool]], *, by_hits: bool = False
    ) -> tuple[Sequence[Any], bool]:
        """Rows and count of what matches, gathered before it is sorted: on PostgreSQL a rare match would
        else be looked for along the whole index of the order. Second, whether no hit was left out."""
        hits: ColumnElement[Any] = literal_column("0")
        if by_hits:
            each = [
                select(some.limit(CAP + 1).subquery().c.id)
                for some in search.hits(self.model, self.sources, state.needle)
            ]
            hit = _kept(union(*each) if len(each) > 1 else each[0], "hit")
            hits = select(func.count()).select_from(hit).scalar_subquery()
            conditions = [*conditions, self._number.in_(select(hit.c.id))]
        column, is_descending = self._sort(state)
        wanted = select(self._number.label("id"), column.label("place")).where(*conditions).limit(CAP + 1)
        found = _kept(wanted, "found")
        order = [found.c.place, found.c.id]
        statement = (
            select(
                found.c.id,
                select(func.count()).select_from(found).scalar_subquery().label("count"),
                hits.label("hits"),
            )
            .order_by(*(each.desc() for each in order) if is_descending else order)
            .limit(state.size + 1)
            .offset(self._offset(state))
        )
        rows = db.session.execute(statement).all()
        return rows, not rows or rows[0].hits <= CAP

    def _walk(self, state: State, conditions: list[ColumnElement[bool]], *, count: bool = False) -> list[Any]:
        """Ids along the index of the order; with `count`, rows of id and capped count."""
        statement = select(self._number.label("id")).where(*conditions).order_by(*self._order(state))
        statement = statement.limit(state.size + 1)
        if not state.after:
            statement = statement.offset(self._offset(state))
        if not count:
            return list(db.session.scalars(statement))
        some = select(literal_column("1")).select_from(self.model).limit(CAP + 1).subquery()
        counted = select(func.count()).select_from(some).scalar_subquery()
        return list(db.session.execute(statement.add_columns(counted.label("count"))))

    def _start(self, state: State) -> ColumnElement[bool] | None:
        """The rows after the one that `after` names; None where it is gone."""
        column, is_descending = self._sort(state)
        last = db.session.execute(select(column, self._number).where(self._number == state.after)).first()
        if last is None:
            return None
        here = tuple_(column, self._number)
        condition: ColumnElement[bool] = here < tuple(last) if is_descending else here > tuple(last)
        return condition

    @staticmethod
    def _offset(state: State) -> int:
        return (state.page - 1) * state.size

    def _conditions(self, state: State) -> list[ColumnElement[bool]]:
        by_key = {each.key: each for each in self.filters}
        conditions = [by_key[key].condition(value) for key, value in state.values.items()]
        return [*conditions, self.scope()] if self.scope else conditions

    def _order(self, state: State) -> list[ColumnElement[Any]]:
        column, is_descending = self._sort(state)
        return [
            each.desc() if is_descending else each.asc() for each in dict.fromkeys((column, self._number))
        ]

    def _sort(self, state: State) -> tuple[Any, bool]:
        sort = state.sort or self.order
        return self._sorts()[sort.removeprefix("-")], sort.startswith("-")

    def _sorts(self) -> dict[str, InstrumentedAttribute[Any]]:
        return {column.key: column.sorts for column in self.columns if column.sorts is not None}

    @property
    def _number(self) -> Any:
        return getattr(self.model, str(self.model.__mapper__.primary_key[0].key))

    def key_of(self, row: Any) -> int:
        """The id of a row."""
        return int(getattr(row, str(self.model.__mapper__.primary_key[0].key)))


def _kept(statement: Any, name: str) -> CTE:
    """A part of a statement that PostgreSQL works out first and once."""
    kept: CTE = statement.cte(name).prefix_with("MATERIALIZED")
    return kept
