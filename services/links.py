"""Mailed links: minted when their mail is sent, kept as digests, spent at most once."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import joinedload

import clock
from language import LazyString, _l
from models import Affiliation, Entity, Invitation, LinkPurpose, Mail, Person, SignInLink, SignInRequest, db
from services import auth_log, invitation_moves, keys
from services.errors import Gone
from services.transaction import held, locked

LIFETIME = timedelta(minutes=30)
CODE_LIFETIME = timedelta(minutes=10)
MOST = 3  #: live sign-in links of one address; the oldest ends when there is one more

#: What a link has to be made for to open the portal; others do only what they were made for.
OPENING = (LinkPurpose.SIGN_IN, LinkPurpose.INVITATION)

#: What the page of a link that does not work is headed with, by its state.
TITLES: dict[str, LazyString] = {
    "expired": _l("Link expired"),
    "used": _l("Link already used"),
    "superseded": _l("Link not valid"),
    "revoked": _l("Link not valid"),
    "unknown": _l("Link not valid"),
}
#: Reasons of ending a link that mean: another one was sent, or used.
_BY_ANOTHER = {"newer", "resent", "used"}

#: Everything that a link leads to, in one query.
WHOLE = (
    joinedload(SignInLink.person),
    joinedload(SignInLink.invitation).joinedload(Invitation.entity).joinedload(Entity.organization),
)


class Spent(Gone):
    """A link that no longer works; that it was tried is kept in the log."""

    keeps_trace = True

    def __init__(self, cause: str) -> None:
        super().__init__(TITLES[cause], cause=cause)


def find(token: str) -> SignInLink | None:
    """The link into the portal with this token, whatever became of it."""
    if len(token) != keys.TOKEN_LENGTH:
        return None
    theirs = (SignInLink.token_digest == keys.digest(token), SignInLink.purpose.in_(OPENING))
    query = select(SignInLink).where(*theirs).options(*WHOLE)
    return db.session.scalar(query.execution_options(populate_existing=True))


def state_of(link: SignInLink) -> str:
    """ok, expired, used, superseded or revoked, as of now. Used and revoked win over the clock."""
    now = clock.now()
    if link.used_at is not None:
        return "used"
    if link.revoked_at is not None:
        return "superseded" if link.revoked_reason in _BY_ANOTHER else "revoked"
    if link.invitation is not None:
        state = link.invitation.state(now)
        if state is invitation_moves.S.ACCEPTED:
            return "used"
        if state is not invitation_moves.S.PENDING:
            return invitation_moves.ENDED[state][0]
        if not invitation_moves.is_enterable(link.invitation.entity):
            return "revoked"
    if now >= link.expires_at:
        return "expired"
    if link.person is not None and (
        not link.person.is_active
        or link.person.email_canonical != link.email_canonical
        or link.person.epoch != link.person_epoch
    ):
        return "revoked"
    return "ok"


# MARK: Mint


def mint_link(mail: Mail) -> tuple[str, str | None]:
    """The token, and the code where a browser asked for it, of the link that this mail carries.

    Called in a transaction when the mail is sent. Sent again, the same mail gets a new link and its
    earlier one ends. Raises Gone where nothing may be sent any more: the invitation is over, the person
    is deactivated.
    """
    invitation, person = _lock_addressee(mail)
    now = clock.now()
    request = (
        db.session.get(SignInRequest, mail.sign_in_request_id)
        if mail.sign_in_request_id is not None
        else None
    )
    expires_at = now + LIFETIME
    if invitation is not None:
        expires_at = min(expires_at, invitation.expires_at) if request is not None else invitation.expires_at
    token, code = keys.mint(), keys.mint_code() if request is not None else None
    _end(SignInLink.mail_id == mail.id, "resent")
    link = SignInLink(
        token_digest=keys.digest(token),
        purpose=LinkPurpose.SIGN_IN if invitation is None else LinkPurpose.INVITATION,
        person_id=person.id if person is not None else None,
        person_epoch=person.epoch if person is not None else None,
        invitation_id=invitation.id if invitation is not None else None,
        sign_in_request_id=request.id if request is not None else None,
        mail_id=mail.id,
        email_canonical=mail.email_canonical,
        issued_at=now,
        expires_at=expires_at,
    )
    if request is not None and code is not None:
        link.code_digest = keys.sign("sign-in code", request.browser_digest, code)
        link.code_expires_at = min(now + CODE_LIFETIME, expires_at)
    db.session.add(link)
    db.session.flush()
    if request is not None:
        _keep_newest(link)
    auth_log.note("link_sent", "ok", email=mail.email_canonical, person=person, link_id=link.id)
    return token, code


def _lock_addressee(mail: Mail) -> tuple[Invitation | None, Person | None]:
    """Invitation and person, locked in this order, as long as the mail may still go out."""
    invitation = None
    if mail.invitation_id is not None:
        invitation = locked(Invitation, mail.invitation_id)
        if invitation.email_canonical != mail.email_canonical:
            raise Gone(TITLES["revoked"], cause="revoked")
        invitation_moves.check_open(invitation)
    person = _lock_person(mail.email_canonical)
    if invitation is None and (person is None or person.id != mail.person_id):
        raise Gone(TITLES["revoked"], cause="revoked")
    if person is not None and not person.is_active:
        raise Gone(TITLES["revoked"], cause="revoked")
    return invitation, person


def _keep_newest(link: SignInLink) -> None:
    """End the oldest of more than three live sign-in links of an address."""
    older = (
        select(SignInLink.id)
        .where(*_live_sign_in_links(link), SignInLink.expires_at > clock.now())
        .order_by(SignInLink.issued_at.desc(), SignInLink.id.desc())
        .offset(MOST)
    )
    _end(SignInLink.id.in_(db.session.scalars(older).all()), "newer")


# MARK: Spend


def lock_owner(link: SignInLink, affiliation: Affiliation | None) -> Person | None:
    """Lock what spending the link will change: entity and invitation, then the person, who is returned."""
    if link.invitation is not None:
        invitation_moves.lock(link.invitation)
    elif affiliation is not None:
        active = update(Entity).where(Entity.id == affiliation.entity_id).values(last_activity_at=clock.now())
        db.session.execute(active.execution_options(logged=True))
    return _lock_person(link.email_canonical)


def _lock_person(email_canonical: str) -> Person | None:
    return db.session.scalar(held(select(Person).where(Person.email_canonical == email_canonical)))


def spend(link: SignInLink) -> bool:
    """Use the link up, in one statement; True for one caller only, however many try at once."""
    now = clock.now()
    spent: Any = db.session.execute(
        update(SignInLink)
        .where(
            SignInLink.id == link.id,
            SignInLink.used_at.is_(None),
            SignInLink.revoked_at.is_(None),
            SignInLink.expires_at > now,
        )
        .values(used_at=now)
    )
    return bool(spent.rowcount == 1)


def revoke_others(link: SignInLink) -> None:
    """One link was used: the other sign-in links of the address end, and all of the same invitation."""
    which: ColumnElement[bool] = SignInLink.sign_in_request_id.is_not(None) & (
        SignInLink.email_canonical == link.email_canonical
    )
    if link.invitation_id is not None:
        which = or_(which, SignInLink.invitation_id == link.invitation_id)
    _end(which & (SignInLink.id != link.id), "used")


def _live_sign_in_links(link: SignInLink) -> tuple[ColumnElement[bool], ...]:
    return (
        SignInLink.email_canonical == link.email_canonical,
        SignInLink.sign_in_request_id.is_not(None),
        SignInLink.used_at.is_(None),
        SignInLink.revoked_at.is_(None),
    )


def _end(which: ColumnElement[bool], reason: str) -> None:
    db.session.execute(
        update(SignInLink)
        .where(which, SignInLink.used_at.is_(None), SignInLink.revoked_at.is_(None))
        .values(revoked_at=clock.now(), revoked_reason=reason)
    )
