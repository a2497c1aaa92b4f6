"""Where somebody is signed in, leaving, and for which of their teams they work now."""

from flask import flash, render_template, request, url_for
from flask import session as forms_cookie
from flask.typing import ResponseReturnValue

from language import _, moment, relative, utc
from models import Session
from permissions import public, signed_in
from portal import endings
from portal.door import contact, portal, unreferred
from services import sessions
from services.sentences import family
from services.transaction import transaction
from web import drop_cookie, safe_next, see_other


@portal.get("/sessions")
@signed_in
def list_sessions() -> ResponseReturnValue:
    """Every browser that is signed in as this person."""
    who = contact()
    browsers = [
        {
            "id": one.id,
            "browser": _device(one),
            "address": one.address,
            "seen": {
                "text": relative(one.last_seen_at),
                "iso": utc(one.last_seen_at),
                "title": moment(one.last_seen_at),
            },
            "began": {"text": moment(one.created_at), "iso": utc(one.created_at)},
            "is_current": one.id == who.session_id,
        }
        for one in sessions.sessions_of(who.person)
    ]
    browsers.sort(key=lambda one: not one["is_current"])
    return render_template("portal/sessions/list.html", browsers=browsers)


@portal.post("/sessions/<int:session_id>/end")
@signed_in
def end_session(session_id: int) -> ResponseReturnValue:
    """Sign one of the person's browsers out."""
    who = contact()
    with transaction():
        sessions.end_session(actor=who, session_id=session_id)
    flash(_("That browser is signed out"), "success")
    return see_other(url_for("portal.list_sessions"))


@portal.post("/sessions/end-others")
@signed_in
def end_other_sessions() -> ResponseReturnValue:
    """Sign every browser but this one out."""
    who = contact()
    with transaction():
        sessions.end_all(actor=who, person=who.person, but=who.session_id)
    flash(_("Every other browser is signed out"), "success")
    return see_other(url_for("portal.list_sessions"))


@portal.route("/sessions/not-me/<secret>", methods=["GET", "POST"])
@public
def disown_session(secret: str) -> ResponseReturnValue:
    """From the mail about a new browser, without signing in: opening it changes nothing, the button does."""
    session = sessions.by_notice(secret)
    if session is None:
        return endings.gone(endings.not_valid())
    if request.method == "POST":
        with transaction():
            sessions.disown(secret=secret)
        forms_cookie.clear()
        flash(_("You are signed out everywhere. If somebody reads your mail, tell us as well."), "success")
        response = see_other(url_for("portal.sign_in"))
        drop_cookie(response, "pp")
        return response
    page = render_template(
        "portal/sessions/disown.html",
        browser=_device(session),
        at={"text": moment(session.created_at), "iso": utc(session.created_at)},
        action=url_for("portal.disown_session", secret=secret),
    )
    return unreferred(page)


def _device(session: Session) -> str:
    """ "Firefox on Windows"."""
    browser, system = family("browser", session.browser), family("system", session.system)
    return _("%(browser)s on %(system)s", browser=browser, system=system)


@portal.post("/logout")
@signed_in
def sign_out() -> ResponseReturnValue:
    """Leave: the session ends on the server, and the browser forgets what it kept of our pages."""
    who = contact()
    with transaction():
        sessions.sign_out(contact=who)
    forms_cookie.clear()
    flash(_("You are signed out"), "success")
    response = see_other(safe_next(request.form.get("next")) or url_for("portal.sign_in"))
    drop_cookie(response, "pp")
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@portal.post("/switch/<int:affiliation_id>")
@signed_in
def switch_entity(affiliation_id: int) -> ResponseReturnValue:
    """Work for another of one's teams from now on, in this browser."""
    who = contact()
    with transaction():
        who = sessions.switch(contact=who, affiliation_id=affiliation_id)
    flash(_("You now work for %(entity)s", entity=who.entity.name), "success")
    return see_other(url_for("portal.show_dashboard"))
