"""The life of an invitation: its states, what leads from one to the next, and who may lead it there.

Rows are locked in the same order everywhere: entity, invitation, person.
"""

from typing import NamedTuple

import clock
from language import LazyString, _l
from models import (
    Entity,
    EntityStatus,
    Invitation,
    InvitationStatus,
    OrganizationStatus,
    db,
)
from permissions import Actor, Contact, Permission, allowed
from services import partners
from services.errors import Gone, IllegalMove
from services.transaction import locked


class Move(NamedTuple):
    """A change of state: from which states, to which, and who may make it with us."""

    sources: frozenset[InvitationStatus]
    target: InvitationStatus
    permission: Permission | None


S = InvitationStatus
#: Every change of an invitation's status; buttons, refusals and tests come from here.
MOVES: dict[str, Move] = {
    "accept": Move(frozenset({S.PENDING}), S.ACCEPTED, None),
    "expire": Move(frozenset({S.PENDING}), S.EXPIRED, None),
    "revoke": Move(frozenset({S.PENDING}), S.REVOKED, Permission.CREATE_INVITATIONS),
    "resend": Move(frozenset({S.PENDING, S.EXPIRED}), S.SUPERSEDED, Permission.RENEW_INVITATIONS),
    "renew": Move(frozenset({S.PENDING, S.EXPIRED}), S.SUPERSEDED, Permission.RENEW_INVITATIONS),
}
#: What a link or code of an invitation that is over answers, by its state.
ENDED: dict[InvitationStatus, tuple[str, LazyString]] = {
    S.ACCEPTED: ("used", _l("Link already used")),
    S.EXPIRED: ("expired", _l("Link expired")),
    S.SUPERSEDED: ("superseded", _l("Link not valid")),
    S.REVOKED: ("revoked", _l("Link not valid")),
}


def moves_of(*, actor: Actor, invitation: Invitation) -> list[str]:
    """What this actor may do with the invitation now, for the buttons."""
    state = invitation.state(clock.now())
    return [
        name
        for name, move in MOVES.items()
        if move.permission is not None
        and state in move.sources
        and _decide(actor, invitation.entity_id, move.permission)
    ]


def check_open(invitation: Invitation) -> None:
    """Nothing where the invitation can be accepted now.

    Raises Gone with its cause: used, expired, superseded or revoked.
    """
    state = invitation.state(clock.now())
    if state is not S.PENDING:
        cause, sentence = ENDED[state]
        raise Gone(sentence, cause=cause)
    if not is_enterable(invitation.entity):
        raise Gone(_l("Link not valid"), cause="revoked")


def is_enterable(entity: Entity) -> bool:
    """Whether an invitation to the entity may be accepted: it and its organization are not paused."""
    return (
        entity.status in {EntityStatus.PENDING, EntityStatus.ACTIVE}
        and entity.organization.status is OrganizationStatus.ACTIVE
    )


def _decide(actor: Actor, entity_id: int, permission: Permission) -> bool:
    if isinstance(actor, Contact):
        return actor.entity.id == entity_id and allowed(actor, Permission.MANAGE_TEAM)
    return allowed(actor, permission)


def lock(invitation: Invitation) -> tuple[Entity, Invitation]:
    """The invitation and its entity as they are now, held until the transaction ends."""
    entity = partners.lock_entity(invitation.entity_id)
    return entity, locked(Invitation, invitation.id)


def move(invitation: Invitation, name: str) -> None:
    """Lead the locked invitation on. Raises IllegalMove where its state does not allow that."""
    state = invitation.state(clock.now())
    if state not in MOVES[name].sources:
        raise IllegalMove(
            {
                S.ACCEPTED: _l("This invitation was accepted in the meantime."),
                S.EXPIRED: _l("This invitation has expired. Renew it instead."),
                S.REVOKED: _l("This invitation was cancelled. Invite the person again."),
                S.SUPERSEDED: _l("This invitation was replaced by a newer one."),
                S.PENDING: _l("This invitation is open."),
            }[state]
        )
    end(invitation, name)


def end(invitation: Invitation, name: str) -> None:
    """Write down where the move leads, without asking the clock whether it is time."""
    invitation.status = MOVES[name].target
    if name == "accept":
        invitation.accepted_at = clock.now()
    else:
        invitation.ended_at = clock.now()
    db.session.flush()
