"""What stands in the cells of a list: made ready here, so that templates only write them down."""

from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from flask import current_app
from jinja2 import Environment
from markupsafe import Markup

import language


class Cell(NamedTuple):
    """One cell; `kind` is text, moment, code or badge, `under` a quieter second line."""

    text: str = ""
    kind: str = "text"
    url: str = ""
    under: str = ""
    title: str = ""
    iso: str = ""
    mark: str = ""  #: drawn by our own macros, for badges


def text(value: object, *, url: str = "", under: object = "", title: str = "") -> Cell:
    """Words, as a link where `url` is given."""
    return Cell(
        "" if value is None else str(value), url=url, under="" if under is None else str(under), title=title
    )


def code(value: object) -> Cell:
    """What is read out or copied letter by letter: a code, an address."""
    return Cell("" if value is None else str(value), "code")


def number(value: int) -> Cell:
    """A count."""
    return Cell(language.number(value))


def moment(value: datetime | None, *, relative: bool = False) -> Cell:
    """A day, the exact moment in its title; `relative` says "2 days ago" within a week."""
    if value is None:
        return Cell()
    shown = language.relative(value) if relative else language.day(value)
    return Cell(shown, "moment", title=language.moment(value), iso=language.utc(value))


def exact(value: datetime | None) -> Cell:
    """A moment to the minute, with its zone, as logs say it."""
    return Cell() if value is None else Cell(language.moment(value), "moment", iso=language.utc(value))


def badge(kind: str, value: Any) -> Cell:
    """The badge of a state; `kind` is one of components/badges.html."""
    return Cell(str(value), "badge", mark=_drawn(current_app.jinja_env, "status_badge", kind, value))


def mark(word: str, tone: str = "neutral", icon: str = "") -> Cell:
    """A badge with its own word; tone is success, warn, danger, info or neutral."""
    return Cell(word, "badge", mark=_drawn(current_app.jinja_env, "badge", word, tone, icon))


def yes_no(value: bool) -> Cell:
    """Truth in a word."""
    return Cell("Yes" if value else "No")


@lru_cache(maxsize=512)
def _drawn(pages: Environment, macro: str, *said: Any) -> Markup:
    """What our own macro makes of it: the desk has one language, so a badge is drawn once a process."""
    drawn: Markup = getattr(pages.get_template("components/badges.html").module, macro)(*said)
    return drawn
