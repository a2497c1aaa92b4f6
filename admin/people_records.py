"""Direct editing of those who sign in: people, their affiliations, and staff."""

from typing import Any, ClassVar

from flask import url_for
from sqlalchemy.orm import joinedload

import clock
from admin import cells
from admin.filters import choice, days
from admin.listing import Column, Listing
from admin.suggestions import SUGGESTED, person_filter, reference
from admin.table import RecordView, record_url
from models import Affiliation, Entity, Person, Staff
from permissions import Permission
from services.search import Source

P = Permission


def _is_active(row: Person | Staff) -> str:
    return "active" if row.is_active else "deactivated"


def _state(row: Affiliation) -> str:
    """Whether the affiliation holds, as its badge says it."""
    if row.ended_at is not None:
        return "ended"
    return "active" if row.is_live(clock.now()) else "expired"


class People(RecordView):
    """Whoever signs in to the portal."""

    title = "People"
    reads = writes = P.EDIT_PEOPLE_RECORDS
    listing = Listing(
        name="records.people",
        nouns=("person", "people"),
        model=Person,
        order="-created_at",
        search_label="Name or email",
        columns=(
            Column(
                "full_name",
                "Name",
                lambda row, _: cells.text(row.name, url=record_url(row)),
                Person.full_name,
                export=Person.full_name,
            ),
            Column(
                "is_active",
                "Status",
                lambda row, _: cells.badge("person", _is_active(row)),
                export=Person.is_active,
            ),
            Column(
                "email",
                "Email",
                lambda row, _: cells.text(row.email),
                Person.email_canonical,
                "p2",
                Person.email,
            ),
            Column("title", "Title", lambda row, _: cells.text(row.title), style="p3", export=Person.title),
            Column(
                "last_seen_at",
                "Last seen",
                lambda row, _: cells.moment(row.last_seen_at, relative=True),
                style="p3",
                export=Person.last_seen_at,
            ),
            Column(
                "created_at",
                "Created",
                lambda row, _: cells.moment(row.created_at),
                Person.created_at,
                "p3",
                Person.created_at,
            ),
        ),
        filters=(
            choice(
                "active",
                "Status",
                Person.is_active,
                promoted=True,
                words={"yes": "Active", "no": "Deactivated"},
            ),
            *days("Created", Person.created_at),
        ),
        sources=(Source((Person.full_name, Person.email_canonical)),),
        empty="People appear here once they accept an invitation.",
    )
    details = (
        "full_name",
        "email",
        "email_canonical",
        "title",
        "phone",
        "time_zone",
        "locale",
        "is_active",
        "profile_completed_at",
        "bounced_at",
        "last_seen_at",
        "created_at",
        "id",
        "version",
    )
    labels: ClassVar[dict[str, str]] = {
        "email_canonical": "Matched as",
        "full_name": "Full name",
        "is_active": "May sign in",
        "locale": "Language",
        "bounced_at": "Email refused",
        "created_at": "Created",
        "id": "Number",
    }
    form_columns = ("full_name", "email", "title", "phone", "time_zone", "locale", "is_active")
    hints: ClassVar[dict[str, str]] = {"email": "Sign-in links go to this address"}
    suggested = SUGGESTED["people"]

    def badges(self, row: Any) -> list[tuple[str, Any]]:
        return [("person", _is_active(row))]

    def actions(self, row: Any) -> list[dict[str, str]]:
        return [{"label": "Affiliations", "url": url_for("records_affiliations.index_view", person=row.id)}]


