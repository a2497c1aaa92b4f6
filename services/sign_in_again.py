"""A new link in one press: to where a link that ended had gone, or where this browser asked before."""

from sqlalchemy import select

from models import Invitation, SignInRequest, db
from services import invitation_moves, invitations, keys, links, sign_in
from services.errors import Gone


def ask_again(*, token: str, browser_token: str) -> None:
    """Write down that a mail is wanted to the address that this link or invitation was for.

    Without a token, or with one that is none of ours, to the address that this browser asked for last. The
    same answer and the same work whatever is found; nothing is told about it.
    """
    email, invitation, next_path = _of_token(token) if token else ("", None, "")
    if not email:
        email, invitation, next_path = _of_browser(browser_token)
    if invitation is not None and not _is_open(invitation):
        invitation = None
    sign_in.ask(email=email, browser_token=browser_token, next_path=next_path, invitation=invitation)


def _of_token(token: str) -> tuple[str, Invitation | None, str]:
    link = links.find(token)
    if link is not None:
        return link.email_canonical, link.invitation, ""
    invitation = invitations.invitation_by_secret(token)
    return (invitation.email_canonical, invitation, "") if invitation is not None else ("", None, "")


def _of_browser(browser_token: str) -> tuple[str, Invitation | None, str]:
    latest = (
        select(SignInRequest)
        .where(SignInRequest.browser_digest == keys.digest(browser_token))
        .order_by(SignInRequest.id.desc())
        .limit(1)
    )
    request = db.session.scalar(latest)
    if request is None:
        return "", None, ""
    invitation = db.session.get(Invitation, request.invitation_id) if request.invitation_id else None
    return request.email_canonical, invitation, request.next_path


def _is_open(invitation: Invitation) -> bool:
    try:
        invitation_moves.check_open(invitation)
    except Gone:
        return False
    return True
