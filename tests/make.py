"""The shortest way to a row in a given state. What is named alike is made once and given again.

    entity = make.entity()                                     active, with its organization
    kofi = make.contact(entity=entity, role=PartnerRole.SALESPERSON)
    token, code = make.link(kofi.person.email)                 as it stands in the mail

Rows are committed, each with its audit event; never call these inside of transaction().
"""

from datetime import datetime
from itertools import count
from typing import Any, TypeVar

from sqlalchemy import select

import clock
from models import (
    Affiliation,
    Base,
    Entity,
    EntityKind,
    EntityStatus,
    Invitation,
    Mail,
    MailStatus,
    Organization,
    OrganizationKind,
    PartnerRole,
    Person,
    SignInRequest,
    Staff,
    StaffRole,
    db,
)
from permissions import Actor, Contact, System
from services import audit, keys, people, sessions, sign_in, staff_sign_in
from services.names import fold
from services.transaction import transaction

PORTICO = System()
#: What the test client is taken for, since its User-Agent names no browser.
BROWSER, SYSTEM = "Other", "Other"
#: The same-browser cookie of whoever asks for links here.
COOKIE = "b" * keys.TOKEN_LENGTH

_numbers = count(1)
Row = TypeVar("Row", bound=Base)


def organization(name: str = "University of Nebraska–Lincoln", **columns: Any) -> Organization:
    """An organization; the one of that name where there is one."""
    found = db.session.scalar(select(Organization).where(Organization.name == name))
    if found is not None:
        return _changed(found, "organization.changed", columns)
    values: dict[str, Any] = {"kind": OrganizationKind.UNIVERSITY, "name_key": fold(name), **columns}
    return _saved(Organization(name=name, **values), "organization.created")


def entity(
    name: str = "Admissions Office", organization: str | Organization | None = None, **columns: Any
) -> Entity:
    """An active entity; the one of that name in its organization where there is one."""
    parent = organization if isinstance(organization, Organization) else _organization(organization)
    found = db.session.scalar(select(Entity).where(Entity.name == name, Entity.organization_id == parent.id))
    if found is not None:
        return _changed(found, "entity.changed", columns)
    values: dict[str, Any] = {"kind": EntityKind.OFFICE, "status": EntityStatus.ACTIVE, **columns}
    return _saved(Entity(name=name, organization_id=parent.id, **values), "entity.created")


def _admissions() -> Entity:
    return entity()


def _organization(name: str | None) -> Organization:
    return organization(name) if name else organization()


def person(email: str | None = None, full_name: str = "", **columns: Any) -> Person:
    """A person; the one with that address where there is one."""
    email = email or f"person-{next(_numbers)}@unl.example"
    canonical = people.canonical_email(email)
    found = db.session.scalar(select(Person).where(Person.email_canonical == canonical))
    if found is not None:
        return _changed(found, "person.changed", columns)
    row = Person(email=email.strip(), email_canonical=canonical, full_name=full_name, **columns)
    return _saved(row, "person.created")


def contact(
    *,
    entity: Entity | None = None,
    role: PartnerRole = PartnerRole.PRINCIPAL,
    email: str | None = None,
    full_name: str = "",
    overrides: dict[str, bool] | None = None,
    is_active: bool = True,
    valid_until: datetime | None = None,
    ended_at: datetime | None = None,
) -> Contact:
    """Somebody with a place in an entity; the one who is there where the address is known."""
    place = entity if entity is not None else _admissions()
    who = person(email, full_name, is_active=is_active)
    theirs = select(Affiliation).where(Affiliation.partner_user_id == who.id)
    existing = db.session.scalars(theirs.where(Affiliation.ended_at.is_(None))).all()
    here = next((one for one in existing if one.entity_id == place.id), None)
    if here is None:
        here = Affiliation(
            partner_user_id=who.id,
            entity_id=place.id,
            role=role,
            permissions=overrides or {},
            is_primary=not existing and ended_at is None,
            valid_until=valid_until,
            ended_at=ended_at,
        )
        here = _saved(here, "contact.added", role=role.value)
    return Contact(who, here)


