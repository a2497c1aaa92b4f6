"""A partner's first step with us: organization, entity and first administrator in one change."""

from typing import Any

from models import Entity, Invitation, PartnerRole
from permissions import Actor
from services import partners, people
from services.errors import Refusal


def onboard(
    *,
    actor: Actor,
    admin_email: str = "",
    admin_role: PartnerRole = PartnerRole.PRINCIPAL,
    days: int = 7,
    send: bool = True,
    **partner: Any,
) -> tuple[Entity, Invitation | None]:
    """Create the partner and, with an address, invite its first administrator: both or neither.

    Raises what `partners.create` and `people.invite` raise, the latter's for the field admin_email.
    """
    entity = partners.create(actor=actor, **partner)
    if not admin_email:
        return entity, None
    try:
        invitation = people.invite(
            actor=actor, entity=entity, email=admin_email, role=admin_role, days=days, send=send
        )
    except Refusal as refusal:
        if refusal.field == "email":
            refusal.field = "admin_email"
        raise
    return entity, invitation
