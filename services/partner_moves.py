"""The moves of a partner's state: which there are, who makes them, and what follows from one.

Buttons, refusals, audit verbs and tests all come from the two tables here.
"""

from typing import Any, NamedTuple

from sqlalchemy import select

import clock
from language import _
from models import (
    Entity,
    EntityStatus,
    Invitation,
    InvitationStatus,
    Organization,
    OrganizationStatus,
    db,
)
from permissions import Actor, Permission, allowed
from services import audit, invitations
from services.access import require
from services.errors import IllegalMove, NotFound, Refusal
from services.partners import lock_entity, lock_organization

LONGEST_REASON = 500


class Move(NamedTuple):
    """A change of state: from which states it may be made, where it leads, and its words."""

    sources: frozenset[Any]
    target: Any
    verb: str
    label: str


#: Every change of an entity's status; buttons, refusals and tests come from here.
MOVES: dict[str, Move] = {
    "activate": Move(frozenset({EntityStatus.PENDING}), EntityStatus.ACTIVE, "entity.activated", "Activate"),
    "suspend": Move(frozenset({EntityStatus.ACTIVE}), EntityStatus.SUSPENDED, "entity.suspended", "Suspend"),
    "resume": Move(frozenset({EntityStatus.SUSPENDED}), EntityStatus.ACTIVE, "entity.resumed", "Resume"),
    "offboard": Move(
        frozenset({EntityStatus.SUSPENDED}), EntityStatus.OFFBOARDED, "entity.offboarded", "Offboard"
    ),
}
#: Moves that staff make; the first accepted invitation activates by itself.
STAFF_MOVES = ("suspend", "resume", "offboard")

ORGANIZATION_MOVES: dict[str, Move] = {
    "suspend": Move(
        frozenset({OrganizationStatus.ACTIVE}),
        OrganizationStatus.SUSPENDED,
        "organization.suspended",
        "Suspend organization",
    ),
    "resume": Move(
        frozenset({OrganizationStatus.SUSPENDED}),
        OrganizationStatus.ACTIVE,
        "organization.resumed",
        "Resume organization",
    ),
}


def moves_of(*, actor: Actor, entity: Entity) -> list[str]:
    """The moves this actor may make now, for the buttons."""
    if not allowed(actor, Permission.EDIT_PARTNERS):
        return []
    return [name for name in STAFF_MOVES if entity.status in MOVES[name].sources]


def organization_moves_of(*, actor: Actor, organization: Organization) -> list[str]:
    """The moves of the organization that this actor may make now."""
    if not allowed(actor, Permission.EDIT_PARTNERS):
        return []
    return [name for name, move in ORGANIZATION_MOVES.items() if organization.status in move.sources]


def activate(*, actor: Actor, entity: Entity) -> Entity:
    """The first accepted invitation makes a pending entity active; on others nothing happens."""
    if entity.status in MOVES["activate"].sources:
        entity.status = MOVES["activate"].target
        entity.activated_at = clock.now()
        audit.record(actor=actor, verb="entity.activated", subject=entity)
    return entity


def move(*, actor: Actor, entity: Entity, name: str, reason: str) -> Entity:
    """Suspend, resume or offboard; offboarding also cancels the invitations that are open.

    Raises NotAllowed, NotFound for an unknown move, IllegalMove, Refusal without a reason.
    """
    require(actor, Permission.EDIT_PARTNERS)
    if name not in STAFF_MOVES:
        raise NotFound
    entity = lock_entity(entity.id)
    _move(MOVES[name], entity)
    audit.record(actor=actor, verb=MOVES[name].verb, subject=entity, reason=_read_reason(reason))
    if name == "offboard":
        _cancel_invitations(actor, entity)
    return entity


def move_organization(*, actor: Actor, organization: Organization, name: str, reason: str) -> Organization:
    """Suspend or resume the organization, and with it every entity when it is read.

    Raises NotAllowed, NotFound, IllegalMove, Refusal without a reason.
    """
    require(actor, Permission.EDIT_PARTNERS)
    if name not in ORGANIZATION_MOVES:
        raise NotFound
    organization = lock_organization(organization.id)
    _move(ORGANIZATION_MOVES[name], organization)
    audit.record(
        actor=actor, verb=ORGANIZATION_MOVES[name].verb, subject=organization, reason=_read_reason(reason)
    )
    return organization


def _move(move: Move, row: Entity | Organization) -> None:
    if row.status not in move.sources:
        raise IllegalMove(f"{row.name} is {row.status.value} now, so nothing was changed.")
    row.status = move.target


def _cancel_invitations(actor: Actor, entity: Entity) -> None:
    waiting = select(Invitation).where(
        Invitation.entity_id == entity.id, Invitation.status == InvitationStatus.PENDING
    )
    db.session.flush()  # locking the entity again below must not undo the move
    for invitation in db.session.scalars(waiting).all():
        invitations.revoke(actor=actor, invitation=invitation, reason="The partner was offboarded")


def _read_reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise Refusal(_("Enter the reason"), field="reason")
    if len(reason) > LONGEST_REASON:
        raise Refusal(
            _("The reason must be %(count)s characters or fewer", count=LONGEST_REASON), field="reason"
        )
    return reason
