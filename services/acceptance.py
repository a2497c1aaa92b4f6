"""How an invitation is accepted: the person is made or found, the place added, the entity opened, once."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

import clock
from language import _l
from models import (
    Affiliation,
    Entity,
    EntityStatus,
    Invitation,
    InvitationStatus,
    OnboardingStatus,
    PartnerRole,
    Person,
    Staff,
    db,
)
from permissions import Contact, System
from services import audit, mail, partner_moves, team
from services.errors import Gone, Refusal
from services.invitation_moves import ENDED, check_open, lock, move
from services.transaction import held


def accept(*, invitation: Invitation, email_canonical: str) -> Contact:
    """Take the offer, proven by the mailbox: the person is made or found, the place added, the entity opened.

    In the transaction that spends the link. Accepting again, at the same moment or later, gives the
    same person and place. Raises Gone with its cause, and Refusal (email) for another address.
    """
    entity, invitation = lock(invitation)
    if email_canonical != invitation.email_canonical:
        raise Refusal(_l("Use the address the invitation was sent to"), field="email")
    if invitation.status is InvitationStatus.ACCEPTED:
        return _accepted_before(invitation)
    check_open(invitation)
    person, is_new = _person_for(invitation)
    if not person.is_active:
        raise Gone(_l("Link not valid"), cause="revoked")
    affiliation, is_added = _place_for(person, entity, invitation.role)
    contact = Contact(person, affiliation)
    move(invitation, "accept")
    invitation.accepted_at = clock.now()
    invitation.accepted_by_id = person.id
    entity.last_activity_at = clock.now()
    audit.record(
        actor=contact,
        verb="invitation.accepted",
        subject=invitation,
        person=person,
        role=invitation.role.value,
    )
    if is_new:
        audit.record(actor=contact, verb="person.created", subject=person)
    if is_added:
        audit.record(actor=contact, verb="contact.added", subject=affiliation, role=affiliation.role.value)
    if entity.onboarding_status is OnboardingStatus.NOT_STARTED:
        entity.onboarding_status = OnboardingStatus.IN_PROGRESS
        if entity.status is not EntityStatus.PENDING:  # else being activated tells it
            audit.record(actor=contact, verb="entity.changed", subject=entity)
    partner_moves.activate(actor=contact, entity=entity)
    _tell(contact, invitation)
    return contact


def _accepted_before(invitation: Invitation) -> Contact:
    affiliation = db.session.scalar(
        select(Affiliation).where(
            Affiliation.partner_user_id == invitation.accepted_by_id,
            Affiliation.entity_id == invitation.entity_id,
            Affiliation.ended_at.is_(None),
        )
    )
    if affiliation is None:
        cause, sentence = ENDED[InvitationStatus.ACCEPTED]
        raise Gone(sentence, cause=cause)
    return Contact(affiliation.person, affiliation)


def _person_for(invitation: Invitation) -> tuple[Person, bool]:
    """Whoever has the address, locked; made where nobody has. Two at once make one."""
    theirs = held(select(Person).where(Person.email_canonical == invitation.email_canonical))
    person = db.session.scalar(theirs)
    if person is not None:
        return person, False
    try:
        with db.session.begin_nested():
            person = Person(
                email=invitation.email, email_canonical=invitation.email_canonical, locale=invitation.locale
            )
            db.session.add(person)
            db.session.flush()
    except IntegrityError:  # somebody accepted another invitation of theirs just now
        return db.session.scalars(theirs).one(), False
    return person, True


def _place_for(person: Person, entity: Entity, role: PartnerRole) -> tuple[Affiliation, bool]:
    """Their place in the entity; an existing one stays as it is, one that ran out gives way."""
    places = select(Affiliation).where(
        Affiliation.partner_user_id == person.id, Affiliation.ended_at.is_(None)
    )
    current = db.session.scalars(held(places)).all()
    here = next((one for one in current if one.entity_id == entity.id), None)
    if here is not None:
        if here.is_live(clock.now()):
            return here, False
        here.ended_at = clock.now()
        here.is_primary = False
        audit.record(actor=System(), verb="contact.ended", subject=here)
        db.session.flush()
    affiliation = Affiliation(
        person=person,
        entity=entity,
        role=role,
        permissions={},
        is_primary=not any(one.is_primary for one in current if one.ended_at is None),
    )
    db.session.add(affiliation)
    db.session.flush()
    return affiliation, True


def _tell(contact: Contact, invitation: Invitation) -> None:
    """Mail whoever invited, and the principals of the team, that somebody joined."""
    facts: dict[str, Any] = {"who": contact.name, "role": contact.affiliation.role.value}
    told: list[Person | Staff] = [row.person for row in team.principals_of(contact.entity)]
    if invitation.invited_by_person_id is not None:
        told.append(db.session.get_one(Person, invitation.invited_by_person_id))
    for person in {one.id: one for one in told if one.id != contact.person.id}.values():
        mail.queue("invitation.accepted", to=person, entity=contact.entity, **facts)
    if invitation.invited_by_staff_id is not None:
        inviter = db.session.get_one(Staff, invitation.invited_by_staff_id)
        if inviter.is_active:
            mail.queue("invitation.accepted", to=inviter, entity=contact.entity, **facts)
