"""What the page of a partner shows: its contacts, its invitations with the fate of their mail, its kin.

Every function is a fixed number of statements, however many rows it gives, and gives at most MOST.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Select, and_, bindparam, func, or_, select, true
from sqlalchemy.orm import joinedload, raiseload

import clock
from models import (
    Affiliation,
    AuthEvent,
    Entity,
    EntityKind,
    EntityStatus,
    Invitation,
    InvitationStatus,
    Mail,
    MailStatus,
    Moment,
    OnboardingStatus,
    PartnerRole,
    Person,
    SignInLink,
    db,
)
from services.errors import NotFound

MOST = 200
#: A partner that was not activated for so long needs someone.
STUCK = timedelta(days=7)
#: An invitation that expires within this time is worth a word.
EXPIRING = timedelta(hours=48)

# MARK: The people of a partner


def contacts_of(
    entity: Entity, *, with_ended: bool = False, limit: int = MOST, offset: int = 0
) -> list[Affiliation]:
    """The entity's affiliations with their persons, live ones first, principals before others."""
    ended = and_(Affiliation.ended_at.is_(None)) if not with_ended else and_(Affiliation.id > 0)
    statement = (
        select(Affiliation)
        .where(Affiliation.entity_id == entity.id, ended)
        .options(joinedload(Affiliation.person), raiseload("*"))
        .order_by(
            Affiliation.ended_at.is_not(None),
            Affiliation.role != PartnerRole.PRINCIPAL,
            Affiliation.created_at,
            Affiliation.id,
        )
        .limit(limit)
        .offset(offset)
    )
    return list(db.session.scalars(statement))


def find_contact(entity: Entity, affiliation_id: int) -> Affiliation:
    """One contact of that entity with person, entity and organization. Raises NotFound."""
    affiliation = db.session.scalar(
        select(Affiliation)
        .where(Affiliation.id == affiliation_id, Affiliation.entity_id == entity.id)
        .options(
            joinedload(Affiliation.person), joinedload(Affiliation.entity).joinedload(Entity.organization)
        )
    )
    if affiliation is None:
        raise NotFound
    return affiliation


class Counts(NamedTuple):
    """What the tabs and the strip of a partner's page count."""

    contacts: int
    principals: int
    waiting: int  #: invitations that are pending
    overdue: int  #: of those, past their expiry
    invitations: int
    last_seen_at: datetime | None


def counts_of(entity: Entity) -> Counts:
    """All counts of a partner's page in one statement."""
    row = db.session.execute(_counts(), {"entity": entity.id, "now": clock.now()}).one()
    return Counts(*row)


@cache
def _counts() -> Select[Any]:
    """Built once: every tab of every partner asks it."""
    entity, now = bindparam("entity", type_=BigInteger), bindparam("now", type_=Moment)
    live = and_(
        Affiliation.entity_id == entity,
        Affiliation.ended_at.is_(None),
        or_(Affiliation.valid_until.is_(None), Affiliation.valid_until > now),
    )
    pending = Invitation.status == InvitationStatus.PENDING
    people = (
        select(
            func.count().label("contacts"),
            func.count().filter(Affiliation.role == PartnerRole.PRINCIPAL).label("principals"),
            func.max(Person.last_seen_at).label("seen"),
        )
        .select_from(Affiliation)
        .join(Affiliation.person)
        .where(live)
        .subquery()
    )
    invited = (
        select(
            func.count().filter(pending).label("waiting"),
            func.count().filter(pending, Invitation.expires_at <= now).label("overdue"),
            func.count().label("every"),
        )
        .where(Invitation.entity_id == entity)
        .subquery()
    )
    return select(
        people.c.contacts,
        people.c.principals,
        invited.c.waiting,
        invited.c.overdue,
        invited.c.every,
        people.c.seen,
    ).join_from(people, invited, true())


# MARK: Invitations and their mail


@dataclass(frozen=True)
class Fate:
    """How far an invitation's mail came: queued, sending, sent, failed, opened, accepted, or none."""

    step: str
    at: datetime | None = None
    error: str = ""


