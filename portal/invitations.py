"""Being invited: by the mailed link, which proves the mailbox, or by a copied URL or code, which does not."""

from datetime import timedelta

from flask import Response, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as AnyResponse

from forms.sign_in import AddressForm, InvitationCodeForm
from language import _, moment, utc
from models import Invitation
from permissions import public
from portal import endings, sign_in
from portal.door import portal, unreferred
from services import invitation_wishes, keys, limits, people
from services.emails import canonical_email
from services.errors import Refusal
from services.sign_in_limits import allow_asking
from services.transaction import transaction
from web import client_address, see_other

#: How often one IP address may type a code that is none.
WRONG_CODES, PERIOD = 10, timedelta(minutes=15)


@portal.route("/invitations", methods=["GET", "POST"])
@public
def invitation_code() -> ResponseReturnValue:
    """Enter a code that was read out, with the address it was made for; then a link goes to that mailbox."""
    form = InvitationCodeForm(request.form)
    if request.method == "GET" or not form.validate():
        page = render_template("portal/invitations/code.html", form=form)
        return page, 422 if form.has_errors else 200
    key = f"invitation_code:ip:{limits.network(client_address())}"
    limits.hit(key, limit=WRONG_CODES, per=PERIOD)
    invitation = people.invitation_by_code(form.code.data)
    if invitation is None:
        form.refuse(
            Refusal(_("There is no such code. Look at it again, or ask for it once more."), field="code")
        )
    elif _is_theirs(form, invitation):
        limits.give_back(key, per=PERIOD)
        return _go_on(invitation, "")
    return render_template("portal/invitations/code.html", form=form), 422


@portal.route("/invitations/<token>", methods=["GET", "POST"])
@public
def invitation(token: str) -> ResponseReturnValue:
    """The mailed link of an invitation, or its copied URL; both are addresses with one secret in them."""
    invited = people.invitation_by_secret(token)
    if invited is None:
        return sign_in.open_link(token)
    if (ended := _ended(invited, token)) is not None:
        return ended
    form = AddressForm(request.form)
    if request.method == "POST" and form.validate() and _is_theirs(form, invited):
        return _go_on(invited, token)
    page = render_template(
        "portal/invitations/address.html",
        form=form,
        entity_name=invited.entity.name,
        invited_by=invited.invited_by,
        action=url_for("portal.invitation", token=token),
        expires={"text": moment(invited.expires_at), "iso": utc(invited.expires_at)},
    )
    return unreferred(page, 422 if form.has_errors else 200)


@portal.post("/invitations/again")
@public
def ask_for_invitation() -> ResponseReturnValue:
    """Ask for a new invitation in one press. The answer is the same for every token, ours or not."""
    allow_asking()
    token = request.form.get("token", "")
    with transaction():
        invitation_wishes.ask_for_another(token=token)
    flash(_("Your request is on its way. The new invitation comes to the same email address."), "success")
    if len(token) == keys.TOKEN_LENGTH:
        return see_other(url_for("portal.invitation", token=token))
    return see_other(url_for("portal.sign_in"))


def _is_theirs(form: AddressForm, invited: Invitation) -> bool:
    """Whether the address that was typed is the invited one; says so at the field where it is not."""
    try:
        if canonical_email(form.email.data) == invited.email_canonical:
            return True
    except Refusal as refusal:
        form.refuse(refusal)
        return False
    form.refuse(Refusal(_("Use the address the invitation was sent to"), field="email"))
    return False


def _ended(invited: Invitation, token: str) -> Response | None:
    """The page of an invitation that is over; None while it can be accepted."""
    state = endings.state_of(invited)
    if state is None:
        return None
    return endings.gone(endings.of_invitation(invited, state, token), person_id=invited.accepted_by_id)


def _go_on(invited: Invitation, token: str) -> AnyResponse:
    """A link goes to the invited mailbox, and this browser may type its code."""
    return _ended(invited, token) or sign_in.ask(invited.email, invitation=invited)
