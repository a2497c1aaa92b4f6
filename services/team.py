"""A team: who belongs to an entity, in which role, with what on top of it, and until when.

Nobody grants what they lack, nobody changes their own role, and a partner's last principal stays.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import contains_eager, raiseload

import clock
from language import _, _l
from models import Affiliation, Entity, PartnerRole, Person, db
from permissions import PARTNER_PERMISSIONS as EVERYTHING
from permissions import (
    Actor,
    Contact,
    Permission,
    Scope,
    allowed,
    granted,
    read_overrides,
)
from services import audit, mail, partners
from services.access import must_prove, require, require_proof
from services.errors import IllegalMove, NotAllowed, NotFound, Refusal
from services.transaction import locked

#: How far scopes reach, the least first.
_REACH = (None, Scope.STATUS_ONLY, Scope.OWN, Scope.ENTITY, Scope.ALL)


class Row(NamedTuple):
    """A line of a table of contacts."""

    person: Person
    affiliation: Affiliation
    last_seen_at: datetime | None


# MARK: See


def contacts_of(entity: Entity, *, with_ended: bool = False) -> list[Row]:
    """Everybody of the entity by name, those who left last and only where they are asked for."""
    query = (
        select(Affiliation)
        .join(Affiliation.person)
        .where(Affiliation.entity_id == entity.id)
        .order_by(Affiliation.ended_at.is_not(None), Person.full_name, Person.email_canonical, Affiliation.id)
        .options(contains_eager(Affiliation.person), raiseload("*"))
    )
    if not with_ended:
        query = query.where(_still_here())
    rows = db.session.scalars(query)
    return [Row(row.person, row, row.person.last_seen_at) for row in rows]


def principals_of(entity: Entity) -> list[Row]:
    """The principals who can act now, by name."""
    return [
        row
        for row in contacts_of(entity)
        if row.affiliation.role is PartnerRole.PRINCIPAL and row.person.is_active
    ]


def team_of(contact: Contact) -> list[Row]:
    """The contact's own team. Raises NotAllowed for who may not see it."""
    require(contact, Permission.VIEW_TEAM)
    return contacts_of(contact.entity)


def find_affiliation(*, actor: Actor, affiliation_id: int) -> Affiliation:
    """The contact, where this actor may see them: staff who read partners, their own team.

    Raises NotFound.
    """
    affiliation = db.session.get(Affiliation, affiliation_id)
    if affiliation is None:
        raise NotFound
    if isinstance(actor, Contact):
        seen = affiliation.entity_id == actor.entity.id and allowed(actor, Permission.VIEW_TEAM)
    else:
        seen = allowed(actor, Permission.READ_PARTNERS)
    if not seen:
        raise NotFound
    return affiliation


def grantable_roles(actor: Actor) -> list[PartnerRole]:
    """The roles that this actor may give to others: with us all, at a partner those within their own."""
    return [role for role in PartnerRole if not isinstance(actor, Contact) or not _beyond(actor, role, {})]


def is_last_principal(affiliation: Affiliation) -> bool:
    """Whether nobody else could run the team; the entity is locked by whoever acts on the answer."""
    if not _runs_team(affiliation):
        return False
    return not any(
        row.affiliation.id != affiliation.id and _runs_team(row.affiliation)
        for row in principals_of(affiliation.entity)
    )


def _runs_team(affiliation: Affiliation) -> bool:
    return (
        affiliation.role is PartnerRole.PRINCIPAL
        and (affiliation.permissions or {}).get(Permission.MANAGE_TEAM.value) is not False
    )


def _still_here() -> Any:
    return Affiliation.ended_at.is_(None) & (
        Affiliation.valid_until.is_(None) | (Affiliation.valid_until > clock.now())
    )


# MARK: Change


def change_role(
    *,
    actor: Actor,
    affiliation: Affiliation,
    role: PartnerRole | str,
    reason: str = "",
    ticket: str = "",
    identity_verified: bool = False,
) -> Affiliation:
    """Give a contact another role, from their next request on, and tell them.

    Raises NotAllowed (not theirs to do, their own role, a role beyond theirs), NotFound, IllegalMove for
    somebody who left or the last principal, Refusal (role, reason, ticket, identity_verified).
    """
    role = read_role(role)
    affiliation = _lock_to_change(actor, affiliation, reason, ticket, identity_verified)
    before = affiliation.role
    if role is before:
        return affiliation
    refuse_ungrantable(actor, role)
    if role is not PartnerRole.PRINCIPAL:
        _keep_last_principal(actor, affiliation)
    affiliation.role = role
    facts: dict[str, Any] = {"before": before.value, "after": role.value}
    audit.record(
        actor=actor,
        verb="contact.role_changed",
        subject=affiliation,
        reason=reason,
        **facts,
        **_proof(ticket),
    )
    mail.queue("contact.role_changed", to=affiliation.person, entity=affiliation.entity, **facts)
    return affiliation


