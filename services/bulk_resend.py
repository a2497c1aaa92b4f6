"""Sending the invitations of many partners again: first what would be done and what not, then doing it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import joinedload, raiseload

import clock
from models import Entity, EntityStatus, Invitation, InvitationStatus, OrganizationStatus, db
from permissions import Actor, Permission
from services import invitations
from services.access import require
from services.errors import Refusal
from services.transaction import transaction

#: More partners than this are never taken at once.
MOST = 100


@dataclass(frozen=True)
class Line:
    """A partner and what happens to it: an invitation that is sent again, or why nothing is."""

    entity: Entity
    invitation: Invitation | None
    text: str

    @property
    def will(self) -> bool:
        return self.invitation is not None


def plan(*, actor: Actor, entity_ids: Sequence[int]) -> list[Line]:
    """What would be done for these partners, in the order of their names: two statements.

    Raises NotAllowed.
    """
    require(actor, Permission.RENEW_INVITATIONS)
    entities = db.session.scalars(
        select(Entity)
        .where(Entity.id.in_(entity_ids[:MOST]))
        .options(joinedload(Entity.organization), raiseload("*"))
        .order_by(Entity.name, Entity.id)
    ).all()
    newest: dict[tuple[int, str], Invitation] = {}
    for invitation in db.session.scalars(
        select(Invitation)
        .where(Invitation.entity_id.in_([entity.id for entity in entities]))
        .options(raiseload("*"))
        .order_by(Invitation.id)
    ):
        newest[invitation.entity_id, invitation.email_canonical] = invitation
    lines = []
    for entity in entities:
        theirs = [one for (number, _email), one in newest.items() if number == entity.id]
        lines += _lines(entity, theirs)
    return lines


def _lines(entity: Entity, newest: list[Invitation]) -> list[Line]:
    if entity.organization.status is OrganizationStatus.SUSPENDED:
        return [Line(entity, None, "its organization is suspended")]
    if entity.status in {EntityStatus.SUSPENDED, EntityStatus.OFFBOARDED}:
        return [Line(entity, None, f"it is {entity.status.value}")]
    open_ones = [one for one in newest if one.status in {InvitationStatus.PENDING, InvitationStatus.EXPIRED}]
    if not open_ones:
        is_active = entity.status is EntityStatus.ACTIVE
        return [Line(entity, None, "it is already active" if is_active else "nobody is invited")]
    return [Line(entity, one, _text(one)) for one in open_ones]


def _text(invitation: Invitation) -> str:
    if invitation.state(clock.now()) is InvitationStatus.EXPIRED:
        return "has expired: works for seven days again"
    return "works until the same day"


def run(*, actor: Actor, lines: Sequence[Line]) -> list[tuple[Line, str]]:
    """Send each again in a transaction of its own; with each line why it was not done, "" where it was."""
    report = []
    for line in lines:
        if line.invitation is None:
            continue
        problem = ""
        try:
            with transaction():
                invitations.resend(actor=actor, invitation=line.invitation)
        except Refusal as refusal:
            problem = str(refusal)
        report.append((line, problem))
    return report
