"""Closed by default: the guard in front of every view of the desk, and what its pages are given."""

from typing import Any

from flask import Flask, flash, g, request, url_for
from flask_admin import Admin, BaseView
from flask_login import current_user

from models import Staff
from permissions import PUBLIC, SIGNED_IN, Permission, allowed, decide, mark_of
from services.errors import NotAllowed, NotFound
from services.staff_sign_in import StaffSession
from web import safe_next, see_other

#: Pages that somebody who still has to set up a second factor may open.
ENROLMENT = {"account.second_factor", "account.second_factor_code", "staff_sign_in.sign_out"}


def staff() -> Staff:
    """Who is signed in to the desk; only behind the guard."""
    return session().staff


def session() -> StaffSession:
    """The session behind this request; only behind the guard."""
    if not isinstance(current_user._get_current_object(), StaffSession):
        raise NotAllowed("Sign in first.")
    return current_user._get_current_object()  # type: ignore[no-any-return]


class Guarded:
    """Mixin for Flask-Admin views: a method opens only to whom its mark names, and unmarked to nobody."""

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


class DeskView(Guarded, BaseView):  # type: ignore[misc]
    """A page of the desk that is not a table of records."""


def check(admin: Admin) -> None:
    """Refuse to start with a view that is not ours or a method that nobody declared a permission for."""
    for view in admin._views:
        if not isinstance(view, Guarded):
            raise TypeError(f"{view!r} is not a view of admin/base.py")
        for _url, name, _methods in view._urls:
            if view.mark(name) is None:
                raise TypeError(f"{type(view).__name__}.{name} has no permission: mark it")


# MARK: What the frame of the desk shows

#: The navigation: group, then word, endpoint, what it takes.
NAVIGATION: tuple[tuple[str, tuple[tuple[str, str, Permission], ...]], ...] = (
    (
        "Work",
        (("Home", "admin.index", Permission.USE_DESK),),
    ),
    (
        "Partners",
        (
            ("Partners", "partners.index", Permission.READ_PARTNERS),
            ("Mails", "mails.index", Permission.READ_MAILS),
        ),
    ),
    (
        "Records",
        (
            ("Organizations", "records_organizations.index_view", Permission.EDIT_RECORDS),
            ("Entities", "records_entities.index_view", Permission.EDIT_RECORDS),
            ("People", "records_people.index_view", Permission.EDIT_PEOPLE_RECORDS),
            ("Affiliations", "records_affiliations.index_view", Permission.EDIT_PEOPLE_RECORDS),
            ("Invitations", "records_invitations.index_view", Permission.EDIT_RECORDS),
            ("Schools", "records_schools.index_view", Permission.EDIT_RECORDS),
        ),
    ),
    (
        "Settings",
        (
            ("Brand", "settings_brand.index", Permission.MANAGE_BRAND),
            ("Staff", "settings_staff.index", Permission.READ_STAFF),
            ("Audit log", "audit.index", Permission.READ_AUDIT),
            ("Sign-in log", "auth_events.index", Permission.READ_AUDIT),
        ),
    ),
)


def register(app: Flask) -> None:
    """Give the desk's layout its navigation and the person who is signed in."""

    @app.context_processor
    def frame() -> dict[str, Any]:
        if not request.path.startswith("/admin"):
            return {}
        who = current_user._get_current_object()
        if not isinstance(who, StaffSession) or who.must_enrol:
            return {"navigation": [], "staff": None}
        return {
            "navigation": _navigation(who.staff),
            "staff": {
                "name": who.staff.name,
                "role_label": who.staff.role.value.capitalize(),
                "account_url": url_for("account.index"),
                "sign_out_url": url_for("staff_sign_in.sign_out"),
                "has_letter_keys": who.staff.has_letter_keys,
            },
            "may": lambda permission: allowed(who.staff, Permission(permission)),
        }


def _navigation(who: Staff) -> list[dict[str, Any]]:
    here = (request.endpoint or "").partition(".")[0]
    groups = []
    for label, links in NAVIGATION:
        shown = [
            {"label": word, "url": url_for(endpoint), "is_current": endpoint.partition(".")[0] == here}
            for word, endpoint, permission in links
            if allowed(who, permission)
        ]
        if shown:
            groups.append({"label": label, "links": shown})
    return groups