class Affiliations(RecordView):
    """The roles of people in entities; they are ended on the partner's page."""

    title = "Affiliations"
    reads = writes = P.EDIT_PEOPLE_RECORDS
    listing = Listing(
        name="records.affiliations",
        nouns=("affiliation", "affiliations"),
        model=Affiliation,
        order="-created_at",
        search_label="Person or entity",
        columns=(
            Column(
                "person",
                "Person",
                lambda row, _: cells.text(row.person.name, url=record_url(row), under=row.person.email),
                export=Person.email,
            ),
            Column(
                "state",
                "Status",
                lambda row, _: cells.badge("affiliation", _state(row)),
                export=Affiliation.ended_at,
            ),
            Column(
                "role",
                "Role",
                lambda row, _: cells.text(row.role.value.capitalize()),
                export=Affiliation.role,
            ),
            Column(
                "entity", "Entity", lambda row, _: cells.text(row.entity.name), style="p2", export=Entity.name
            ),
            Column(
                "permissions",
                "Overrides",
                lambda row, _: cells.number(len(row.permissions)) if row.permissions else cells.text(""),
                style="p3 num",
                export=Affiliation.permissions,
            ),
            Column(
                "created_at",
                "Since",
                lambda row, _: cells.moment(row.created_at),
                Affiliation.created_at,
                "p3",
                Affiliation.created_at,
            ),
        ),
        filters=(
            choice("role", "Role", Affiliation.role, promoted=True),
            person_filter(Affiliation.partner_user_id),
            reference("entity", "Entity", Affiliation.entity_id, "entities"),
            *days("Since", Affiliation.created_at),
        ),
        sources=(
            Source((Person.full_name, Person.email_canonical), parent=Affiliation.partner_user_id),
            Source((Entity.name,), parent=Affiliation.entity_id),
        ),
        loads=(joinedload(Affiliation.person), joinedload(Affiliation.entity)),
        joins=(Affiliation.person, Affiliation.entity),
        empty="Affiliations appear here once people accept their invitations.",
    )
    details = (
        "partner_user_id",
        "entity_id",
        "role",
        "permissions",
        "is_primary",
        "valid_until",
        "ended_at",
        "created_at",
        "id",
        "version",
    )
    labels: ClassVar[dict[str, str]] = {
        "partner_user_id": "Person",
        "entity_id": "Entity",
        "permissions": "Overrides",
        "is_primary": "Primary affiliation",
        "valid_until": "Valid until",
        "created_at": "Since",
        "id": "Number",
    }
    form_columns = ("role", "permissions", "is_primary", "valid_until")
    hints: ClassVar[dict[str, str]] = {
        "is_primary": "Where this person arrives after signing in",
        "valid_until": "Leave it empty to let it last",
    }

    def value(self, row: Any, name: str) -> dict[str, Any]:
        if name == "partner_user_id":
            return {"label": "Person", "value": row.person.name, "url": record_url(row.person)}
        return super().value(row, name)

    def name_of(self, row: Any) -> str:
        return f"{row.person.name}, {row.entity.name}"

    def badges(self, row: Any) -> list[tuple[str, Any]]:
        return [("affiliation", _state(row))]

    def refuses_edit(self, row: Any) -> str:
        return "This access has ended. Invite the person again to give it back." if row.ended_at else ""

    def actions(self, row: Any) -> list[dict[str, str]]:
        return [{"label": "Partner page", "url": f"/admin/partners/{row.entity_id}"}]


class StaffRecords(RecordView):
    """Our own accounts; passwords and second factors belong to their owners alone."""

    title = "Staff records"
    reads = looked_up_with = P.READ_STAFF
    writes = P.MANAGE_STAFF
    listing = Listing(
        name="records.staff",
        nouns=("account", "accounts"),
        model=Staff,
        order="full_name",
        search_label="Name or email",
        columns=(
            Column(
                "full_name",
                "Name",
                lambda row, _: cells.text(row.full_name, url=record_url(row)),
                Staff.full_name,
                export=Staff.full_name,
            ),
            Column(
                "is_active",
                "Status",
                lambda row, _: cells.badge("staff", _is_active(row)),
                export=Staff.is_active,
            ),
            Column("role", "Role", lambda row, _: cells.text(row.role.value.capitalize()), export=Staff.role),
            Column(
                "email",
                "Email",
                lambda row, _: cells.text(row.email),
                Staff.email_canonical,
                "p2",
                Staff.email,
            ),
            Column(
                "second_factor",
                "Second factor",
                lambda row, _: cells.yes_no(row.has_second_factor),
                style="p3",
            ),
            Column(
                "last_seen_at",
                "Last seen",
                lambda row, _: cells.moment(row.last_seen_at, relative=True),
                style="p3",
                export=Staff.last_seen_at,
            ),
        ),
        filters=(
            choice("role", "Role", Staff.role, promoted=True),
            choice(
                "active",
                "Status",
                Staff.is_active,
                promoted=True,
                words={"yes": "Active", "no": "Deactivated"},
            ),
        ),
        sources=(Source((Staff.full_name, Staff.email_canonical)),),
    )
    details = (
        "full_name",
        "email",
        "role",
        "is_active",
        "has_second_factor",
        "time_zone",
        "last_seen_at",
        "created_at",
        "id",
        "version",
    )
    labels: ClassVar[dict[str, str]] = {
        "full_name": "Full name",
        "is_active": "May sign in",
        "has_second_factor": "Second factor",
        "created_at": "Created",
        "id": "Number",
    }
    form_columns = ("full_name", "email", "role", "time_zone", "is_active")
    suggested = SUGGESTED["staff"]

    def badges(self, row: Any) -> list[tuple[str, Any]]:
        return [("staff", _is_active(row))]