@dataclass(frozen=True)
class Invited:
    """An invitation with the fate of its mail."""

    invitation: Invitation
    fate: Fate


def invitations_of(
    entity: Entity, *, only_waiting: bool = False, limit: int = MOST, offset: int = 0
) -> list[Invited]:
    """The entity's invitations, newest first, each with the fate of its mail: three statements."""
    statement = (
        select(Invitation)
        .where(Invitation.entity_id == entity.id)
        .options(raiseload("*"))
        .order_by(Invitation.id.desc())
        .limit(limit)
        .offset(offset)
    )
    if only_waiting:
        statement = statement.where(Invitation.status == InvitationStatus.PENDING)
    invitations = list(db.session.scalars(statement))
    fates = fates_of(invitations)
    return [Invited(invitation, fates[invitation.id]) for invitation in invitations]


def find_invited(entity: Entity, invitation_id: int) -> Invited:
    """One invitation of that entity with the fate of its mail. Raises NotFound."""
    invitation = db.session.scalar(
        select(Invitation)
        .where(Invitation.id == invitation_id, Invitation.entity_id == entity.id)
        .options(joinedload(Invitation.entity).joinedload(Entity.organization))
    )
    if invitation is None:
        raise NotFound
    return Invited(invitation, fates_of([invitation])[invitation.id])


def successor_of(invitation: Invitation) -> Invitation | None:
    """The invitation that replaced this one."""
    return db.session.scalar(
        select(Invitation).where(
            Invitation.entity_id == invitation.entity_id, Invitation.replaces_id == invitation.id
        )
    )


def fates_of(invitations: list[Invitation]) -> dict[int, Fate]:
    """How far the mail of each invitation came: the newest mail, and whether its link was opened."""
    if not invitations:
        return {}
    numbers = [invitation.id for invitation in invitations]
    newest = select(func.max(Mail.id)).where(Mail.invitation_id.in_(numbers)).group_by(Mail.invitation_id)
    mails = {
        row.invitation_id: row
        for row in db.session.execute(
            select(Mail.invitation_id, Mail.status, Mail.sent_at, Mail.created_at, Mail.last_error).where(
                Mail.id.in_(newest)
            )
        )
    }
    looked = db.session.execute(
        select(SignInLink.invitation_id, func.max(AuthEvent.created_at).label("at"))
        .join(AuthEvent, AuthEvent.sign_in_link_id == SignInLink.id)
        .where(
            SignInLink.invitation_id.in_(numbers),
            AuthEvent.email_canonical.in_({invitation.email_canonical for invitation in invitations}),
            AuthEvent.kind == "link_opened",
        )
        .group_by(SignInLink.invitation_id)
    )
    opened = {row.invitation_id: row.at for row in looked}
    return {invitation.id: _fate(invitation, mails.get(invitation.id), opened) for invitation in invitations}


def _fate(invitation: Invitation, mail: object, opened: dict[int, datetime]) -> Fate:
    if invitation.status is InvitationStatus.ACCEPTED:
        return Fate("accepted", invitation.accepted_at)
    if invitation.id in opened:
        return Fate("opened", opened[invitation.id])
    if mail is None:
        return Fate("none")
    status: MailStatus = mail.status  # type: ignore[attr-defined]
    at = mail.sent_at or mail.created_at  # type: ignore[attr-defined]
    return Fate(status.value, at, mail.last_error if status is MailStatus.FAILED else "")  # type: ignore[attr-defined]


# MARK: The organization


class Kin(NamedTuple):
    """An entity as the tree of its organization shows it."""

    id: int
    name: str
    kind: EntityKind
    status: EntityStatus
    onboarding_status: OnboardingStatus


def kin_of(entity: Entity, *, limit: int = 50) -> list[Kin]:
    """The entities of the same organization by name, this one among them."""
    columns = (Entity.id, Entity.name, Entity.kind, Entity.status, Entity.onboarding_status)
    rows = db.session.execute(
        select(*columns)
        .where(Entity.organization_id == entity.organization_id)
        .order_by(Entity.name)
        .limit(limit + 1)
    )
    return [Kin(*row) for row in rows]
