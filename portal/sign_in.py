"""Coming in: ask for a link, use the link or its code. Opening a link spends nothing; its button does."""

from datetime import timedelta

from flask import Response, g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from forms.sign_in import AskForm
from models import Invitation
from permissions import public
from portal.door import portal
from services import keys, limits
from services import sign_in as service
from services.transaction import transaction
from web import (
    client_address,
    read_cookie,
    safe_next,
    see_other,
    write_cookie,
)

#: How often one IP address may ask for a mail, and open links or codes that are none.
ASKS, FAILURES, PERIOD = 20, 30, timedelta(minutes=15)
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


def ask(email: str, *, next_path: str = "", invitation: Invitation | None = None) -> Response:
    """Write the wish for a link down, and go on to "Check your email": the same steps whoever it is for."""
    limits.hit(f"sign_in:ip:{client_address()}", limit=ASKS, per=PERIOD)
    browser = read_cookie("link") or keys.mint()
    with transaction():
        service.ask(email=email, browser_token=browser, next_path=next_path, invitation=invitation)
    response = see_other(url_for("portal.check_email"))
    write_cookie(response, "link", browser, LINK_COOKIE)
    return response  # type: ignore[return-value]


@portal.post("/login/again")
@public
def ask_again() -> ResponseReturnValue:
    """A new link in one press: to the address of a link that ended, or to the one asked for before."""
    limits.hit(f"sign_in:ip:{client_address()}", limit=ASKS, per=PERIOD)
    browser = read_cookie("link") or keys.mint()
    with transaction():
        service.ask_again(token=request.form.get("token", ""), browser_token=browser)
    response = see_other(url_for("portal.check_email"))
    write_cookie(response, "link", browser, LINK_COOKIE)
    return response
