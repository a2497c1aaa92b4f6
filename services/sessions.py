"""Browsers that are signed in to the portal: begun once, read at every request, ended from anywhere.

The cookie holds a random token, the database its digest; who somebody is and what they may is read
anew each time, so a change holds from the next request on.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Update, and_, bindparam, case, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import contains_eager, joinedload, raiseload

import clock
from language import _l
from models import Affiliation, Company, Entity, Mail, Person, Session, SignInLink, Staff, db
from permissions import Actor, Contact, Permission, System, decide
from services import audit, auth_log, company, keys
from services.access import require
from services.errors import Gone, NotFound
from services.transaction import aside, locked, transaction

LIFETIME = timedelta(days=30)  #: from signing in, not from the last visit
MOST = 10  #: live sessions of a person; the oldest ends when there is one more
#: How exactly "last seen" is known: a session is written at most this often.
SEEN_EVERY = timedelta(minutes=5)

#: How long after signing in somebody may change who may do what; later they confirm by mail first.
FRESH = timedelta(minutes=15)

#: The steps of a decision that concern somebody's being here at all, not their role.
BEING_HERE = {"person", "organization", "entity", "affiliation"}


# MARK: Which place of a person


def affiliations_of(person: Person) -> list[Affiliation]:
    """Where the person works with us now, the primary place first, with entity and organization."""
    rows = db.session.scalars(_places(person).where(_is_live()))
    return list(rows.unique())


def default_affiliation(person: Person) -> Affiliation | None:
    """Where somebody lands who signs in: where they last were, else their primary place, else the newest.

    None when no place lets them in: everything ended, or is paused.
    """
    last = (
        select(Session.affiliation_id)
        .where(Session.person_id == person.id, Session.affiliation_id.is_not(None))
        .order_by(Session.created_at.desc(), Session.id.desc())
        .limit(1)
    )
    rows = db.session.execute(_places(person).where(_is_live()).add_columns(last.scalar_subquery())).all()
    open_ones = [(one, last_id) for one, last_id in rows if may_enter(Contact(person, one))]
    return next(
        (one for one, last_id in open_ones if one.id == last_id), open_ones[0][0] if open_ones else None
    )


def may_enter(contact: Contact) -> bool:
    """Whether person, organization, entity and affiliation are all in force, whatever the role grants."""
    decision = decide(contact, Permission.VIEW_DASHBOARD)
    return decision.allowed or decision.steps[-1].name not in BEING_HERE


def _places(person: Person) -> Select[Affiliation]:
    return (
        select(Affiliation)
        .where(Affiliation.partner_user_id == person.id)
        .options(joinedload(Affiliation.entity).joinedload(Entity.organization))
        .order_by(Affiliation.is_primary.desc(), Affiliation.id.desc())
    )


def _is_live(now: Any = None) -> ColumnElement[bool]:
    return and_(
        Affiliation.ended_at.is_(None),
        Affiliation.valid_until.is_(None) | (Affiliation.valid_until > (clock.now() if now is None else now)),
    )


# MARK: Begin


def start(*, contact: Contact, browser: str, system: str) -> tuple[Session, str]:
    """Sign a browser in: a new row and the token for its cookie. The person's row is locked by the caller."""
    token = keys.mint()
    now = clock.now()
    older = (
        select(Session.id)
        .where(*_alive(contact.person))
        .order_by(Session.created_at.desc(), Session.id.desc())
        .offset(MOST - 1)
    )
    if too_many := db.session.scalars(older).all():
        _revoke(Session.id.in_(too_many), "too_many")
    session = Session(
        token_digest=keys.digest(token),
        person_id=contact.person.id,
        affiliation_id=contact.affiliation.id,
        epoch=contact.person.epoch,
        browser=browser[:40],
        system=system[:40],
        address=audit.origin.get().address,
        created_at=now,
        authenticated_at=now,
        last_seen_at=now,
        expires_at=now + LIFETIME,
    )
    db.session.add(session)
    db.session.flush()
    return session, token


# MARK: Every request