def staff(
    role: StaffRole = StaffRole.ADMIN, email: str | None = None, full_name: str = "", **columns: Any
) -> Staff:
    """One of us, without a password unless `password_hash` is given; the one with that address."""
    email = email or f"{role.value}-{next(_numbers)}@northwind.example"
    found = db.session.scalar(select(Staff).where(Staff.email_canonical == email))
    if found is not None:
        return _changed(found, "staff.changed", columns)
    row = Staff(email=email, email_canonical=email, full_name=full_name or role.value, role=role, **columns)
    return _saved(row, "staff.created")


def invitation(
    *,
    entity: Entity | None = None,
    email: str | None = None,
    role: PartnerRole = PartnerRole.PRINCIPAL,
    by: Actor = PORTICO,
    days: int = 7,
    send: bool = False,
) -> Invitation:
    """An open invitation; to an active entity unless another is given."""
    place = entity if entity is not None else _admissions()
    email = email or f"invited-{next(_numbers)}@unl.example"
    with transaction():
        return people.invite(actor=by, entity=place, email=email, role=role, days=days, send=send)


def session(who: Contact, browser: str = BROWSER, system: str = SYSTEM) -> str:
    """The token of a browser that is signed in, for the cookie `pp`."""
    with transaction():
        return sessions.start(contact=who, browser=browser, system=system)[1]


def desk(who: Staff, browser: str = BROWSER, system: str = SYSTEM, *, second_factor: bool = False) -> str:
    """The token of a browser that is signed in to the desk, for the cookie `staff`."""
    with transaction():
        proved_at = clock.now() if second_factor else None
        return staff_sign_in.start(who, browser, system, second_factor_at=proved_at)


def request(email: str, cookie: str = COOKIE, invitation: Invitation | None = None) -> SignInRequest:
    """A request for a sign-in mail that the worker has handled."""
    with transaction():
        sign_in.ask(email=email, browser_token=cookie, invitation=invitation)
    asked = db.session.scalars(select(SignInRequest).order_by(SignInRequest.id.desc())).first()
    assert asked is not None
    sign_in.handle_request(asked.id)
    return asked


def link(email: str, cookie: str = COOKIE, invitation: Invitation | None = None) -> tuple[str, str]:
    """The token and the code of a sign-in link that was mailed just now."""
    asked = request(email, cookie, invitation)
    token, code = minted(db.session.scalars(select(Mail).where(Mail.sign_in_request_id == asked.id)).one())
    assert code is not None
    return token, code


def mailed(invitation: Invitation) -> str:
    """The token of the link in the invitation's own mail, as if it had just been sent."""
    mails = select(Mail).where(Mail.invitation_id == invitation.id, Mail.sign_in_request_id.is_(None))
    return minted(db.session.scalars(mails.order_by(Mail.id.desc())).first())[0]


def minted(mail: Mail | None) -> tuple[str, str | None]:
    """What the worker mints as it sends the mail."""
    assert mail is not None, "No such mail was queued."
    with transaction():
        mail.status, mail.sent_at = MailStatus.SENT, clock.now()
        return sign_in.mint_link(mail)


def _saved(row: Row, verb: str, **facts: Any) -> Row:
    with transaction():
        db.session.add(row)
        db.session.flush()
        audit.record(actor=PORTICO, verb=verb, subject=row, **facts)
    return row


def _changed(row: Row, verb: str, columns: dict[str, Any]) -> Row:
    changed = {name: value for name, value in columns.items() if getattr(row, name) != value}
    if changed:
        with transaction():
            for name, value in changed.items():
                setattr(row, name, value)
            audit.record(actor=PORTICO, verb=verb, subject=row)
    return row
