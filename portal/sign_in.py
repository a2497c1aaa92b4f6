"""Coming in: ask for a link, use the link or its code. Opening a link spends nothing; its button does."""

from collections.abc import Callable
from datetime import datetime

from flask import Response, g, render_template, request, url_for
from flask import session as forms_cookie
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as AnyResponse

from forms.people import ROLE_LABELS, can
from forms.sign_in import AskForm, CodeForm
from language import _l, moment, utc
from models import Invitation, LinkPurpose, SignInLink
from permissions import public, signed_in
from portal import endings
from portal.door import contact, portal, unreferred
from services import keys, links, sessions, sign_in_again
from services import sign_in as service
from services.errors import Gone, Refusal
from services.transaction import transaction
from web import drop_cookie, families, read_cookie, safe_next, see_other, write_cookie

#: How long this browser is known as the one that asked.
LINK_COOKIE = 30 * 60  # seconds


# MARK: Asking


@portal.route("/login", methods=["GET", "POST"])
@public
def sign_in() -> ResponseReturnValue:
    """Ask for a link. The answer is the same for every address, known or not."""
    if g.actor is not None and request.method == "GET":
        return see_other(safe_next(request.args.get("next")) or url_for("portal.show_dashboard"))
    form = AskForm(request.form, next=safe_next(request.args.get("next")))
    if request.method == "GET":
        return render_template("portal/sign_in/ask.html", form=form)
    if not form.validate():
        return render_template("portal/sign_in/ask.html", form=form), 422
    return ask(form.email.data, next_path=safe_next(form.next.data))


def ask(email: str, *, next_path: str = "", invitation: Invitation | None = None) -> AnyResponse:
    """Write the wish for a link down, and go on to "Check your email": the same steps whoever it is for."""

    def write(browser: str) -> None:
        service.ask(email=email, browser_token=browser, next_path=next_path, invitation=invitation)

    return _ask(write)


@portal.post("/login/again")
@public
def ask_again() -> ResponseReturnValue:
    """A new link in one press: to the address of a link that ended, or to the one asked for before."""
    token = request.form.get("token", "")
    return _ask(lambda browser: sign_in_again.ask_again(token=token, browser_token=browser))


def _ask(write: Callable[[str], None]) -> AnyResponse:
    service.allow_asking()
    browser = read_cookie("link") or keys.mint()
    with transaction():
        write(browser)
    response = see_other(url_for("portal.check_email"))
    write_cookie(response, "link", browser, LINK_COOKIE)
    return response


@portal.post("/login/confirm")
@signed_in
def confirm() -> ResponseReturnValue:
    """Somebody who is in proves their mailbox anew, and comes back to the page that asked for it."""
    return ask(contact().person.email, next_path=safe_next(request.form.get("next")))


# MARK: The code


@portal.route("/login/check", methods=["GET", "POST"])
@public
def check_email() -> ResponseReturnValue:
    """What to do now; and the code from the mail, in the browser that asked for it."""
    form = CodeForm(request.form)
    browser_token = read_cookie("link")
    if request.method == "POST" and form.validate():
        if not browser_token:
            form.refuse(
                Refusal(_l("The code works for 10 minutes, in the browser that asked for it."), field="code")
            )
        else:
            service.allow_opening()
            browser, system = families(request.user_agent.string)
            try:
                with transaction():
                    entered = service.redeem_code(
                        code=form.code.data, browser_token=browser_token, browser=browser, system=system
                    )
            except Gone as refusal:
                service.count_failure()
                form.refuse(Refusal(refusal.text, field="code"))
            except service.WrongCode as refusal:
                service.count_failure()
                form.refuse(refusal)
            else:
                return _enter(entered)
    page = render_template("portal/sign_in/check.html", form=form, may_repeat=bool(browser_token))
    return page, 422 if form.has_errors else 200


# MARK: The link


@portal.route("/login/<token>", methods=["GET", "POST"])
@public
def open_link(token: str) -> ResponseReturnValue:
    """The page of a mailed link: one button, which spends it. GET and HEAD change nothing."""
    peek = None
    if request.method != "POST" or g.actor is not None:
        peek = service.look(token)
        if peek.state != "ok":
            return _ended(token, peek.state)
        if g.actor is not None and (peek.person is None or peek.person.id != g.actor.person.id):
            return _somebody_else(token)
    if peek is not None and request.method != "POST":
        return _show_link(token, peek)
    service.allow_opening()
    browser, system = families(request.user_agent.string)
    try:
        with transaction():
            entered = service.redeem(token=token, browser=browser, system=system)
    except Gone as refusal:
        service.count_failure()
        return _ended(token, refusal.cause)
    return _enter(entered)


def _show_link(token: str, peek: service.Peek) -> Response:
    action = url_for("portal.open_link", token=token)
    if peek.purpose is LinkPurpose.INVITATION and peek.invitation is not None:
        invited = peek.invitation
        page = render_template(
            "portal/invitations/open.html",
            peek=peek,
            invited_by=invited.invited_by,
            role_label=ROLE_LABELS[invited.role],
            role_can=can(invited.role),
            expires=_time(invited.expires_at),
            action=action,
        )
    else:
        page = render_template(
            "portal/sign_in/open.html", peek=peek, action=action, is_here=g.actor is not None
        )
    return unreferred(page)


def _time(at: datetime) -> dict[str, str]:
    return {"text": moment(at), "iso": utc(at)}


def _somebody_else(token: str) -> Response:
    page = render_template(
        "portal/sign_in/other.html",
        viewer_name=g.actor.name,
        action=url_for("portal.open_link", token=token),
    )
    return unreferred(page, 409)


def _ended(token: str, cause: str) -> Response:
    link = links.find(token)
    if link is None:
        return endings.gone(endings.not_valid())
    owner = link.person_id if link.person_id is not None else _accepted_by(link)
    return endings.gone(_ending(link, cause, token), person_id=owner)


def _accepted_by(link: SignInLink) -> int | None:
    return link.invitation.accepted_by_id if link.invitation is not None else None


def _ending(link: SignInLink, cause: str, token: str) -> endings.Ending:
    """By the invitation's own end where it has one, else by the link's."""
    if link.invitation is not None and cause != "used":
        state = endings.state_of(link.invitation)
        if state is not None:
            return endings.of_invitation(link.invitation, state, token)
    ended_at = link.used_at or link.revoked_at or (link.invitation.accepted_at if link.invitation else None)
    return endings.of_sign_in(cause, token, sent_at=link.issued_at, ended_at=ended_at)


def _enter(entered: service.SignedIn) -> AnyResponse:
    """Hand the session out and lead on: to the profile at first, else where they were going.

    What this browser had before ends: its session, which a copied cookie would go on using, and the
    token of its forms.
    """
    if g.actor is not None:
        with transaction():
            sessions.sign_out(contact=g.actor)
    forms_cookie.clear()
    is_new = entered.contact.person.profile_completed_at is None
    onward = url_for("portal.edit_profile" if is_new else "portal.show_dashboard")
    response = see_other(onward if is_new else safe_next(entered.next_path) or onward)
    write_cookie(response, "pp", entered.session_token, int(sessions.LIFETIME.total_seconds()))
    drop_cookie(response, "link")
    return response