#: Built once, for every request of the portal asks it.
_BY_TOKEN = (
    select(Session, Affiliation, Company)
    .select_from(Session)
    .outerjoin(Company, Company.id == 1)
    .join(Person, Person.id == Session.person_id)
    .join(Affiliation, Affiliation.partner_user_id == Person.id)
    .join(Affiliation.entity)
    .join(Entity.organization)
    .where(
        Session.token_digest == bindparam("digest"),
        Session.revoked_at.is_(None),
        Session.expires_at > bindparam("now"),
        Session.epoch == Person.epoch,
    )
    # The place that was chosen while it lasts, else another, else the newest that has ended.
    .order_by(
        case((_is_live(bindparam("now")), 0), else_=1),
        case((Affiliation.id == Session.affiliation_id, 0), else_=1),
        Affiliation.is_primary.desc(),
        Affiliation.id.desc(),
    )
    .limit(1)
    .options(
        contains_eager(Affiliation.person),
        contains_eager(Affiliation.entity).contains_eager(Entity.organization),
        raiseload("*"),
    )
    .execution_options(populate_existing=True)
)


def session_of(token: str, browser: str, system: str) -> Contact | None:
    """Who holds this token in this browser; None where nobody does any more. One SELECT, which brings
    the company along.

    Somebody whose places have all ended, or are paused, is still told who they are: every permission
    is then refused with the reason. A token that turns up in another browser or system ends.
    """
    if len(token) != keys.TOKEN_LENGTH:
        return None
    now = clock.now()
    found = db.session.execute(_BY_TOKEN, {"digest": keys.digest(token), "now": now}).first()
    if found is None:
        return None
    session, affiliation, tenant = found
    company.keep(tenant)
    contact = Contact(affiliation.person, affiliation, session.id)
    if (session.browser, session.system) != (browser[:40], system[:40]):
        _end_mismatched(contact, browser, system)
        return None
    if now - session.last_seen_at >= SEEN_EVERY:
        _touch(contact)
    return contact


def _end_mismatched(contact: Contact, browser: str, system: str) -> None:
    with transaction():
        person = contact.person
        _revoke(Session.id == contact.session_id, "binding_mismatch")
        auth_log.note(
            "session_mismatch", "refused", cause="binding", person=person, session_id=contact.session_id
        )
        audit.record(
            actor=System(),
            verb="session.binding_mismatch",
            subject=person,
            entity=contact.entity,
            now=f"{browser}, {system}",
        )


def _touch(contact: Contact) -> None:
    """Note that they were here. A disk that takes no writes must not keep anybody from reading."""
    now = clock.now()
    try:
        with aside() as connection:
            live = (Session.id == contact.session_id) & Session.revoked_at.is_(None)
            if connection.execute(update(Session).where(live).values(last_seen_at=now)).rowcount:
                mine = Person.id == contact.person.id
                connection.execute(update(Person).where(mine).values(last_seen_at=now))
                ours = Entity.id == contact.entity.id
                connection.execute(update(Entity).where(ours).values(last_activity_at=now))
    except OperationalError:
        return


# MARK: See and end


def sessions_of(person: Person) -> list[Session]:
    """The browsers in which the person is signed in now, the latest seen first."""
    query = select(Session).where(*_alive(person)).order_by(Session.last_seen_at.desc(), Session.id.desc())
    return list(db.session.scalars(query.options(raiseload("*"))))


def is_fresh(contact: Contact) -> bool:
    """Whether this browser's sign-in is recent enough to change who may do what."""
    signed_in_at = db.session.scalar(select(Session.authenticated_at).where(Session.id == contact.session_id))
    return signed_in_at is not None and clock.now() - signed_in_at <= FRESH


def switch(*, contact: Contact, affiliation_id: int) -> Contact:
    """Work in another of one's places from now on, in this browser.

    Raises NotFound where it is not a place of theirs that holds.
    """
    for affiliation in affiliations_of(contact.person):
        if affiliation.id == affiliation_id:
            mine = (Session.id == contact.session_id) & Session.revoked_at.is_(None)
            db.session.execute(update(Session).where(mine).values(affiliation_id=affiliation_id))
            auth_log.note("switched", "ok", person=contact.person, session_id=contact.session_id)
            return Contact(contact.person, affiliation, contact.session_id)
    raise NotFound


def sign_out(*, contact: Contact) -> None:
    """End the session of this browser."""
    if _revoke(Session.id == contact.session_id, "signed_out"):
        auth_log.note("signed_out", "ok", person=contact.person, session_id=contact.session_id)
        audit.record(actor=contact, verb="session.ended", subject=contact.person)


