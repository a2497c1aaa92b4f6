"""Organizations and their entities: find, create, change. Their moves of state: partner_moves.py."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload, raiseload

import clock
from language import LazyString, _, _l
from models import (
    DealVisibility,
    Entity,
    EntityKind,
    EntityStatus,
    OnboardingStatus,
    Organization,
    OrganizationKind,
    OrganizationStatus,
    School,
    db,
)
from permissions import Actor, Contact, Permission
from services import audit
from services.access import require
from services.errors import NotFound, Refusal, Stale
from services.names import fold, read_domain, read_website, similar_organizations
from services.transaction import locked

__all__ = ["fold", "similar_organizations"]  # beside what is defined below: one drawer for partners

LONGEST_NAME = 200
LONGEST_DESCRIPTION = 4000

# MARK: Who may see what


def find_entity(*, actor: Actor, entity_id: int) -> Entity:
    """The entity with its organization and school, for those who may read it.

    Raises NotAllowed for staff without the right; NotFound for all else.
    """
    if isinstance(actor, Contact):
        if actor.entity.id != entity_id:
            raise NotFound
        return actor.entity
    require(actor, Permission.READ_PARTNERS)
    entity = db.session.scalar(
        select(Entity)
        .options(joinedload(Entity.organization), joinedload(Entity.school), raiseload("*"))
        .where(Entity.id == entity_id)
    )
    if entity is None:
        raise NotFound
    return entity


def find_organization(*, actor: Actor, organization_id: int) -> Organization:
    """The organization, for staff who may read partners. Raises NotAllowed, NotFound."""
    require(actor, Permission.READ_PARTNERS)
    organization = db.session.get(Organization, organization_id)
    if organization is None:
        raise NotFound
    return organization


# MARK: Creating


def create(
    *,
    actor: Actor,
    organization: Organization | None,
    entity_name: str,
    entity_kind: EntityKind,
    organization_name: str = "",
    organization_kind: OrganizationKind | None = None,
    organization_domain: str = "",
    school_id: int | None = None,
    is_separate: bool = False,
) -> Entity:
    """Make an entity in that organization, or in a new one of that name.

    `is_separate` says that an organization of the same folded name is a different one.
    Raises NotAllowed; Refusal with the field that is missing, taken or unknown.
    """
    require(actor, Permission.EDIT_PARTNERS)
    if organization is None:
        organization = _create_organization(
            actor=actor,
            name=organization_name,
            kind=organization_kind,
            domain=organization_domain,
            is_separate=is_separate,
        )
    else:
        organization = lock_organization(organization.id)
        if organization.status is not OrganizationStatus.ACTIVE:
            raise Refusal(
                _("%(name)s is suspended. Resume it first.", name=organization.name), field="organization_id"
            )
    name = _read_name(entity_name, field="entity_name", missing=_l("Enter the name of the entity"))
    _refuse_taken_name(organization, name, field="entity_name")
    entity = Entity(
        organization=organization,
        name=name,
        kind=entity_kind,
        school=_school(school_id),
        status=EntityStatus.PENDING,
    )
    db.session.add(entity)
    db.session.flush()
    audit.record(actor=actor, verb="entity.created", subject=entity)
    return entity


def _create_organization(
    *, actor: Actor, name: str, kind: OrganizationKind | None, domain: str, is_separate: bool
) -> Organization:
    name = _read_name(name, field="organization_name", missing=_l("Enter the name of the organization"))
    if kind is None:
        raise Refusal(_("Select the type of the organization"), field="organization_kind")
    key = fold(name)
    if not is_separate and db.session.scalar(
        select(Organization.id).where(Organization.name_key == key).limit(1)
    ):
        raise Refusal(
            _("This organization exists already. Use it, or say that this is a different one."),
            field="organization_name",
        )
    organization = Organization(
        name=name, name_key=key, kind=kind, domain=read_domain(domain, field="organization_domain")
    )
    db.session.add(organization)
    db.session.flush()
    audit.record(actor=actor, verb="organization.created", subject=organization)
    return organization


# MARK: Changing


def change_organization(
    *,
    actor: Actor,
    organization: Organization,
    version: int,
    name: str,
    kind: OrganizationKind,
    domain: str = "",
) -> Organization:
    """Change what the organization is called and is. `version` is the one the form was made from.

    Raises NotAllowed, Stale, Refusal.
    """
    require(actor, Permission.EDIT_PARTNERS)
    organization = lock_organization(organization.id)
    _refuse_stale(organization.version, version)
    organization.name = _read_name(name, field="name", missing=_l("Enter the name of the organization"))
    organization.name_key = fold(organization.name)
    organization.kind = kind
    organization.domain = read_domain(domain, field="domain")
    _record_if_changed(actor, "organization.changed", organization)
    return organization


def change_entity(
    *,
    actor: Actor,
    entity: Entity,
    version: int,
    name: str,
    kind: EntityKind,
    school_id: int | None,
    show_in_app: bool,
    deal_visibility: DealVisibility,
    description: str = "",
    website: str = "",
    address: str = "",
) -> Entity:
    """Change the entity. `version` is the one the form was made from.

    Raises NotAllowed, Stale, Refusal.
    """
    require(actor, Permission.EDIT_PARTNERS)
    entity = lock_entity(entity.id)
    _refuse_stale(entity.version, version)
    name = _read_name(name, field="name", missing=_l("Enter the name of the entity"))
    if fold(name) != fold(entity.name):
        _refuse_taken_name(entity.organization, name, field="name")
    before, school = entity.school, _school(school_id)
    entity.name = name
    entity.kind = kind
    entity.school = school
    entity.show_in_app = show_in_app
    entity.deal_visibility = deal_visibility
    _write_profile(entity, description=description, website=website, address=address)
    facts = {"school_id": [str(before or ""), str(school or "")]} if before is not school else {}
    _record_if_changed(actor, "entity.changed", entity, **facts)
    return entity


def complete_entity_profile(
    *, actor: Contact, description: str, website: str, address: str, show_in_app: bool
) -> Entity:
    """The principal's part of the profile setup: what others may read about the entity.

    With the principal's own profile complete, onboarding is completed. Raises NotAllowed, Refusal.
    """
    require(actor, Permission.EDIT_ENTITY)
    entity = lock_entity(actor.entity.id)
    is_first = entity.onboarding_status is not OnboardingStatus.COMPLETED
    _write_profile(entity, description=description, website=website, address=address)
    entity.show_in_app = show_in_app
    if actor.person.profile_completed_at is not None:
        entity.onboarding_status = OnboardingStatus.COMPLETED
    elif is_first:
        entity.onboarding_status = OnboardingStatus.IN_PROGRESS
    entity.last_activity_at = clock.now()
    verb = "entity.profile_completed" if is_first else "entity.changed"
    _record_if_changed(actor, verb, entity)
    return entity


def _write_profile(entity: Entity, *, description: str, website: str, address: str) -> None:
    description, address = description.strip(), address.strip()
    if len(description) > LONGEST_DESCRIPTION:
        raise Refusal(
            _("Description must be %(count)s characters or fewer", count=LONGEST_DESCRIPTION),
            field="description",
        )
    if len(address) > 500:
        raise Refusal(_("Address must be %(count)s characters or fewer", count=500), field="address")
    entity.description = description
    entity.website = read_website(website, field="website")
    entity.address = address


# MARK: What every change checks


def lock_entity(entity_id: int) -> Entity:
    """The entity as it is now, held until the transaction ends. Raises NotFound."""
    return locked(Entity, entity_id)


def lock_organization(organization_id: int) -> Organization:
    """The organization as it is now, held until the transaction ends. Raises NotFound."""
    return locked(Organization, organization_id)


def _refuse_stale(now: int, then: int) -> None:
    if now != then:
        raise Stale(_l("Somebody else changed this in the meantime. Nothing was saved."))


def _read_name(name: str, *, field: str, missing: LazyString) -> str:
    name = " ".join(name.split())
    if not name:
        raise Refusal(missing, field=field)
    if len(name) > LONGEST_NAME:
        raise Refusal(_("The name must be %(count)s characters or fewer", count=LONGEST_NAME), field=field)
    return name


def _refuse_taken_name(organization: Organization, name: str, *, field: str) -> None:
    key = fold(name)
    names = db.session.scalars(select(Entity.name).where(Entity.organization_id == organization.id))
    if any(fold(other) == key for other in names):
        raise Refusal(
            _("%(organization)s already has an entity of this name", organization=organization.name),
            field=field,
        )


def _school(school_id: int | None) -> School | None:
    if school_id is None:
        return None
    school = db.session.get(School, school_id)
    if school is None:
        raise Refusal(_("Select a school from the list"), field="school_id")
    return school


def _record_if_changed(actor: Actor, verb: str, row: Entity | Organization, **facts: Any) -> None:
    if db.session.is_modified(row):
        audit.record(actor=actor, verb=verb, subject=row, **facts)
