"""One place for words, dates, numbers and money in the reader's language and time zone.

Works inside a request (the reader's locale) and outside of one (the worker sets it with `speaking`).
A catalogue in translations/ is all that another language takes: see docs/decisions/0005.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

import flask_babel
from babel import Locale, UnknownLocaleError
from babel.dates import get_datetime_format, get_timezone, get_timezone_gmt, get_timezone_name
from babel.lists import format_list
from babel.numbers import get_currency_precision
from flask_babel import gettext, lazy_gettext, ngettext
from flask_babel.speaklater import LazyString
from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup

import clock
import config

_ = gettext
_l = lazy_gettext

#: The language that the texts are written in, and that the desk speaks.
ENGLISH = "en"
TIME_ZONES = frozenset(available_timezones())
_MONTHS = Locale(ENGLISH).months["format"]["abbreviated"]

__all__ = [
    "ENGLISH",
    "TIME_ZONES",
    "LazyString",
    "_",
    "_l",
    "best",
    "day",
    "direction",
    "gettext",
    "in_page",
    "lazy_gettext",
    "listed",
    "locales",
    "moment",
    "money",
    "ngettext",
    "number",
    "relative",
    "speaking",
    "spoken",
    "tag",
]


def locales() -> tuple[str, ...]:
    """The languages that the portal speaks: English, and each that has a compiled catalogue."""
    return _locales(config.current().translations)


@cache
def _locales(folder: Path) -> tuple[str, ...]:
    found = {path.parts[-3] for path in folder.glob("*/LC_MESSAGES/messages.mo")}
    return (ENGLISH, *sorted(name for name in found - {ENGLISH} if _is_locale(name)))


def _is_locale(name: str) -> bool:
    try:
        return str(Locale.parse(name)) == name
    except (UnknownLocaleError, ValueError):
        return False


def spoken(*wishes: str | None) -> str:
    """The first of these that the portal speaks, else English."""
    return next((wish for wish in wishes if wish in locales()), ENGLISH)


def best(wanted: Iterable[str]) -> str | None:
    """The language that the portal speaks for a browser that wants these tags, the most wanted first.

    "de-AT" is content with "de", and "pt" with "pt_BR".
    """
    whole = {locale.lower(): locale for locale in locales()}
    plain = {locale.lower().partition("_")[0]: locale for locale in reversed(locales())}
    names = (tag.lower().replace("-", "_") for tag in wanted)
    found = (whole.get(name) or plain.get(name.partition("_")[0]) for name in names)
    return next(filter(None, found), None)


def tag(locale: str) -> str:
    """The locale as `lang` wants it: "pt-BR" for "pt_BR"."""
    return locale.replace("_", "-")


def direction(locale: str) -> Literal["ltr", "rtl"]:
    """Which way the language is written, for `dir`."""
    return "rtl" if Locale.parse(locale).text_direction == "rtl" else "ltr"


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


@pass_eval_context
def in_page(page: EvalContext, text: str, **values: object) -> str:
    """What `_` means in a page: as Jinja's own, without its three calls on the way."""
    words = flask_babel.get_translations().ugettext(text)
    # The texts are ours or the catalogue's, as Jinja takes them; the values are escaped.
    return (Markup(words) if page.autoescape else words) % values  # noqa: S704


def day(value: date | datetime) -> str:
    """The day in the reader's zone and order: "21 Nov 2026" in English."""
    if _locale().language == ENGLISH:
        return _english_day(_there(value) if isinstance(value, datetime) else value)
    return str(flask_babel.format_date(value, "medium"))


def moment(value: datetime) -> str:
    """Day, time and zone: "21 Nov 2026, 14:30 CET" in English."""
    there = _there(value)
    if _locale().language == ENGLISH:
        return f"{_english_day(there)}, {there.hour:02}:{there.minute:02} {_zone_name(there)}"
    return f"{_day_and_time(value)} {_zone_name(there)}"


def _english_day(value: date) -> str:
    # By hand: a page of a list says forty of them, and Babel takes its time with each.
    return f"{value.day} {_MONTHS[value.month]} {value.year:04}"


def _day_and_time(value: datetime) -> str:
    """Joined and ordered as the reader's language does it, without seconds."""
    joined = str(get_datetime_format("medium", locale=_locale())).replace("'", "")
    return joined.replace("{0}", flask_babel.format_time(value, "short")).replace("{1}", day(value))


def zone_name(value: datetime) -> str:
    """The short name of the reader's zone at that moment: "CET", "UTC"."""
    return _zone_name(_there(value))


def _there(value: datetime) -> datetime:
    return value.astimezone(flask_babel.get_timezone() or ZoneInfo("UTC"))


#: Names of zones by the zone, what its clock is called and set to at a moment, and the language.
_zone_names: dict[tuple[object, ...], str] = {}


def _zone_name(there: datetime) -> str:
    key = (str(there.tzinfo), there.tzname(), there.utcoffset(), str(_locale()))
    if key not in _zone_names:
        _zone_names[key] = _find_zone_name(there)
    return _zone_names[key]


def _find_zone_name(there: datetime) -> str:
    name = str(get_timezone_name(there, width="short", locale=_locale()))
    if name.isalpha():
        return name
    # Where the language has no short name, it has only a bare "+0100".
    known = there.tzname() or ""
    return known if known.isalpha() else get_timezone_gmt(there, "long", locale=_locale())


def relative(value: datetime) -> str:
    """ "now", "in 40 minutes" or "2 days ago" within seven days of now, else the day."""
    distance = value - clock.now()
    if abs(distance) < timedelta(seconds=1):  # what was just saved is shown as "in 0 seconds" otherwise
        return _("now")
    if abs(distance) < timedelta(days=7):
        return str(flask_babel.format_timedelta(distance, add_direction=True))
    return day(value)


def number(value: int | float) -> str:
    """A number with the reader's separators."""
    if isinstance(value, int) and _locale().language == ENGLISH:
        return f"{value:,}"
    return str(flask_babel.format_decimal(value))


def money(amount_minor: int, currency: str) -> str:
    """An amount in the currency's smallest unit, written as the reader's locale writes money."""
    amount = Decimal(amount_minor).scaleb(-get_currency_precision(currency))
    return str(flask_babel.format_currency(amount, currency))


def listed(words: Iterable[str], style: Literal["standard", "or"] = "standard") -> str:
    """The words as one phrase: "a, b and c" as the reader's language joins them."""
    return str(format_list(list(words), style=style, locale=_locale()))


def _locale() -> Locale:
    return flask_babel.get_locale() or Locale(ENGLISH)


def utc(value: datetime) -> str:
    """The moment as a machine reads it, for `<time datetime>`."""
    return value.astimezone(UTC).isoformat(timespec="seconds")