def end_session(*, actor: Actor, session_id: int) -> None:
    """End one session: one's own, or as staff anybody's.

    Raises NotFound where there is none to be seen, NotAllowed for staff whose role ends none.
    """
    session = db.session.get(Session, session_id, populate_existing=True)
    if session is None or session.person_id is None:
        raise NotFound
    if isinstance(actor, Contact) and actor.person.id != session.person_id:
        raise NotFound
    if isinstance(actor, Staff):
        require(actor, Permission.END_SESSIONS)
    person = db.session.get_one(Person, session.person_id)
    if _revoke(Session.id == session.id, _who(actor, person)):
        auth_log.note("session_revoked", "ok", person=person, session_id=session.id)
        audit.record(
            actor=actor,
            verb="session.revoked",
            subject=person,
            browser=session.browser,
            system=session.system,
        )


def end_all(*, actor: Actor, person: Person, but: int | None = None, reason: str = "") -> None:
    """Sign the person out everywhere, and let no link that is on its way work; `but` keeps one session.

    One's own, as a principal those of one's team, as staff anybody's. Raises NotAllowed, NotFound.
    """
    _require_ending(actor, person)
    person = locked(Person, person.id)
    person.epoch += 1
    now = clock.now()
    db.session.execute(
        update(Session).where(Session.id == but, *_alive(person, person.epoch - 1)).values(epoch=person.epoch)
    )
    _revoke((Session.person_id == person.id) & (Session.epoch != person.epoch), _who(actor, person))
    db.session.execute(
        update(SignInLink)
        .where(
            SignInLink.person_id == person.id, SignInLink.used_at.is_(None), SignInLink.revoked_at.is_(None)
        )
        .values(revoked_at=now, revoked_reason="signed_out")
    )
    auth_log.note("sessions_revoked", "ok", person=person)
    audit.record(actor=actor, verb="session.all_revoked", subject=person, reason=reason)


def _require_ending(actor: Actor, person: Person) -> None:
    if isinstance(actor, Staff):
        require(actor, Permission.END_SESSIONS)
    elif isinstance(actor, Contact) and actor.person.id != person.id:
        # Who left the team is no longer its principal's to act on: they may work for another partner.
        shared = select(Affiliation.id).where(
            Affiliation.partner_user_id == person.id, Affiliation.entity_id == actor.entity.id, _is_live()
        )
        if db.session.scalar(shared.limit(1)) is None:
            raise NotFound
        require(actor, Permission.MANAGE_TEAM)


def _alive(person: Person, epoch: int | None = None) -> tuple[ColumnElement[bool], ...]:
    return (
        Session.person_id == person.id,
        Session.revoked_at.is_(None),
        Session.expires_at > clock.now(),
        Session.epoch == (person.epoch if epoch is None else epoch),
    )


def _revoke(which: ColumnElement[bool], reason: str) -> int:
    statement: Update = (
        update(Session)
        .where(which, Session.revoked_at.is_(None))
        .values(revoked_at=clock.now(), revoked_reason=reason)
    )
    return int(db.session.execute(statement).rowcount)  # type: ignore[attr-defined]


def _who(actor: Actor, person: Person) -> str:
    if isinstance(actor, Staff):
        return "staff"
    return "own" if isinstance(actor, Contact) and actor.person.id == person.id else "principal"


# MARK: "Was that not you?"


def mint_notice(letter: Mail) -> str:
    """The secret of a mail about a new browser, by which its reader ends that session without signing in."""
    return notice_secret(letter.facts["session_id"])


def notice_secret(session_id: int) -> str:
    """The session's number with a signature of it and of its owner's address, which ends with the address."""
    owner = select(Person.email_canonical).join(Session, Session.person_id == Person.id)
    address = db.session.scalar(owner.where(Session.id == session_id))
    return f"{session_id}-{keys.sign('not me', session_id, address)[:43]}"


def by_notice(secret: str) -> Session | None:
    """The session that a notice was about, while the person's mail address is the one it went to."""
    number, _dash, _signature = secret.partition("-")
    if not (number.isascii() and number.isdigit() and len(number) < 16):
        return None
    if not keys.same(secret, notice_secret(int(number))):
        return None
    query = select(Session).where(Session.id == int(number)).options(joinedload(Session.person))
    return db.session.scalars(query).first()


def disown(*, secret: str) -> Person:
    """Somebody says that it was not them: every session and link of theirs ends.

    Raises Gone (unknown) for a secret that is none of ours.
    """
    session = by_notice(secret)
    if session is None or session.person is None or session.affiliation_id is None:
        raise Gone(_l("Link not valid"), cause="unknown")
    affiliation = db.session.get_one(Affiliation, session.affiliation_id)
    end_all(actor=Contact(session.person, affiliation), person=session.person, reason="It was not me")
    return session.person