def change_overrides(
    *,
    actor: Actor,
    affiliation: Affiliation,
    overrides: Mapping[str, Any],
    reason: str,
    ticket: str = "",
    identity_verified: bool = False,
) -> Affiliation:
    """Replace what is granted or taken away on top of a contact's role.

    Raises what `change_role` raises; Refusal (overrides) for an unknown permission or anything but true
    and false.
    """
    try:
        wanted = read_overrides(overrides)
    except ValueError as error:
        raise Refusal(
            _("This is no set of permissions: %(problem)s", problem=error), field="overrides"
        ) from error
    affiliation = _lock_to_change(actor, affiliation, reason, ticket, identity_verified)
    before = dict(affiliation.permissions or {})
    if wanted == before:
        return affiliation
    if isinstance(actor, Contact) and _beyond(actor, affiliation.role, wanted, already=affiliation):
        raise NotAllowed(_l("You cannot grant what you may not do yourself."))
    if wanted.get(Permission.MANAGE_TEAM.value) is False:
        _keep_last_principal(actor, affiliation)
    affiliation.permissions = wanted
    audit.record(
        actor=actor,
        verb="contact.overrides_changed",
        subject=affiliation,
        reason=reason,
        **_proof(ticket),
    )
    return affiliation


def end(
    *,
    actor: Actor,
    affiliation: Affiliation,
    reason: str = "",
    ticket: str = "",
    identity_verified: bool = False,
) -> Affiliation:
    """End a contact's place in the team, from their next request on, and tell them.

    Raises what `change_role` raises.
    """
    affiliation = _lock_to_change(actor, affiliation, reason, ticket, identity_verified)
    _keep_last_principal(actor, affiliation)
    affiliation.ended_at = clock.now()
    affiliation.is_primary = False
    audit.record(actor=actor, verb="contact.ended", subject=affiliation, reason=reason, **_proof(ticket))
    mail.queue("contact.ended", to=affiliation.person, entity=affiliation.entity)
    return affiliation


# MARK: What every change checks


def read_role(role: PartnerRole | str) -> PartnerRole:
    """The role by its exact name. Raises Refusal (role)."""
    try:
        return PartnerRole(role)
    except ValueError:
        raise Refusal(_l("Select a role"), field="role") from None


def refuse_ungrantable(actor: Actor, role: PartnerRole) -> None:
    """Nobody at a partner gives a role that may more than they do. Raises NotAllowed."""
    if isinstance(actor, Contact) and _beyond(actor, role, {}):
        raise NotAllowed(_l("You cannot give a role that may do more than yours."))


def _beyond(
    actor: Contact, role: PartnerRole, overrides: Mapping[str, bool], already: Affiliation | None = None
) -> bool:
    """Whether role and overrides grant anything that reaches further than what the actor holds.

    What `already` grants is no new grant.
    """
    wanted = Affiliation(role=role, permissions=dict(overrides), entity=actor.entity)
    for permission in EVERYTHING:
        reach = _reach(wanted, permission)
        if already is not None and reach <= _reach(already, permission):
            continue
        if reach > _reach(actor.affiliation, permission):
            return True
    return False


def _reach(affiliation: Affiliation, permission: Permission) -> int:
    return _REACH.index(granted(affiliation, permission)[0])


def _lock_to_change(
    actor: Actor, affiliation: Affiliation, reason: str, ticket: str, identity_verified: bool
) -> Affiliation:
    """The contact as they are now, locked behind their entity, once the actor may change them."""
    if isinstance(actor, Contact):
        if affiliation.entity_id != actor.entity.id:
            raise NotFound
        require(actor, Permission.MANAGE_TEAM)
        if affiliation.partner_user_id == actor.person.id:
            raise NotAllowed(_l("Nobody changes their own place in the team. Another principal can."))
    else:
        require(actor, Permission.EDIT_AFFILIATIONS)
    if must_prove(actor):
        if not reason.strip():
            raise Refusal("Enter the reason", field="reason")
        require_proof(ticket=ticket, identity_verified=identity_verified)
    partners.lock_entity(affiliation.entity_id)
    if isinstance(actor, Contact):
        # What the actor may is asked again behind the lock: of two who act on each other, one is too late.
        db.session.refresh(actor.affiliation, ["role", "permissions", "ended_at", "valid_until"])
        require(actor, Permission.MANAGE_TEAM)
    affiliation = locked(Affiliation, affiliation.id)
    if not affiliation.is_live(clock.now()):
        raise IllegalMove(_l("This person's access has ended already."))
    return affiliation


def _proof(ticket: str) -> dict[str, Any]:
    return {"ticket": ticket.strip()} if ticket.strip() else {}


def _keep_last_principal(actor: Actor, affiliation: Affiliation) -> None:
    if isinstance(actor, Contact) and is_last_principal(affiliation):
        raise IllegalMove(
            _l("This is the last principal of the team. Make somebody else principal first, or ask us.")
        )
