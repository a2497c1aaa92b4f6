"""Who may: both role tables and the one function that answers with its reasons.

Partner roles and staff roles are two enums in two tables, so no row can turn a partner into staff.
`requires` and `public` mark a view and return it unwrapped; the door reads the mark, and a view
without one admits nobody.
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import clock
from language import LazyString, _l
from models import (
    Affiliation,
    DealVisibility,
    Entity,
    EntityStatus,
    OrganizationStatus,
    PartnerRole,
    Person,
    Staff,
    StaffRole,
)


class Permission(enum.StrEnum):
    """Everything that can be allowed; the first block at a partner, the second with us."""

    VIEW_DASHBOARD = "view_dashboard"
    VIEW_DEALS = "view_deals"
    VIEW_AMOUNTS = "view_amounts"
    SUBMIT_DEALS = "submit_deals"
    VIEW_DOCUMENTS = "view_documents"
    VIEW_QUESTIONS = "view_questions"
    ASK_QUESTIONS = "ask_questions"
    TAKE_TRAINING = "take_training"
    VIEW_ANALYTICS = "view_analytics"
    VIEW_TEAM = "view_team"
    MANAGE_TEAM = "manage_team"
    EDIT_ENTITY = "edit_entity"
    OPEN_TICKETS = "open_tickets"

    USE_DESK = "use_desk"
    READ_PARTNERS = "read_partners"
    EDIT_PARTNERS = "edit_partners"
    WRITE_NOTES = "write_notes"
    CREATE_INVITATIONS = "create_invitations"  # and revoke
    RENEW_INVITATIONS = "renew_invitations"  # and resend
    EDIT_AFFILIATIONS = "edit_affiliations"
    END_SESSIONS = "end_sessions"
    EDIT_RECORDS = "edit_records"
    EDIT_PEOPLE_RECORDS = "edit_people_records"
    READ_MAILS = "read_mails"
    RETRY_MAILS = "retry_mails"
    READ_STAFF = "read_staff"
    MANAGE_STAFF = "manage_staff"
    MANAGE_BRAND = "manage_brand"
    READ_AUDIT = "read_audit"
    VERIFY_AUDIT = "verify_audit"


P = Permission


class Scope(enum.StrEnum):
    """How far a permission reaches."""

    ALL = "all"
    ENTITY = "entity"
    OWN = "own"
    STATUS_ONLY = "status_only"


#: What each partner role grants and how far (the contract's table, section 2).
PARTNER_GRANTS: dict[PartnerRole, dict[Permission, Scope]] = {
    PartnerRole.PRINCIPAL: {
        P.VIEW_DASHBOARD: Scope.ENTITY,
        P.VIEW_DEALS: Scope.ENTITY,
        P.VIEW_AMOUNTS: Scope.ENTITY,
        P.SUBMIT_DEALS: Scope.ENTITY,
        P.VIEW_DOCUMENTS: Scope.ENTITY,
        P.VIEW_QUESTIONS: Scope.ENTITY,
        P.ASK_QUESTIONS: Scope.ENTITY,
        P.TAKE_TRAINING: Scope.ENTITY,
        P.VIEW_ANALYTICS: Scope.ENTITY,
        P.VIEW_TEAM: Scope.ENTITY,
        P.MANAGE_TEAM: Scope.ENTITY,
        P.EDIT_ENTITY: Scope.ENTITY,
        P.OPEN_TICKETS: Scope.ENTITY,
    },
    PartnerRole.SALESPERSON: {
        P.VIEW_DASHBOARD: Scope.ENTITY,
        P.VIEW_DEALS: Scope.OWN,
        P.VIEW_AMOUNTS: Scope.ENTITY,
        P.SUBMIT_DEALS: Scope.OWN,
        P.VIEW_DOCUMENTS: Scope.ENTITY,
        P.VIEW_QUESTIONS: Scope.OWN,
        P.TAKE_TRAINING: Scope.ENTITY,
        P.VIEW_TEAM: Scope.ENTITY,
        P.OPEN_TICKETS: Scope.ENTITY,
    },
    PartnerRole.TECHNICAL: {
        P.VIEW_DASHBOARD: Scope.ENTITY,
        P.VIEW_DEALS: Scope.ENTITY,
        P.VIEW_DOCUMENTS: Scope.ENTITY,
        P.VIEW_QUESTIONS: Scope.ENTITY,
        P.ASK_QUESTIONS: Scope.ENTITY,
        P.TAKE_TRAINING: Scope.ENTITY,
        P.VIEW_TEAM: Scope.ENTITY,
        P.OPEN_TICKETS: Scope.ENTITY,
    },
    PartnerRole.FINANCE: {
        P.VIEW_DASHBOARD: Scope.ENTITY,
        P.VIEW_DEALS: Scope.ENTITY,
        P.VIEW_AMOUNTS: Scope.ENTITY,
        P.VIEW_DOCUMENTS: Scope.ENTITY,
        P.VIEW_ANALYTICS: Scope.ENTITY,
        P.VIEW_TEAM: Scope.ENTITY,
        P.OPEN_TICKETS: Scope.ENTITY,
    },
    PartnerRole.VIEWER: {
        P.VIEW_DASHBOARD: Scope.ENTITY,
        P.VIEW_DEALS: Scope.STATUS_ONLY,
        P.OPEN_TICKETS: Scope.ENTITY,
    },
}

#: What each staff role grants.
STAFF_GRANTS: dict[StaffRole, frozenset[Permission]] = {
    StaffRole.ADMIN: frozenset(list(P)[list(P).index(P.USE_DESK) :]),
    StaffRole.OPERATIONS: frozenset(
        {
            P.USE_DESK,
            P.READ_PARTNERS,
            P.EDIT_PARTNERS,
            P.WRITE_NOTES,
            P.CREATE_INVITATIONS,
            P.RENEW_INVITATIONS,
            P.EDIT_AFFILIATIONS,
            P.END_SESSIONS,
            P.EDIT_RECORDS,
            P.EDIT_PEOPLE_RECORDS,
            P.READ_MAILS,
            P.RETRY_MAILS,
            P.MANAGE_BRAND,
            P.READ_AUDIT,
        }
    ),
    StaffRole.SUPPORT: frozenset(
        {
            P.USE_DESK,
            P.READ_PARTNERS,
            P.WRITE_NOTES,
            P.RENEW_INVITATIONS,
            P.EDIT_AFFILIATIONS,
            P.END_SESSIONS,
            P.EDIT_PEOPLE_RECORDS,
            P.READ_MAILS,
            P.RETRY_MAILS,
        }
    ),
    StaffRole.CONTENT: frozenset({P.USE_DESK}),
    StaffRole.AUDITOR: frozenset(
        {P.USE_DESK, P.READ_PARTNERS, P.READ_MAILS, P.READ_STAFF, P.READ_AUDIT, P.VERIFY_AUDIT}
    ),
}

#: Permissions that an affiliation's overrides may name.
PARTNER_PERMISSIONS = frozenset(PARTNER_GRANTS[PartnerRole.PRINCIPAL])


# MARK: Actors


@dataclass(frozen=True)
class Contact:
    """A person acting in one of their affiliations: the actor of the portal."""

    person: Person
    affiliation: Affiliation
    session_id: int | None = None

    # What Flask-Login asks of a user.
    is_authenticated = True
    is_active = True
    is_anonymous = False

    @property
    def entity(self) -> Entity:
        return self.affiliation.entity

    @property
    def name(self) -> str:
        return self.person.name

    def get_id(self) -> str:
        return f"person:{self.person.id}"


@dataclass(frozen=True)
class System:
    """Portico itself: the worker, a command, a rule."""

    name: str = "Portico"


Actor = Staff | Contact | System


# MARK: Decisions


@dataclass(frozen=True)
class Step:
    """One question on the way to a decision, and how it was answered."""

    name: str
    passed: bool
    text: LazyString | str


@dataclass(frozen=True)
class Decision:
    """Whether, how far, and every step that led there; the first refusal is the last step."""

    permission: Permission
    steps: tuple[Step, ...] = field(default=())
    scope: Scope | None = None

    @property
    def allowed(self) -> bool:
        return bool(self.steps) and all(step.passed for step in self.steps)

    def __bool__(self) -> bool:
        return self.allowed

    @property
    def refusal(self) -> LazyString | str:
        """The sentence that says why not; empty when allowed."""
        return next((step.text for step in self.steps if not step.passed), "")


def decide(actor: Actor, permission: Permission) -> Decision:
    """Whether this actor may, and every step that led there.

    The same answer opens a page, filters a list, draws a button and fills the permission
    diagnostic; nothing else decides access.
    """
    if isinstance(actor, Staff):
        return _decide_staff(actor, permission)
    if isinstance(actor, Contact):
        return _decide_contact(actor, permission)
    return Decision(permission, (Step("system", True, "Portico itself"),), Scope.ALL)


# Made once: a page asks some thirty times.
_ACTIVE_ACCOUNT = _l("The account must be active.")
_NOT_OF_ROLE = _l("Your role does not allow this. An administrator can change it.")
_TAKEN_AWAY = _l("This was taken away from your role. A principal of your team can change it.")
_NOT_INCLUDED = _l("Your role does not include this. A principal of your team can change it.")
_ACCESS_ENDED = _l("Your access has ended.")
_ORGANIZATION_PAUSED = _l("The partnership of your organization is paused.")
_TEAM_PAUSED = _l("The partnership of your team is paused.")
_PLACE_ENDED = _l("Your place in this team has ended.")


def _decide_staff(staff: Staff, permission: Permission) -> Decision:
    steps = [Step("account", staff.is_active, _ACTIVE_ACCOUNT)]
    granted = permission in STAFF_GRANTS[staff.role]
    steps.append(Step("role", granted, _NOT_OF_ROLE))
    return Decision(permission, _until_refused(steps), Scope.ALL if granted else None)


def _decide_contact(contact: Contact, permission: Permission) -> Decision:
    entity, affiliation = contact.entity, contact.affiliation
    scope, source = granted(affiliation, permission)
    refusal = _TAKEN_AWAY if source == "override" else _NOT_INCLUDED
    steps = [
        Step("person", contact.person.is_active, _ACCESS_ENDED),
        Step("organization", entity.organization.status is OrganizationStatus.ACTIVE, _ORGANIZATION_PAUSED),
        Step("entity", entity.status is EntityStatus.ACTIVE, _TEAM_PAUSED),
        Step("affiliation", affiliation.is_live(clock.now()), _PLACE_ENDED),
        Step(source, scope is not None, refusal),
    ]
    return Decision(permission, _until_refused(steps), scope)


def granted(affiliation: Affiliation, permission: Permission) -> tuple[Scope | None, str]:
    """How far role and overrides of this affiliation reach, and which of the two said so."""
    overrides = affiliation.permissions or {}
    scope = PARTNER_GRANTS[affiliation.role].get(permission)
    if permission not in PARTNER_PERMISSIONS:
        return None, "role"
    if overrides.get(permission.value) is False:
        return None, "override"
    if scope is None and (overrides.get(permission.value) is True or overrides.get("all") is True):
        return Scope.ENTITY, "override"
    widened = permission is P.VIEW_DEALS and affiliation.entity.deal_visibility is DealVisibility.ENTITY
    if scope is Scope.OWN and widened:
        return Scope.ENTITY, "role"
    return scope, "role"


def _until_refused(steps: list[Step]) -> tuple[Step, ...]:
    kept: list[Step] = []
    for step in steps:
        kept.append(step)
        if not step.passed:
            break
    return tuple(kept)


def allowed(actor: Actor | None, permission: Permission) -> bool:
    """The short answer, for templates and lists of links."""
    return actor is not None and decide(actor, permission).allowed


def held(affiliation: Affiliation) -> frozenset[Permission]:
    """Every permission that role and overrides grant, whatever the state of person and entity."""
    return frozenset(p for p in PARTNER_PERMISSIONS if granted(affiliation, p)[0] is not None)


def read_overrides(given: Mapping[str, Any]) -> dict[str, bool]:
    """The overrides as a closed schema: known partner permissions, real booleans.

    Raises ValueError naming the first key or value that is not one.
    """
    for key, value in given.items():
        if key not in {p.value for p in PARTNER_PERMISSIONS}:
            raise ValueError(f"{key!r} is no permission")
        if not isinstance(value, bool):
            raise ValueError(f"{key!r} must be true or false")
    return dict(given)


# MARK: Marks on views

View = TypeVar("View", bound=Callable[..., Any])
PUBLIC = "public"
#: A signed-in person or member of staff, whatever their role and the state of their partner.
SIGNED_IN = "signed_in"


def requires(permission: Permission | str) -> Callable[[View], View]:
    """Mark a view with what it takes to enter; the door reads the mark."""

    def mark(view: View) -> View:
        view.permission = permission  # type: ignore[attr-defined]
        return view

    return mark


def public(view: View) -> View:
    """Mark a view that anybody may enter."""
    view.permission = PUBLIC  # type: ignore[attr-defined]
    return view


def signed_in(view: View) -> View:
    """Mark a view that takes a session and nothing more: one's own profile, sessions, leaving."""
    view.permission = SIGNED_IN  # type: ignore[attr-defined]
    return view


def mark_of(view: Callable[..., Any] | None) -> str | None:
    """The mark of a view, or None where nobody declared one."""
    return getattr(view, "permission", None)
