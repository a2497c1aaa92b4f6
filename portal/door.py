"""The blueprint and its guard: who may come in, as which affiliation, and what every page is given."""

from typing import Any
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    flash,
    g,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_login import current_user

from forms.people import ROLE_LABELS, wording
from language import _, _l
from models import EntityStatus
from permissions import PUBLIC, SIGNED_IN, Contact, Decision, Permission, allowed, decide, mark_of
from services import people, sessions
from services.errors import NotAllowed
from web import SAFE_METHODS, drop_cookie, note_denial, read_cookie, safe_next, see_other

portal = Blueprint("portal", __name__, url_prefix="/partners")

#: What every signed-in page offers, in this order: word, endpoint, what it takes.
NAVIGATION = (
    (_l("Dashboard"), "portal.show_dashboard", Permission.VIEW_DASHBOARD),
    (_l("Team"), "portal.list_team", Permission.VIEW_TEAM),
)
#: Pages that belong to an entry of the navigation without being it.
_WITHIN = {
    "portal.invite_person": "portal.list_team",
    "portal.change_role": "portal.list_team",
    "portal.end_access": "portal.list_team",
    "portal.cancel_invitation": "portal.list_team",
}


def check(app: Flask) -> None:
    """Refuse to start with a page of the portal that has no mark."""
    for endpoint, view in app.view_functions.items():
        if endpoint.startswith("portal.") and mark_of(view) is None:
            raise TypeError(f"{endpoint} has no permission: mark it")


def contact() -> Contact:
    """Who is signed in; only behind the guard."""
    if g.actor is None:
        raise NotAllowed(_("Sign in first."))
    return g.actor


@portal.before_request
def guard() -> ResponseReturnValue | None:
    """Let in whom the view's mark names, and say to everybody else what to do instead."""
    who = current_user._get_current_object()
    g.actor = who if isinstance(who, Contact) else None
    mark = mark_of(current_app.view_functions.get(request.endpoint or ""))
    if mark == PUBLIC:
        return None
    if mark is None:
        raise NotAllowed(_("This page opens to nobody."))
    if g.actor is None:
        return _to_sign_in()
    if mark == SIGNED_IN:
        return None
    decision = decide(g.actor, Permission(mark))
    if decision:
        return None
    note_denial("access_denied", request.endpoint or "")
    return refuse(decision)


def _to_sign_in() -> Response:
    """To the sign-in page, and back here after it where that is a page."""
    was_in = bool(read_cookie("pp"))
    is_page = request.method in SAFE_METHODS
    if was_in and is_page:
        flash(_("You are signed out. Sign in, and you come back to this page."), "info")
    elif was_in:
        flash(_("You are signed out, so nothing was saved. Sign in and do it again."), "warn")
    wanted = safe_next(request.full_path.rstrip("?")) if is_page else ""
    response = see_other(url_for("portal.sign_in", next=wanted or None))
    if was_in:
        drop_cookie(response, "pp")
    return response  # type: ignore[return-value]


def refuse(decision: Decision) -> ResponseReturnValue:
    """The page of a "no": why, who can help, and a way on."""
    who = contact()
    if decision.steps[-1].name in sessions.BEING_HERE:
        return _paused(who, decision), 403
    helpers = [
        {"label": one.person.name, "hint": one.person.email, "url": f"mailto:{one.person.email}"}
        for one in people.principals_of(who.entity)
        if one.person.id != who.person.id
    ]
    title = _("You can't %(what)s", what=wording(decision.permission))
    role = ROLE_LABELS[who.affiliation.role]
    return (
        render_template(
            "portal/refused.html", title=title, sentence=decision.refusal, role_label=role, helpers=helpers
        ),
        403,
    )


def confirm_first() -> ResponseReturnValue | None:
    """The page that asks for a new sign-in, where the last one is too long ago to change who may do what."""
    if sessions.is_fresh(contact()):
        return None
    return render_template("portal/sign_in/confirm.html", next=request.path), 403


def _paused(who: Contact, decision: Decision) -> str:
    """The partnership as a whole, or one's place in it, is not in force: say so, offer one's other teams."""
    titles = {
        "person": _("Your access has ended"),
        "affiliation": _("Your access has ended"),
        "organization": _("This partnership is paused"),
        "entity": _("This partnership has ended")
        if who.entity.status is EntityStatus.OFFBOARDED
        else _("This partnership is paused"),
    }
    others = [
        {"label": one.entity.name, "url": url_for("portal.switch_entity", affiliation_id=one.id)}
        for one in sessions.affiliations_of(who.person)
        if one.id != who.affiliation.id and sessions.may_enter(Contact(who.person, one))
    ]
    return render_template(
        "portal/paused.html",
        title=titles[decision.steps[-1].name],
        sentence=decision.refusal,
        others=others,
    )


def unreferred(page: str, status: int = 200) -> Response:
    """The answer of a page whose address holds a secret: told to nobody, kept nowhere, not indexed."""
    response = Response(page, status)
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


@portal.context_processor
def frame() -> dict[str, Any]:
    """What the layout shows around a page: navigation, who is signed in, where else they work."""
    who: Contact | None = g.get("actor")
    if who is None:
        return {"viewer": None, "navigation": []}
    return {
        "home_url": url_for("portal.show_dashboard"),
        "navigation": _navigation(who),
        "viewer": {
            "name": who.name,
            "entity_name": who.entity.name,
            "role_label": ROLE_LABELS[who.affiliation.role],
            "affiliations": _affiliations(who),
            "profile_url": url_for("portal.edit_profile"),
            "sessions_url": url_for("portal.list_sessions"),
            "sign_out_url": url_for("portal.sign_out"),
        },
        "may": lambda permission: allowed(who, Permission(permission)),
    }


def _navigation(who: Contact) -> list[dict[str, Any]]:
    here = _WITHIN.get(request.endpoint or "", request.endpoint)
    return [
        {"label": label, "url": url_for(endpoint), "is_current": endpoint == here, "count": None}
        for label, endpoint, permission in NAVIGATION
        if allowed(who, permission)
    ]


def _affiliations(who: Contact) -> list[dict[str, Any]]:
    """Every team that the person works in, for the switcher."""
    return [
        {
            "id": one.id,
            "label": one.entity.name,
            "url": url_for("portal.switch_entity", affiliation_id=one.id),
            "is_current": one.id == who.affiliation.id,
        }
        for one in sessions.affiliations_of(who.person)
    ]


def same_site_path(raw: str | None, fallback: str) -> str:
    """The path of a page of ours that somebody came from, or the fallback."""
    parts = urlsplit(raw or "")
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return safe_next(path) or fallback
