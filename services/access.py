"""The one gate in front of every change: ask permissions, refuse with their sentence."""

from models import Staff, StaffRole
from permissions import Actor, Decision, Permission, decide
from services.errors import NotAllowed, Refusal

LONGEST_TICKET = 60  # characters


def require(actor: Actor, permission: Permission) -> Decision:
    """The decision, when it allows; raises NotAllowed with the sentence that says why not."""
    decision = decide(actor, permission)
    if not decision:
        raise NotAllowed(decision.refusal)
    return decision


def must_prove(actor: Actor) -> bool:
    """Whether this actor changes people only with a ticket and after verifying who asks: support does."""
    return isinstance(actor, Staff) and actor.role is StaffRole.SUPPORT


def require_proof(*, ticket: str, identity_verified: bool) -> None:
    """Nothing where a ticket is named and it was verified who asks; raises Refusal at what is missing."""
    if not ticket.strip() or len(ticket) > LONGEST_TICKET:
        raise Refusal("Enter the ticket's number", field="ticket")
    if identity_verified is not True:
        raise Refusal("Verify first who is asking", field="identity_verified")
