"""Closed by default: the guard in front of every view of the desk, and what its pages are given."""

from functools import lru_cache
from typing import Any, NamedTuple

from flask import Flask, current_app, flash, g, request, url_for
from flask_admin import Admin, BaseView
from flask_login import current_user
from jinja2 import Environment
from markupsafe import Markup

import language
from models import Staff
from permissions import PUBLIC, SIGNED_IN, Permission, allowed, decide, mark_of
from services.errors import NotAllowed, NotFound
from services.staff_sign_in import StaffSession
from web import safe_next, see_other

#: Pages that somebody who still has to set up a second factor may open.
ENROLMENT = {
    "account.second_factor",
    "account.second_factor_code",
    "staff_sign_in.again",  # without it whoever waited a quarter of an hour is sent in a circle
    "staff_sign_in.sign_out",
}


def staff() -> Staff:
    """Who is signed in to the desk; only behind the guard."""
    return session().staff


def session() -> StaffSession:
    """The session behind this request; only behind the guard."""
    if not isinstance(current_user._get_current_object(), StaffSession):
        raise NotAllowed("Sign in first.")
    return current_user._get_current_object()


class Guarded:
    """Mixin for Flask-Admin views: a method opens only to whom its mark names, and unmarked to nobody."""

    endpoint: str
    _urls: list[tuple[str, str, tuple[str, ...]]]  #: Flask-Admin's: path, method's name, HTTP methods

    def is_accessible(self) -> bool:
        """Closed; the guard in `_handle_view` decides by the method's mark."""
        return False

    def is_visible(self) -> bool:
        return False

    def mark(self, name: str) -> str | None:
        """The mark of that method on this view."""
        return mark_of(getattr(type(self), name, None))

    def _handle_view(self, name: str, **_arguments: Any) -> Any:
        mark = self.mark(name)
        if mark is None:
            raise NotFound
        if mark == PUBLIC:
            return None
        who = current_user._get_current_object()
        if not isinstance(who, StaffSession):
            wanted = safe_next(request.full_path.rstrip("?")) if request.method == "GET" else ""
            if request.method != "GET":
                flash("You were signed out, so nothing was saved. Sign in and do it again.", "warn")
            return see_other(url_for("staff_sign_in.sign_in", next=wanted or None))
        g.staff = who.staff
        if who.must_enrol and request.endpoint not in ENROLMENT:
            return see_other(url_for("account.second_factor"))
        if mark == SIGNED_IN:
            return None
        decision = decide(who.staff, Permission(mark))
        if not decision:
            raise NotAllowed(decision.refusal)
        return None

    def inaccessible_callback(self, name: str, **_arguments: Any) -> Any:
        raise NotFound


class DeskView(Guarded, BaseView):
    """A page of the desk that is not a table of records."""


def marks(admin: Admin) -> dict[str, str]:
    """The mark of every endpoint of the desk.

    Raises TypeError, at start-up, for a view that is not ours or a method that nobody declared a
    permission for.
    """
    found = {}
    for view in admin._views:
        if not isinstance(view, Guarded):
            raise TypeError(f"{view!r} is not a view of admin/base.py")
        for _url, name, _methods in view._urls:
            mark = view.mark(name)
            if mark is None:
                raise TypeError(f"{type(view).__name__}.{name} has no permission: mark it")
            found[f"{view.endpoint}.{name}"] = str(mark)
    return found


# MARK: What the frame of the desk shows


class Place(NamedTuple):
    """One link of the navigation."""

    label: str
    endpoint: str
    permission: Permission
    icon: str
    key: str = ""  #: the letter that leads there after `g`


P = Permission
NAVIGATION: tuple[tuple[str, tuple[Place, ...]], ...] = (
    ("Work", (Place("Home", "admin.index", P.USE_DESK, "home", "h"),)),
    (
        "Partners",
        (
            Place("Partners", "partners.index", P.READ_PARTNERS, "building-community", "p"),
            Place("Emails", "mails.index_view", P.READ_MAILS, "mail", "m"),
        ),
    ),
    (
        "Records",
        (
            Place("Organizations", "records_organizations.index_view", P.EDIT_RECORDS, "building"),
            Place("Entities", "records_entities.index_view", P.EDIT_RECORDS, "sitemap"),
            Place("People", "records_people.index_view", P.EDIT_PEOPLE_RECORDS, "users"),
            Place("Affiliations", "records_affiliations.index_view", P.EDIT_PEOPLE_RECORDS, "link"),
            Place("Invitations", "records_invitations.index_view", P.EDIT_RECORDS, "mail-opened"),
            Place("Schools", "records_schools.index_view", P.EDIT_RECORDS, "school"),
        ),
    ),
    (
        "Settings",
        (
            Place("Brand", "settings_brand.index", P.MANAGE_BRAND, "palette"),
            Place("Staff", "settings_staff.index", P.READ_STAFF, "user-shield"),
            Place("Audit log", "audit.index", P.READ_AUDIT, "history", "a"),
            Place("Sign-in log", "auth_events.index_view", P.READ_AUDIT, "login"),
        ),
    ),
)


def register(app: Flask) -> None:
    """Give the desk's layout its navigation and the person who is signed in."""
    app.jinja_env.globals.update(
        day=language.day, moment=language.moment, relative=language.relative, utc=language.utc
    )

    @app.context_processor
    def frame() -> dict[str, Any]:
        if not request.path.startswith("/admin"):
            return {}
        who = current_user._get_current_object()
        if not isinstance(who, StaffSession) or who.must_enrol:
            return {"navigation": [], "staff": None}
        can_search = allowed(who.staff, Permission.READ_PARTNERS)
        return {
            "search_url": url_for("partners.index") if can_search else None,
            **_frame_of(who.staff)._asdict(),
            "staff": {
                "name": who.staff.name,
                "role_label": who.staff.role.value.capitalize(),
                "account_url": url_for("account.index"),
                "sign_out_url": url_for("staff_sign_in.sign_out"),
                "has_letter_keys": who.staff.has_letter_keys,
            },
            "may": lambda permission: allowed(who.staff, Permission(permission)),
        }


class Frame(NamedTuple):
    """What a page's frame says of the places of the desk: as data, and drawn."""

    navigation: list[dict[str, Any]]
    frame_nav: Markup
    frame_keys: Markup


@lru_cache(maxsize=512)
def _frame(pages: Environment, root: str, here: str, shown: frozenset[Place]) -> Frame:
    """Drawn once a process for each set of places and each of them; `root` is where the site is mounted."""
    groups = []
    for label, places in NAVIGATION:
        links = [
            {
                "label": place.label,
                "url": url_for(place.endpoint),
                "is_current": place.endpoint.partition(".")[0] == here,
                "icon": place.icon,
                "key": place.key,
            }
            for place in places
            if place in shown
        ]
        if links:
            groups.append({"label": label, "links": links})
    drawn: Any = pages.get_template("components/desk.html").module
    return Frame(groups, drawn.nav(groups), drawn.keys(groups))


def _frame_of(who: Staff) -> Frame:
    shown = {place for _, places in NAVIGATION for place in places if allowed(who, place.permission)}
    here = (request.endpoint or "").partition(".")[0]
    at = here if any(place.endpoint.partition(".")[0] == here for place in shown) else ""
    return _frame(current_app.jinja_env, request.script_root, at, frozenset(shown))
