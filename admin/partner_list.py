"""The list of partners: what it shows, how it is narrowed, and sending many invitations again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.orm import joinedload

import clock
from admin import cells
from admin.base import staff
from admin.cells import Cell
from admin.filters import Choice, choice, read_id
from admin.listing import Column, Listing, Tab
from forms.base import OnceForm
from models import (
    Affiliation,
    Entity,
    EntityStatus,
    Invitation,
    InvitationStatus,
    Mail,
    MailStatus,
    Organization,
    OrganizationStatus,
    Person,
    db,
)
from permissions import Permission, requires
from services import bulk_resend, submissions
from services.names import ENTITY_KIND_WORDS, KIND_WORDS
from services.partner_overview import EXPIRING, STUCK
from services.search import Source
from services.transaction import transaction
from web import see_other

P = Permission

# MARK: Filters


def _suspended_organizations() -> Any:
    return select(Organization.id).where(Organization.status == OrganizationStatus.SUSPENDED)


def _with_status(value: str) -> ColumnElement[bool]:
    """The status that holds: a suspended organization suspends its entities."""
    status = EntityStatus(value)
    suspended = Entity.organization_id.in_(_suspended_organizations())
    if status is EntityStatus.SUSPENDED:
        return (Entity.status == status) | (
            Entity.status.in_([EntityStatus.PENDING, EntityStatus.ACTIVE]) & suspended
        )
    return (
        Entity.status == status
        if status is EntityStatus.OFFBOARDED
        else (Entity.status == status) & ~suspended
    )


def _invited(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(
        Invitation.entity_id == Entity.id, Invitation.status == InvitationStatus.PENDING, *conditions
    )


def _waiting_for(value: str) -> ColumnElement[bool]:
    """Partners that need someone, each in the way that the home page counts it."""
    now = clock.now()
    match value:
        case "invited":
            return _invited(Invitation.expires_at > now)
        case "expiring":
            return _invited(Invitation.expires_at > now, Invitation.expires_at <= now + EXPIRING)
        case "stuck":
            return and_(Entity.status == EntityStatus.PENDING, Entity.created_at <= now - STUCK)
        case "uninvited":
            return and_(Entity.status == EntityStatus.PENDING, ~_invited(Invitation.expires_at > now))
        case _:
            failed = select(Mail.entity_id).where(
                Mail.status == MailStatus.FAILED, Mail.entity_id.is_not(None)
            )
            return Entity.id.in_(failed)


STATUS_WORDS = tuple((status.value, status.value.capitalize()) for status in EntityStatus)
NEEDS = (
    ("invited", "Invited, not accepted"),
    ("expiring", "Invitation expires in 48 hours"),
    ("uninvited", "Pending, nobody invited"),
    ("stuck", "Not activated after 7 days"),
    ("failed", "Email not delivered"),
)

# MARK: Columns


def _name(entity: Entity, _extra: object) -> Cell:
    return cells.text(
        entity.name,
        url=url_for("partners.show", entity_id=entity.id),
        under=entity.organization.name,
    )


def _status(entity: Entity, _extra: object) -> Cell:
    paused = entity.organization.status is OrganizationStatus.SUSPENDED
    if paused and entity.status in {EntityStatus.PENDING, EntityStatus.ACTIVE}:
        return cells.badge("entity", EntityStatus.SUSPENDED)
    return cells.badge("entity", entity.status)


def _count_contacts(entities: Sequence[Entity]) -> Mapping[int, int]:
    """The number of people with access to each entity of a page: one statement."""
    now = clock.now()
    counted = (
        select(Affiliation.entity_id, func.count().label("people"))
        .where(
            Affiliation.entity_id.in_([entity.id for entity in entities]),
            Affiliation.ended_at.is_(None),
            Affiliation.valid_until.is_(None) | (Affiliation.valid_until > now),
        )
        .group_by(Affiliation.entity_id)
    )
    return {row.entity_id: row.people for row in db.session.execute(counted)}


_CONTACTS = (
    select(func.count())
    .where(Affiliation.entity_id == Entity.id, Affiliation.ended_at.is_(None))
    .correlate(Entity)
    .scalar_subquery()
)

PARTNERS = Listing(
    name="partners",
    nouns=("partner", "partners"),
    model=Entity,
    order="-activity",
    search_label="Search by name, email or code",
    columns=(
        Column("name", "Partner", _name, sorts=Entity.name, export=Entity.name),
        Column("status", "Status", _status, export=Entity.status),
        Column(
            "organization_kind",
            "Organization type",
            lambda entity, _: cells.text(KIND_WORDS[entity.organization.kind]),
            style="p3",
            export=Organization.kind,
        ),
        Column(
            "kind",
            "Type",
            lambda entity, _: cells.text(ENTITY_KIND_WORDS[entity.kind]),
            style="p3",
            export=Entity.kind,
        ),
        Column(
            "onboarding",
            "Onboarding",
            lambda entity, _: cells.badge("onboarding", entity.onboarding_status),
            style="p3",
            export=Entity.onboarding_status,
        ),
        Column(
            "contacts",
            "Contacts",
            lambda _, count: cells.number(count or 0),
            style="num p2",
            export=_CONTACTS,
        ),
        Column(
            "activity",
            "Last activity",
            lambda entity, _: cells.moment(entity.last_activity_at, relative=True),
            sorts=Entity.last_activity_at,
            style="p2",
            export=Entity.last_activity_at,
        ),
        Column(
            "created",
            "Created",
            lambda entity, _: cells.moment(entity.created_at),
            sorts=Entity.created_at,
            style="p3",
            export=Entity.created_at,
        ),
    ),
    filters=(
        Choice("status", "Status", True, STATUS_WORDS, _with_status),
        choice("type", "Type", Entity.kind, promoted=True),
        Choice("needs", "Needs", True, NEEDS, _waiting_for),
        Choice(
            "organization",
            "Organization type",
            False,
            tuple((kind.value, word) for kind, word in KIND_WORDS.items()),
            lambda value: Entity.organization.has(Organization.kind == value),
        ),
        choice("onboarding", "Onboarding", Entity.onboarding_status),
    ),
    sources=(
        Source((Entity.name,)),
        Source((Organization.name, Organization.domain), parent=Entity.organization_id),
        Source(
            (Person.full_name, Person.email_canonical),
            key=Affiliation.entity_id,
            joins=((Affiliation, Affiliation.partner_user_id == Person.id),),
        ),
        Source((Invitation.email_canonical, Invitation.invitation_code), key=Invitation.entity_id),
    ),
    loads=(joinedload(Entity.organization),),
    joins=(Entity.organization,),
    extras=_count_contacts,
    tabs=(
        Tab("All", {}),
        Tab("Pending", {"status": "pending"}),
        Tab("Invited, not accepted", {"needs": "invited"}),
        Tab("Active", {"status": "active"}, is_counted=False),
        Tab("Suspended", {"status": "suspended"}, is_counted=False),
    ),
    empty="Partners show here with their status, contacts and last activity.",
)


#: An export also names the organization, which the list shows below the name.
EXPORTED = replace(
    PARTNERS,
    columns=(
        PARTNERS.columns[0],
        Column(
            "organization",
            "Organization",
            lambda entity, _: cells.text(entity.organization.name),
            export=Organization.name,
        ),
        *PARTNERS.columns[1:],
    ),
)


class PartnerList:
    """The list and its bulk change; mixed into the view of partners."""

    @expose("/bulk", methods=["POST"])
    @requires(P.RENEW_INVITATIONS)
    def bulk(self) -> ResponseReturnValue:
        """What will and what will not be done for the partners that were selected."""
        numbers = _selected()
        if not numbers:
            flash("Select the partners first.", "info")
            return see_other(url_for("partners.index"))
        return self._bulk_page(bulk_resend.plan(actor=staff(), entity_ids=numbers))

    @expose("/bulk/resend", methods=["POST"])
    @requires(P.RENEW_INVITATIONS)
    def resend_bulk(self) -> ResponseReturnValue:
        """Send the invitations again and say of each what became of it."""
        form = OnceForm(request.form)
        lines = bulk_resend.plan(actor=staff(), entity_ids=_selected())
        if not form.validate():
            return self._bulk_page(lines)
        with transaction():
            done = submissions.claim(staff(), form.form_key.data, ",".join(request.form.getlist("id")))
            submissions.settle(staff(), form.form_key.data, url_for("partners.index"))
        if done is not None:
            flash("These invitations were sent already.", "info")
            return see_other(url_for("partners.index"))
        return render_template(
            "admin/partners/bulk_done.html",
            report=bulk_resend.run(actor=staff(), lines=lines),
            left=[line for line in lines if not line.will],
        )

    def _bulk_page(self, lines: list[bulk_resend.Line]) -> ResponseReturnValue:
        return render_template(
            "admin/partners/bulk.html",
            form=OnceForm(),
            numbers=list(dict.fromkeys(line.entity.id for line in lines)),
            will=[line for line in lines if line.will],
            left=[line for line in lines if not line.will],
        )


def _selected() -> list[int]:
    numbers = [read_id(text) for text in request.form.getlist("id")[: bulk_resend.MOST]]
    return [number for number in numbers if number is not None]
