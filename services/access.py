"""The one gate in front of every change: ask permissions, refuse with their sentence."""

from permissions import Actor, Decision, Permission, decide
from services.errors import NotAllowed


def require(actor: Actor, permission: Permission) -> Decision:
    """The decision, when it allows; raises NotAllowed with the sentence that says why not."""
    decision = decide(actor, permission)
    if not decision:
        raise NotAllowed(decision.refusal)
    return decision
