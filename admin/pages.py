"""One page of a list as its template takes it: rows, range, links, filters in force."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from flask import url_for

import language
from admin import listing as engine
from admin.cells import Cell
from admin.filters import Filter, Reference
from admin.listing import SIZES, Listing, State


class Row(NamedTuple):
    """A row of a list: its id and its cells, the first of which is its name."""

    id: int
    cells: tuple[Cell, ...]


class Control(NamedTuple):
    """A filter as the bar draws it."""

    key: str
    label: str
    kind: str
    value: str
    choices: list[tuple[str, str]]
    typed: str  #: the words for a reference, chosen or still searched
    found: list[dict[str, Any]] | None  #: what these words found, where nothing was chosen yet
    url: str


class SortState(NamedTuple):
    """What components/tables.html asks of a sorting: the key, its direction, the address of another."""

    key: str
    direction: str
    state: State
    order: str

    def url(self, key: str) -> str:
        """Sort by that column; by the one already sorted, the other way round."""
        sort = f"-{key}" if key == self.key and self.direction == "ascending" else key
        return self.state.query(sort="" if sort == self.order else sort)


@dataclass
class Page:
    """What the list's template draws."""

    listing: Listing
    state: State
    rows: list[Row]
    count: int | None  #: None beyond the cap
    has_more: bool
    saved: list[Any] = field(default_factory=list)  #: saved views of the reader

    @property
    def nouns(self) -> tuple[str, str]:
        return self.listing.nouns

    @property
    def total(self) -> str:
        """How many there are: "120", or "10,000+"."""
        return _count(self.count, engine.CAP)

    @property
    def summary(self) -> str:
        """The range: "1–25 of 120"."""
        if not self.rows:
            return f"No {self.nouns[1]}"
        if self.count is None:
            return f"{language.number(len(self.rows))} more of {self.total}"
        first = (self.state.page - 1) * self.state.size + 1
        last = first + len(self.rows) - 1
        return f"{language.number(first)}–{language.number(last)} of {self.total}"

    @property
    def caption(self) -> str:
        """What the table holds, in which order, and the range, read aloud."""
        sort = self.sort
        label = next(column.label for column in self.listing.columns if column.key == sort.key)
        return f"{self.nouns[1].capitalize()}, by {label.lower()}, {sort.direction}, {self.summary}"

    @property
    def sort(self) -> SortState:
        sort = self.state.sort or self.listing.order
        direction = "descending" if sort.startswith("-") else "ascending"
        return SortState(sort.removeprefix("-"), direction, self.state, self.listing.order)

    @property
    def columns(self) -> list[dict[str, Any]]:
        return [
            {
                "label": column.label,
                "key": column.key if column.sorts is not None else "",
                "class": column.style,
                "is_silent": False,
            }
            for column in self.listing.columns
        ]

    @property
    def styles(self) -> list[str]:
        return [column.style for column in self.listing.columns]

    # MARK: Pages

    @property
    def last_page(self) -> int:
        """The last page that has a number."""
        return max(1, -(-min(self.count or 0, engine.CAP) // self.state.size))

    @property
    def next_url(self) -> str:
        if not self.has_more:
            return ""
        if self.count is None or self.state.page >= self.last_page:
            return self.state.query(after=self.rows[-1].id)
        return self.state.query(page=self.state.page + 1)

    @property
    def previous_url(self) -> str:
        """Beyond the cap the browser's Back leads back; from here only to the first page."""
        if self.count is None or self.state.page <= 1:
            return ""
        return self.state.query(page=self.state.page - 1)

    @property
    def links(self) -> list[dict[str, Any] | None]:
        """The numbered pages around this one, None for a gap."""
        if self.count is None:
            return [{"label": "1", "url": self.state.query(), "is_current": False}, None]
        if self.last_page == 1:
            return []
        here = self.state.page
        shown = sorted({1, self.last_page, *range(max(1, here - 1), min(self.last_page, here + 1) + 1)})
        links: list[dict[str, Any] | None] = []
        for before, page in zip([0, *shown], shown, strict=False):
            if page > before + 1:
                links.append(None)
            links.append(
                {
                    "label": language.number(page),
                    "url": self.state.query(page=page),
                    "is_current": page == here,
                }
            )
        return links

    # MARK: Filters

    @cached_property
    def promoted(self) -> list[Control]:
        return [self._control(each) for each in self.listing.filters if each.promoted]

    @cached_property
    def further(self) -> list[Control]:
        return [self._control(each) for each in self.listing.filters if not each.promoted]

    @property
    def is_further_open(self) -> bool:
        """More filters stands open while one of them holds, or waits for a choice among what it found."""
        return any(control.value or control.typed for control in self.further)

    @property
    def searched(self) -> str:
        """What was looked for and not found, in words."""
        return " and ".join(chip["label"] for chip in self.chips)

    @cached_property
    def chips(self) -> list[dict[str, str]]:
        """What narrows the list, each a link without it."""
        by_key = {each.key: each for each in self.listing.filters}
        chips = []
        if self.state.needle:
            chips.append({"label": f"“{self.state.needle}”", "url": self.state.query(needle="")})
        for key, value in self.state.values.items():
            each = by_key[key]
            chips.append({"label": f"{each.label}: {each.words(value)}", "url": self.state.without(key)})
        return chips

    @property
    def clear_url(self) -> str:
        return self.state.query(needle="", values={})

    @property
    def keep(self) -> dict[str, str]:
        """What the filter form carries along: the sorting and the size."""
        size = str(self.state.size) if self.state.size != SIZES[0] else ""
        return {name: value for name, value in (("sort", self.state.sort), ("size", size)) if value}

    @property
    def export_query(self) -> str:
        """What narrows the list, to hang on another address."""
        return f"?{self.state.string()}"

    def _control(self, each: Filter) -> Control:
        value = self.state.values.get(each.key, "")
        typed = self.state.typed.get(each.key, "") if each.kind == "reference" else ""
        url, found = "", None
        if isinstance(each, Reference):
            url = url_for(each.endpoint)
            if value:
                typed = each.words(value)
            elif typed:
                found = each.suggest(typed)
        choices = [("", "Any"), *getattr(each, "choices", ())]
        return Control(each.key, each.label, each.kind, value, choices, typed, found, url)

    # MARK: Views

    @property
    def is_changed(self) -> bool:
        """Whether the list is narrowed or sorted in a way that no view has yet."""
        is_default = not self.state.is_narrowed and not self.state.sort
        return not is_default and not any(tab["is_current"] for tab in self.tabs)

    @property
    def current_view(self) -> Any:
        """The saved view that is looked at, where it is the reader's own to remove."""
        here = self.state.string()
        return next((view for view in self.saved if view.query == here and view.is_own), None)

    @cached_property
    def tabs(self) -> list[dict[str, Any]]:
        """The list's own views and the saved ones, the current one marked."""
        mine = dict(parse_qsl(self.state.string(sort="", size=SIZES[0])))
        tabs = []
        if self.listing.tabs:
            for tab, count in zip(self.listing.tabs, self.listing.tab_counts(), strict=True):
                query = dict(tab.query)
                is_current = query == mine
                shown = None if count is None else _count(count, engine.TAB_CAP)
                if shown and is_current:  # the page itself counted further
                    shown = self.total
                tabs.append(
                    {
                        "label": tab.label,
                        "url": f"?{urlencode(query)}" if query else ".",
                        "count": shown,
                        "is_current": is_current,
                    }
                )
        elif self.saved:
            tabs.append({"label": "All", "url": ".", "count": None, "is_current": not mine})
        here = self.state.string()
        tabs += [
            {"label": view.name, "url": f"?{view.query}", "count": None, "is_current": view.query == here}
            for view in self.saved
        ]
        return tabs


def _count(count: int | None, cap: int) -> str:
    """The number of rows in words; None stands for more than were counted."""
    return f"{language.number(cap)}+" if count is None or count > cap else language.number(count)


def page_of(listing: Listing, state: State) -> Page:
    """The page of rows that the state asks for; a page beyond the last is the first."""
    numbers, count, state = listing.numbers(state)
    rows = listing.rows(numbers[: state.size])
    extras = listing.extras(rows) if listing.extras and rows else {}
    shown = []
    for row in rows:
        key = listing.key_of(row)
        shown.append(Row(key, tuple(column.cell(row, extras.get(key)) for column in listing.columns)))
    return Page(listing=listing, state=state, rows=shown, count=count, has_more=len(numbers) > state.size)
