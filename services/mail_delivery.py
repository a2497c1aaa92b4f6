"""The worker's part of a mail: take one that is due, finish it, send it, and note how that went.

Three short transactions with the sending between them, so that no mail server ever holds a lock of ours.
A worker that dies keeps a mail for LEASE at most; one that dies between the server's 250 and our note
leaves a second copy with the same Message-ID, and never none.
"""

import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any, cast

import structlog
from sqlalchemy import CursorResult, and_, or_, select, update

import clock
import config
from models import Mail, MailStatus, Person, db
from permissions import System
from services import audit, jobs
from services.errors import Refusal
from services.mail import MAILS
from services.mail_message import Unsendable, compose
from services.mail_transport import Envelope, Refused, TryLater, deliver
from services.transaction import held, locked, transaction

log = structlog.get_logger()

LEASE = timedelta(seconds=120)
#: How long to wait after each attempt that failed; after the last of these it is given up.
RETRIES = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
)


#: A mail that workers die of is given up too.
MOST_ATTEMPTS = 12


@dataclass(frozen=True)
class Claim:
    """A mail that is ours to send until the lease ends; `attempt` tells our claim from a later one."""

    mail_id: int
    attempt: int


def deliver_due() -> int:
    """Send every mail that is due; gives how many left."""
    sent = 0
    for claim in _claims():
        envelope = _prepare(claim)
        if envelope is not None:
            sent += _send(claim, envelope)
    return sent


def _claims() -> Iterator[Claim]:
    """One due mail after the other, until there is none or the worker stops."""
    while not jobs.is_stopping():
        claim = _claim()
        if claim is None:
            return
        yield claim


def _claim() -> Claim | None:
    """Take one due mail for LEASE: on PostgreSQL past what others hold, on SQLite behind its one writer."""
    now = clock.now()
    due = or_(
        and_(Mail.status == MailStatus.QUEUED, Mail.due_at <= now),
        and_(Mail.status == MailStatus.SENDING, Mail.leased_until <= now),
    )
    # A look first: an idle worker takes no write lock.
    if db.session.scalar(select(Mail.id).where(due).limit(1)) is None:
        db.session.rollback()
        return None
    one = select(Mail.id).where(due).order_by(Mail.due_at, Mail.id).limit(1).with_for_update(skip_locked=True)
    with transaction() as session:
        taken = session.execute(
            update(Mail)
            .where(Mail.id == one.scalar_subquery())
            .values(status=MailStatus.SENDING, attempts=Mail.attempts + 1, leased_until=now + LEASE)
            .returning(Mail.id, Mail.attempts)
            .execution_options(synchronize_session=False)
        ).one_or_none()
    return Claim(taken.id, taken.attempts) if taken is not None else None


def _prepare(claim: Claim) -> Envelope | None:
    """Mint the token and write the message; None where there is nothing to send, which the row then says."""
    if claim.attempt > MOST_ATTEMPTS:
        _settle(claim, status=MailStatus.FAILED, last_error="The worker ended each time it was at this mail")
        return None
    try:
        with transaction():
            mail = locked(Mail, claim.mail_id)
            if mail.attempts != claim.attempt:
                return None
            token, code = _mint(mail)
            message = compose(mail, token=token, code=code)
            return Envelope(
                sender=parseaddr(config.current().mail_from)[1],
                recipient=mail.email,
                content=message.as_bytes(),
                name=f"{clock.now():%Y%m%dT%H%M%S}-{mail.id:08}-{mail.verb}-{claim.attempt}.eml",
            )
    except Refusal as refusal:
        # What it was about ended in the meantime: the invitation was cancelled, the access closed.
        _settle(claim, status=MailStatus.FAILED, last_error=f"Not sent: {refusal}")
    except Unsendable as problem:
        _settle(claim, status=MailStatus.FAILED, last_error=f"Not sent: {problem}")
    except Exception as error:
        log.exception("mail_not_written", mail=claim.mail_id)
        _postpone(claim, f"It could not be written: {type(error).__name__}")
    return None


def _mint(mail: Mail) -> tuple[str | None, str | None]:
    """The token and the code of this mail, made now; an earlier attempt's token ends."""
    function = MAILS[mail.verb].mint
    if not function:
        return None, None
    minted = pkgutil.resolve_name(function)(mail)
    return cast("tuple[str, str | None]", minted) if isinstance(minted, tuple) else (str(minted), None)


def _send(claim: Claim, envelope: Envelope) -> bool:
    try:
        deliver(config.current().mail_url, envelope)
    except Refused as refused:
        _settle(claim, status=MailStatus.FAILED, last_error=str(refused), bounced=True)
    except TryLater as problem:
        log.warning("mail_later", mail=claim.mail_id, attempt=claim.attempt, error=str(problem)[:200])
        _postpone(claim, str(problem))
    else:
        _settle(claim, status=MailStatus.SENT, last_error="", sent_at=clock.now())
        return True
    return False


def _postpone(claim: Claim, error: str) -> None:
    if claim.attempt > len(RETRIES):
        _settle(claim, status=MailStatus.FAILED, last_error=error)
    else:
        again: datetime = clock.now() + RETRIES[claim.attempt - 1]
        _settle(claim, status=MailStatus.QUEUED, last_error=error, due_at=again)


def _settle(claim: Claim, *, bounced: bool = False, **values: Any) -> None:
    """Note how it went, unless the lease ended and another worker has taken the mail since."""
    values["last_error"] = values["last_error"][:500]
    with transaction() as session:
        noted = session.execute(
            update(Mail)
            .where(
                Mail.id == claim.mail_id, Mail.attempts == claim.attempt, Mail.status == MailStatus.SENDING
            )
            .values(leased_until=None, **values)
            .execution_options(synchronize_session=False)
        )
        if not cast("CursorResult[Any]", noted).rowcount:
            return
        if bounced:
            _note_bounce(session.get_one(Mail, claim.mail_id))
        elif values["status"] is MailStatus.SENT:
            _note_arrival(claim.mail_id)


def _note_bounce(mail: Mail) -> None:
    """Flag the person whose mail server wants none of our mail, so that somebody asks for another address."""
    if mail.person_id is None:
        return
    person = locked(Person, mail.person_id)
    person.bounced_at = clock.now()
    audit.record(actor=System(), verb="person.bounced", subject=person)


def _note_arrival(mail_id: int) -> None:
    """Take the flag away again: their mail server takes our mail."""
    owner = select(Mail.person_id).where(Mail.id == mail_id).scalar_subquery()
    flagged = select(Person).where(Person.id == owner, Person.bounced_at.is_not(None))
    person = db.session.scalar(held(flagged))
    if person is not None:
        person.bounced_at = None
        audit.record(actor=System(), verb="person.changed", subject=person)
