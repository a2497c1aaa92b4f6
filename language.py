"""One place for words, dates, numbers and money in the reader's language and time zone.

Works inside a request (the reader's locale) and outside of one (the worker sets it with `speaking`).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

import flask_babel
from babel import Locale
from babel.dates import get_timezone, get_timezone_name
from babel.lists import format_list
from flask_babel import gettext, lazy_gettext, ngettext
from flask_babel.speaklater import LazyString

import clock

_ = gettext
_l = lazy_gettext

#: Languages that the portal speaks; a catalogue in translations/ makes another one.
LOCALES = ("en",)
TIME_ZONES = frozenset(available_timezones())

__all__ = [
    "LOCALES",
    "TIME_ZONES",
    "LazyString",
    "_",
    "_l",
    "day",
    "gettext",
    "lazy_gettext",
    "listed",
    "moment",
    "money",
    "ngettext",
    "number",
    "relative",
    "speaking",
]


@contextmanager
def speaking(locale: str, zone: str | None = None) -> Iterator[None]:
    """Speak that language, and tell the time in that zone, inside the block: for a reader who is not here."""
    kept = flask_babel._get_current_context()
    before = getattr(kept, "babel_tzinfo", None)
    with flask_babel.force_locale(locale):
        if kept is not None and zone in TIME_ZONES:
            kept.babel_tzinfo = get_timezone(zone)
        try:
            yield
        finally:
            if kept is not None:
                kept.babel_tzinfo = before


def plural(one: str, many: str, count: int) -> str:
    """The text for that many, its placeholders not yet filled, as Jinja's own translations want it."""
    return str(flask_babel.get_translations().ungettext(one, many, count))


def day(value: date | datetime) -> str:
    """The day in the reader's zone and order: "21 Nov 2026"."""
    if isinstance(value, datetime):
        return str(flask_babel.format_datetime(value, "d MMM yyyy"))
    return str(flask_babel.format_date(value, "d MMM yyyy"))


def moment(value: datetime) -> str:
    """Day, time and zone: "21 Nov 2026, 14:30 CET"."""
    return f"{flask_babel.format_datetime(value, 'd MMM yyyy, HH:mm')} {zone_name(value)}"


def zone_name(value: datetime) -> str:
    """The short name of the reader's zone at that moment: "CET", "UTC"."""
    zone = flask_babel.get_timezone() or ZoneInfo("UTC")
    return get_timezone_name(value.astimezone(zone), width="short", locale=_locale())


def relative(value: datetime) -> str:
    """ "in 40 minutes" or "2 days ago" within seven days of now, else the day."""
    distance = value - clock.now()
    if abs(distance) < timedelta(days=7):
        return str(flask_babel.format_timedelta(distance, add_direction=True))
    return day(value)


def number(value: int | float) -> str:
    """A number with the reader's separators."""
    return str(flask_babel.format_decimal(value))


def money(amount_minor: int, currency: str) -> str:
    """An amount in the currency's smallest unit, written as the reader's locale writes money."""
    from babel.numbers import get_currency_precision

    return str(flask_babel.format_currency(amount_minor / 10 ** get_currency_precision(currency), currency))


def listed(words: Iterable[str], style: Literal["standard", "or"] = "standard") -> str:
    """The words as one phrase: "a, b and c" as the reader's language joins them."""
    return str(format_list(list(words), style=style, locale=_locale()))


def _locale() -> Locale:
    return flask_babel.get_locale() or Locale("en")


def utc(value: datetime) -> str:
    """The moment as a machine reads it, for `<time datetime>`."""
    return value.astimezone(UTC).isoformat(timespec="seconds")
