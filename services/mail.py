"""What mails there are, each named by what happened; queued with the change that causes it.

`queue` writes a row in the caller's transaction. The worker renders it in the reader's language and sends it
after the commit (services/mail_message.py, services/mail_delivery.py); tokens are minted only then.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import clock
import language
from language import LazyString, _l
from models import Company, Entity, Invitation, Mail, MailStatus, Person, SignInRequest, Staff, db
from permissions import Actor, Permission
from services import audit, jobs
from services.access import require
from services.errors import IllegalMove
from services.transaction import locked

#: Where the mailed links lead; `{token}` is what the worker minted.
PORTAL_LINK = "/partners/login/{token}"
STAFF_LINK = "/admin/password/{token}"


@dataclass(frozen=True)
class Kind:
    """One mail: its texts (templates/mail/<template>.html and .txt) and what they name."""

    template: str
    subject: LazyString
    facts: frozenset[str] = frozenset()  #: what `queue` must be given beside the rows
    rows: frozenset[str] = frozenset()  #: which rows it must be given: entity, invitation, sign_in_request
    link: str = ""  #: the path that it leads to; with {token} it is minted at sending
    mint: str = ""  #: the function that mints, as module:name


_PORTAL_MINT = "services.links:mint_link"
_INVITATION = Kind(
    "invitation.created",
    _l("Your invitation to %(entity)s"),
    rows=frozenset({"entity", "invitation"}),
    link=PORTAL_LINK,
    mint=_PORTAL_MINT,
)

MAILS: dict[str, Kind] = {
    "contact.ended": Kind(
        "contact.ended", _l("Your access to %(entity)s has ended"), rows=frozenset({"entity"})
    ),
    "contact.role_changed": Kind(
        "contact.role_changed",
        _l("Your role at %(entity)s has changed"),
        facts=frozenset({"before", "after"}),
        rows=frozenset({"entity"}),
        link="/partners/dashboard",
    ),
    "invitation.accepted": Kind(
        "invitation.accepted",
        _l("%(who)s joined %(entity)s"),
        facts=frozenset({"who", "role"}),
        rows=frozenset({"entity"}),
        link="/partners/team",
    ),
    "invitation.asked": Kind(
        "invitation.asked",
        _l("%(who)s asks for a new invitation"),
        facts=frozenset({"who"}),
        rows=frozenset({"entity"}),
        link="/partners/team",
    ),
    "invitation.created": _INVITATION,
    "invitation.renewed": _INVITATION,
    "invitation.resent": _INVITATION,
    "sign_in.first": Kind(
        "sign_in.first",
        _l("%(who)s signed in for the first time"),
        facts=frozenset({"who", "at", "browser", "system"}),
        rows=frozenset({"entity"}),
        link="/partners/team",
    ),
    "sign_in.link": Kind("sign_in.link", _l("Sign in to %(portal)s"), link=PORTAL_LINK, mint=_PORTAL_MINT),
    "sign_in.notice": Kind(
        "sign_in.notice",
        _l("New sign-in to %(portal)s"),
        facts=frozenset({"at", "browser", "system", "address", "session_id"}),
        link="/partners/sessions/not-me/{token}",
        mint="services.sessions:mint_notice",
    ),
    "staff.password_link": Kind(
        "staff.password_link",
        _l("Choose your password for %(portal)s"),
        link=STAFF_LINK,
        mint="services.staff:mint_staff_link",
    ),
    "staff.recovery_code_used": Kind(
        "staff.recovery_code_used",
        _l("A recovery code of %(who)s was used"),
        facts=frozenset({"who", "left"}),
        link="/admin/account/",
    ),
    "staff.second_factor_removed": Kind(
        "staff.second_factor_removed",
        _l("Your second factor was removed"),
        facts=frozenset({"by"}),
        link="/admin/login",
    ),
}


def queue(
    verb: str,
    *,
    to: Person | Staff | None = None,
    email: str | None = None,
    entity: Entity | None = None,
    invitation: Invitation | None = None,
    sign_in_request: SignInRequest | None = None,
    locale: str | None = None,
    **facts: Any,
) -> Mail:
    """Write down a mail to a person, to one of us, or to an address that nobody owns yet.

    It goes to the address that is stored, never to what somebody typed, and leaves after the commit.
    `facts` are what its text names beside the rows; never a token.
    """
    kind = MAILS[verb]
    entity = entity or (invitation.entity if invitation is not None else None)
    given = {"entity": entity, "invitation": invitation, "sign_in_request": sign_in_request}
    missing = (kind.facts - facts.keys()) | {name for name in kind.rows if given[name] is None}
    if missing:
        raise TypeError(f"the mail {verb} also names {', '.join(sorted(missing))}")
    address = to.email if to is not None else (email or (invitation.email if invitation is not None else ""))
    if not address:
        raise TypeError(f"nobody is named to whom the mail {verb} goes")
    session = db.session()
    session.flush()  # rows that were made just now get their numbers
    row = Mail(
        verb=verb,
        email=address,
        email_canonical=to.email_canonical if to is not None else address.strip().lower(),
        person_id=to.id if isinstance(to, Person) else None,
        staff_id=to.id if isinstance(to, Staff) else None,
        entity_id=entity.id if entity is not None else None,
        invitation_id=invitation.id if invitation is not None else None,
        sign_in_request_id=sign_in_request.id if sign_in_request is not None else None,
        facts=_plain(facts),
        locale=_locale(locale, to, invitation),
    )
    session.add(row)
    session.flush()
    jobs.enqueue("mail.deliver")
    return row


def retry(*, actor: Actor, mail: Mail) -> Mail:
    """Send a mail that was given up once more, from the first attempt.

    Raises NotAllowed, NotFound, or IllegalMove unless it has failed.
    """
    require(actor, Permission.RETRY_MAILS)
    row = locked(Mail, mail.id)
    if row.status is not MailStatus.FAILED:
        raise IllegalMove("This email is on its way, or has arrived already.")
    row.status = MailStatus.QUEUED
    row.attempts = 0
    row.due_at = clock.now()
    row.leased_until = None
    audit.record(actor=actor, verb="mail.retried", subject=row)
    jobs.enqueue("mail.deliver")
    return row


def _locale(asked: str | None, to: Person | Staff | None, invitation: Invitation | None) -> str:
    """The first that we speak: what was asked for, the reader's, the invitation's, the company's."""
    company = db.session.get(Company, 1)
    return language.spoken(
        asked,
        getattr(to, "locale", None),
        invitation.locale if invitation is not None else None,
        company.locale if company is not None else None,
    )


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as JSON keeps them: enums by value, moments in ISO."""
    plain: dict[str, Any] = {}
    for name, value in facts.items():
        if isinstance(value, Enum):
            plain[name] = value.value
        elif isinstance(value, datetime):
            plain[name] = value.isoformat()
        elif isinstance(value, int | float | bool) or value is None:
            plain[name] = value
        else:
            plain[name] = str(value).replace("\x00", "")  # PostgreSQL stores none
    return plain
