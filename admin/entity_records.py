"""Direct editing of the partners themselves and of the invitations to them."""

from typing import Any, ClassVar

from sqlalchemy.orm import joinedload

import clock
from admin import cells
from admin.filters import choice, days
from admin.listing import Column, Listing
from admin.suggestions import SUGGESTED, reference
from admin.table import RecordView, record_url
from models import Entity, Invitation, InvitationStatus, Organization
from services.names import ENTITY_KIND_WORDS
from services.search import Source

ENTITY_KINDS = {kind.value: words for kind, words in ENTITY_KIND_WORDS.items()}


class Entities(RecordView):
    """The partners; activation, suspension and offboarding are verbs of the partner's page."""

    title = "Entities"
    listing = Listing(
        name="records.entities",
        nouns=("entity", "entities"),
        model=Entity,
        order="-created_at",
        search_label="Name of entity or organization",
        columns=(
            Column(
                "name",
                "Name",
                lambda row, _: cells.text(row.name, url=record_url(row)),
                Entity.name,
                export=Entity.name,
            ),
            Column(
                "status", "Status", lambda row, _: cells.badge("entity", row.status), export=Entity.status
            ),
            Column(
                "organization",
                "Organization",
                lambda row, _: cells.text(row.organization.name),
                style="p2",
                export=Organization.name,
            ),
            Column(
                "kind",
                "Type",
                lambda row, _: cells.text(ENTITY_KIND_WORDS[row.kind]),
                style="p3",
                export=Entity.kind,
            ),
            Column(
                "onboarding_status",
                "Onboarding",
                lambda row, _: cells.badge("onboarding", row.onboarding_status),
                style="p3",
                export=Entity.onboarding_status,
            ),
            Column(
                "created_at",
                "Created",
                lambda row, _: cells.moment(row.created_at),
                Entity.created_at,
                "p3",
                Entity.created_at,
            ),
        ),
        filters=(
            choice("status", "Status", Entity.status, promoted=True),
            choice("kind", "Type", Entity.kind, promoted=True, words=ENTITY_KINDS),
            choice("onboarding", "Onboarding", Entity.onboarding_status),
            reference("organization", "Organization", Entity.organization_id, "organizations"),
            reference("school", "School", Entity.school_id, "schools"),
            *days("Created", Entity.created_at),
        ),
        sources=(Source((Entity.name,)), Source((Organization.name,), parent=Entity.organization_id)),
        loads=(joinedload(Entity.organization), joinedload(Entity.school)),
        joins=(Entity.organization,),
        empty="Entities appear here with the first partner that is created.",
    )
    details = (
        "name",
        "organization_id",
        "kind",
        "school_id",
        "status",
        "onboarding_status",
        "show_in_app",
        "deal_visibility",
        "description",
        "website",
        "address",
        "activated_at",
        "last_activity_at",
        "created_at",
        "id",
        "version",
    )
    labels: ClassVar[dict[str, str]] = {
        "kind": "Type",
        "school_id": "Linked school",
        "organization_id": "Organization",
        "show_in_app": "Show in app",
        "deal_visibility": "Salespeople see",
        "onboarding_status": "Onboarding",
        "created_at": "Created",
        "id": "Number",
    }
    form_columns = (
        "name",
        "organization_id",
        "kind",
        "school_id",
        "show_in_app",
        "deal_visibility",
        "description",
        "website",
        "address",
    )
    references: ClassVar[dict[str, str]] = {"organization_id": "organizations", "school_id": "schools"}
    hints: ClassVar[dict[str, str]] = {
        "deal_visibility": "Own: a salesperson sees their own deals, entity: those of the whole team"
    }
    suggested = SUGGESTED["entities"]

    def badges(self, row: Any) -> list[tuple[str, Any]]:
        return [("entity", row.status), ("onboarding", row.onboarding_status)]

    def actions(self, row: Any) -> list[dict[str, str]]:
        return [{"label": "Partner page", "url": f"/admin/partners/{row.id}"}]


class Invitations(RecordView):
    """Offers of an affiliation; they are renewed, resent and cancelled on the partner's page."""

    title = "Invitations"
    listing = Listing(
        name="records.invitations",
        nouns=("invitation", "invitations"),
        model=Invitation,
        order="-created_at",
        search_label="Email, code or entity",
        columns=(
            Column(
                "email",
                "Email",
                lambda row, _: cells.text(row.email, url=record_url(row)),
                export=Invitation.email,
            ),
            Column(
                "status",
                "Status",
                lambda row, _: cells.badge("invitation", row.state(clock.now())),
                export=Invitation.status,
            ),
            Column(
                "entity", "Entity", lambda row, _: cells.text(row.entity.name), style="p2", export=Entity.name
            ),
            Column(
                "role",
                "Role",
                lambda row, _: cells.text(row.role.value.capitalize()),
                style="p2",
                export=Invitation.role,
            ),
            Column(
                "invitation_code",
                "Code",
                lambda row, _: cells.code(row.invitation_code),
                style="p3",
                export=Invitation.invitation_code,
            ),
            Column(
                "expires_at",
                "Works until",
                lambda row, _: cells.moment(row.expires_at),
                style="p3",
                export=Invitation.expires_at,
            ),
            Column(
                "created_at",
                "Sent",
                lambda row, _: cells.moment(row.created_at),
                Invitation.created_at,
                "p3",
                Invitation.created_at,
            ),
        ),
        filters=(
            choice("status", "Status", Invitation.status, promoted=True, words={"pending": "Invited"}),
            reference("entity", "Entity", Invitation.entity_id, "entities"),
            *days("Sent", Invitation.created_at),
        ),
        sources=(
            Source((Invitation.email_canonical, Invitation.invitation_code)),
            Source((Entity.name,), parent=Invitation.entity_id),
        ),
        loads=(joinedload(Invitation.entity),),
        joins=(Invitation.entity,),
        empty="Invitations appear here once the first one is sent.",
    )
    details = (
        "email",
        "entity_id",
        "role",
        "invitation_code",
        "status",
        "invited_by",
        "locale",
        "expires_at",
        "accepted_at",
        "ended_at",
        "created_at",
        "id",
        "version",
    )
    labels: ClassVar[dict[str, str]] = {
        "entity_id": "Entity",
        "invitation_code": "Code",
        "locale": "Language",
        "expires_at": "Works until",
        "created_at": "Sent",
        "id": "Number",
    }
    form_columns = ("role", "expires_at", "locale")
    hints: ClassVar[dict[str, str]] = {"expires_at": "At most 60 days from now"}

    def badges(self, row: Any) -> list[tuple[str, Any]]:
        return [("invitation", row.state(clock.now()))]

    def refuses_edit(self, row: Any) -> str:
        if row.state(clock.now()) is InvitationStatus.PENDING:
            return ""
        return "Only an invitation that is still open can be changed. Renew it to send another."

    def actions(self, row: Any) -> list[dict[str, str]]:
        return [{"label": "Partner page", "url": f"/admin/partners/{row.entity_id}"}]
