"""Asking for a sign-in mail: the same work for every address, and the worker that finds out whose it is."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import joinedload

import clock
from language import _l
from models import Entity, Invitation, Person, SignInRequest, db
from services import audit, auth_log, invitation_moves, jobs, keys, limits, mail, sessions
from services.emails import canonical_email
from services.errors import Refusal
from services.transaction import locked, transaction

#: How many sign-in mails an address gets; more are not sent, and nobody is told.
MAILS_PER_ADDRESS = ((5, timedelta(minutes=15)), (20, timedelta(days=1)))
#: More sign-in mails than this in an hour are an alert, not a limit.
ALERT = (600, timedelta(hours=1))
#: A request that nobody handled for so long is let go: who asked has asked again.
STALE = timedelta(days=1)


def ask(*, email: str, browser_token: str, next_path: str = "", invitation: Invitation | None = None) -> None:
    """Write down that a mail is wanted; the same work whatever was typed.

    `browser_token` is the cookie that lets this browser alone use the code. With an invitation, whose
    URL or code was passed on, the mail opens that invitation: for its own address only.

    Raises Refusal (email) for another address than the invitation's, Gone where it is not open.
    """
    try:
        canonical = canonical_email(email)
    except Refusal:
        canonical = ""
    if invitation is not None:
        if canonical != invitation.email_canonical:
            raise Refusal(_l("Use the address the invitation was sent to"), field="email")
        invitation_moves.check_open(invitation)
    where = audit.origin.get()
    request = SignInRequest(
        email_canonical=canonical,
        browser_digest=keys.digest(browser_token),
        invitation_id=invitation.id if invitation is not None else None,
        next_path=next_path[:500],
        address=where.address,
        agent=where.agent,
        request_id=where.request_id,
    )
    db.session.add(request)
    db.session.flush()
    jobs.enqueue("sign_in.request", request_id=request.id)


def handle_request(request_id: int) -> None:
    """Find out whom a request concerns and queue their mail. A job, so the transaction is its own."""
    before = audit.origin.get()
    try:
        with transaction():
            request = locked(SignInRequest, request_id)
            if request.handled_at is not None:
                return
            request.handled_at = clock.now()
            audit.origin.set(audit.Origin(request.request_id, request.address, request.agent))
            cause = _answer(request)
            if cause:
                auth_log.note("link_requested", "ignored", cause=cause, email=request.email_canonical)
    finally:
        audit.origin.set(before)


def _answer(request: SignInRequest) -> str:
    """Queue the mail of a request; the reason code where it gets none."""
    if not request.email_canonical:
        return "malformed"
    if clock.now() - request.created_at > STALE:
        return "stale"
    person = db.session.scalar(select(Person).where(Person.email_canonical == request.email_canonical))
    if person is not None and not person.is_active:
        return "person_inactive"
    affiliation = sessions.default_affiliation(person) if person is not None else None
    invitation = _invitation_for(request, is_known=affiliation is not None)
    if affiliation is None and invitation is None:
        return "unknown" if person is None else "no_access"
    for limit, per in MAILS_PER_ADDRESS:
        if not limits.take(f"sign_in.mail.{per.days}:{request.email_canonical}", limit=limit, per=per):
            return "rate_limited"
    if not limits.take("sign_in.mails", limit=ALERT[0], per=ALERT[1]) and limits.take(
        "sign_in.mails.alert", limit=1, per=ALERT[1]
    ):
        auth_log.note("alert", "ok", cause="many_mails")
    if invitation is not None:
        mail.queue("sign_in.link", to=person, invitation=invitation, sign_in_request=request)
    elif affiliation is not None:
        mail.queue("sign_in.link", to=person, entity=affiliation.entity, sign_in_request=request)
    auth_log.note("link_requested", "ok", email=request.email_canonical, person=person)
    return ""


def _invitation_for(request: SignInRequest, *, is_known: bool) -> Invitation | None:
    """The open invitation that the mail opens: the one asked through, else the newest of a newcomer."""
    query = (
        select(Invitation)
        .where(
            Invitation.email_canonical == request.email_canonical,
            Invitation.status == invitation_moves.S.PENDING,
            Invitation.expires_at > clock.now(),
        )
        .options(joinedload(Invitation.entity).joinedload(Entity.organization))
        .order_by(Invitation.id.desc())
    )
    if request.invitation_id is not None:
        query = query.where(Invitation.id == request.invitation_id)
    elif is_known:
        return None
    return next((one for one in db.session.scalars(query) if invitation_moves.is_enterable(one.entity)), None)
