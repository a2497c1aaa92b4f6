"""The way in: what a mailed link would do, and spending it or its code, once.

Asking for the mail stands in services/sign_in_requests.py, the links' own life in services/links.py;
what the doors need of both is reachable from here.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

import clock
from language import LazyString, _l
from models import (
    Invitation,
    LinkPurpose,
    Person,
    Session,
    SignInLink,
    SignInRequest,
    db,
)
from permissions import Contact
from services import audit, auth_log, keys, links, mail, sessions, team
from services.acceptance import accept
from services.emails import mask
from services.errors import Gone, Refusal
from services.links import mint_link
from services.sign_in_limits import allow_asking, allow_opening, count_failure
from services.sign_in_requests import ask, handle_request
from services.transaction import transaction

CODE_TRIES = 5
#: How many of a browser's latest requests a typed code may belong to.
REQUESTS_PER_BROWSER = 10

_WRONG_CODE = _l(
    "That code is not right, or no longer works. Look for the newest email, or ask for a new one."
)


class WrongCode(Refusal):
    """A code that opens nothing; that it was tried is kept."""

    keeps_trace = True


@dataclass(frozen=True)
class Peek:
    """What a link would do, for the page with its one button.

    Of a link that does not work, `person` and `invitation` are for finding the way on, never to be shown.
    """

    state: str  #: ok, expired, used, superseded, revoked or unknown
    title: LazyString | str  #: what the page of a link that does not work is headed with
    purpose: LinkPurpose | None = None
    masked: str = ""
    entity_name: str = ""
    invitation: Invitation | None = None
    person: Person | None = None
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None  #: when it was used, gave way to another or was switched off


@dataclass(frozen=True)
class SignedIn:
    """Somebody is in: who, the token for their cookie, and where they wanted to go."""

    contact: Contact
    session_token: str
    is_first: bool
    next_path: str = ""


# MARK: Look


def look(token: str) -> Peek:
    """What the link would do; looking changes nothing but the log. Not inside of transaction()."""
    link = links.find(token)
    if link is None:
        return Peek("unknown", links.TITLES["unknown"])
    state = links.state_of(link)
    person = link.person or db.session.scalar(
        select(Person).where(Person.email_canonical == link.email_canonical)
    )
    if state == "ok" and link.purpose is LinkPurpose.SIGN_IN:
        if person is None or sessions.default_affiliation(person) is None:
            state = "revoked"
    elif state == "ok" and person is not None and not person.is_active:
        state = "revoked"
    _note_opened(link, state)
    if state == "revoked":
        return Peek(state, links.TITLES[state], purpose=link.purpose)
    is_ok = state == "ok"
    return Peek(
        state,
        links.TITLES.get(state, ""),
        purpose=link.purpose,
        masked=mask(link.email_canonical) if is_ok else "",
        entity_name=_entity_name(link, person) if is_ok else "",
        invitation=link.invitation,
        person=person,
        issued_at=link.issued_at,
        expires_at=link.expires_at,
        ended_at=link.used_at or link.revoked_at,
    )


def _entity_name(link: SignInLink, person: Person | None) -> str:
    if link.invitation is not None:
        return link.invitation.entity.name
    affiliation = sessions.default_affiliation(person) if person is not None else None
    return affiliation.entity.name if affiliation is not None else ""


def _note_opened(link: SignInLink, state: str) -> None:
    """Leave an entry, so that support sees a scanner. A disk that takes no writes hides no page."""
    try:
        with transaction():
            auth_log.note(
                "link_opened",
                "ok" if state == "ok" else "refused",
                cause="" if state == "ok" else state,
                email=link.email_canonical,
                link_id=link.id,
            )
    except OperationalError:
        return


# MARK: Spend


def redeem(*, token: str, browser: str, system: str) -> SignedIn:
    """Spend the link and sign the browser in; of many at once, one succeeds.

    Raises Gone with its cause: expired, used, superseded, revoked or unknown. The cause is in the log.
    """
    link = links.find(token)
    if link is None:
        auth_log.note("link_refused", "refused", cause="unknown")
        raise links.Spent("unknown")
    return _spend(link, browser, system)


def redeem_code(*, code: str, browser_token: str, browser: str, system: str) -> SignedIn:
    """Spend the link of the mail whose code was typed, in the browser that asked for it.

    Every try is counted before it is compared; five wrong ones end the code. The refusal (WrongCode,
    field code) is the same whatever is wrong, and also for an address that nobody has.
    """
    browser_digest = keys.digest(browser_token)
    digest = keys.sign("sign-in code", browser_digest, code)
    asked = (
        select(SignInRequest.id)
        .where(SignInRequest.browser_digest == browser_digest)
        .order_by(SignInRequest.id.desc())
        .limit(REQUESTS_PER_BROWSER)
    )
    is_browser = len(browser_token) == keys.TOKEN_LENGTH
    for request_id in sorted(db.session.scalars(asked).all()) if is_browser else ():
        counted: Any = db.session.execute(
            update(SignInRequest)
            .where(SignInRequest.id == request_id, SignInRequest.code_tries < CODE_TRIES)
            .values(code_tries=SignInRequest.code_tries + 1)
        )
        if not counted.rowcount:
            continue
        matching = select(SignInLink).where(
            SignInLink.sign_in_request_id == request_id,
            SignInLink.purpose.in_(links.OPENING),
            SignInLink.code_expires_at > clock.now(),
        )
        for link in db.session.scalars(matching.options(*links.WHOLE)).all():
            if link.code_digest and keys.same(link.code_digest, digest) and links.state_of(link) == "ok":
                return _spend(link, browser, system)
    auth_log.note("code_refused", "refused", cause="wrong_code")
    raise WrongCode(_WRONG_CODE, field="code")


def _spend(link: SignInLink, browser: str, system: str) -> SignedIn:
    """Locks in the one order (entity, invitation, person), spends, and begins the session."""
    state, person, affiliation = links.state_of(link), link.person, None
    if state == "ok" and link.invitation is None:
        affiliation = sessions.default_affiliation(person) if person is not None else None
        state = "ok" if affiliation is not None else "revoked"
    if state == "ok":
        person = links.lock_owner(link, affiliation)
        state = links.state_of(link)
        if person is not None and not person.is_active:
            state = "revoked"
    if state == "ok" and not links.spend(link):
        db.session.refresh(link)
        state = {"ok": "used"}.get(links.state_of(link), links.state_of(link))
    if state != "ok":
        raise _refused(link, state)
    if link.invitation is not None:
        contact = accept(invitation=link.invitation, email_canonical=link.email_canonical)
    elif affiliation is None:
        raise links.Spent("revoked")
    else:
        contact = Contact(affiliation.person, affiliation)
    links.revoke_others(link)
    return _begin(link, contact, browser, system)


def _refused(link: SignInLink, cause: str) -> Gone:
    auth_log.note(
        "link_refused",
        "refused",
        cause=cause,
        email=link.email_canonical,
        person=link.person,
        link_id=link.id,
    )
    return links.Spent(cause)


def _begin(link: SignInLink, contact: Contact, browser: str, system: str) -> SignedIn:
    person = contact.person
    known = db.session.execute(
        select(Session.browser, Session.system).where(Session.person_id == person.id).distinct()
    ).all()
    session, token = sessions.start(contact=contact, browser=browser, system=system)
    contact = Contact(person, contact.affiliation, session.id)
    now = clock.now()
    seen = update(Person).where(Person.id == person.id).values(last_seen_at=now)
    db.session.execute(seen.execution_options(logged=True))
    auth_log.note("signed_in", "ok", person=person, link_id=link.id, session_id=session.id)
    audit.record(actor=contact, verb="session.started", subject=person, browser=browser, system=system)
    facts: dict[str, Any] = {
        "at": now,
        "browser": browser,
        "system": system,
        "address": session.address,
        "session_id": session.id,
        "who": person.name,
    }
    if known and (session.browser, session.system) not in {tuple(row) for row in known}:
        mail.queue("sign_in.notice", to=person, entity=contact.entity, **facts)
    if not known and link.invitation is None:  # an accepted invitation tells the principals by itself
        for row in team.principals_of(contact.entity):
            if row.person.id != person.id:
                mail.queue("sign_in.first", to=row.person, entity=contact.entity, **facts)
    return SignedIn(contact, token, not known, _next_path(link))


def _next_path(link: SignInLink) -> str:
    if link.sign_in_request_id is None:
        return ""
    request = db.session.get(SignInRequest, link.sign_in_request_id)
    return request.next_path if request is not None else ""


__all__ = [
    "Peek",
    "SignedIn",
    "WrongCode",
    "allow_asking",
    "allow_opening",
    "ask",
    "count_failure",
    "handle_request",
    "look",
    "mask",
    "mint_link",
    "redeem",
    "redeem_code",
]
