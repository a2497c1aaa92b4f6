"""Direct editing of ordinary tables, one class a table: what is listed, shown and edited of each.

Here organizations and schools; partners and invitations in entity_records.py, those who sign in in
people_records.py.
"""

from typing import Any, ClassVar

from flask import url_for

from admin import cells
from admin.entity_records import Entities, Invitations
from admin.filters import choice, days
from admin.listing import Column, Listing
from admin.people_records import Affiliations, People, StaffRecords
from admin.suggestions import SUGGESTED
from admin.table import CreatingRecordView, RecordView, TableView, record_url
from models import Organization, School
from permissions import Permission
from services.names import KIND_WORDS
from services.search import Source

P = Permission

ORGANIZATION_KINDS = {kind.value: words for kind, words in KIND_WORDS.items()}


class Organizations(RecordView):
    """The legal bodies; they are suspended and resumed by verbs, not here."""

    title = "Organizations"
    listing = Listing(
        name="records.organizations",
        nouns=("organization", "organizations"),
        model=Organization,
        order="name",
        search_label="Name or domain",
        columns=(
            Column(
                "name",
                "Name",
                lambda row, _: cells.text(row.name, url=record_url(row)),
                Organization.name_key,
                export=Organization.name,
            ),
            Column(
                "status",
                "Status",
                lambda row, _: cells.badge("organization", row.status),
                export=Organization.status,
            ),
            Column(
                "kind",
                "Type",
                lambda row, _: cells.text(KIND_WORDS[row.kind]),
                style="p2",
                export=Organization.kind,
            ),
            Column(
                "domain",
                "Domain",
                lambda row, _: cells.text(row.domain),
                style="p3",
                export=Organization.domain,
            ),
            Column(
                "created_at",
                "Created",
                lambda row, _: cells.moment(row.created_at),
                Organization.created_at,
                "p3",
                Organization.created_at,
            ),
        ),
        filters=(
            choice("kind", "Type", Organization.kind, promoted=True, words=ORGANIZATION_KINDS),
            choice("status", "Status", Organization.status, promoted=True),
            *days("Created", Organization.created_at),
        ),
        sources=(Source((Organization.name, Organization.domain)),),
        empty="Organizations appear here with the first partner that is created.",
    )
    details = ("name", "kind", "domain", "status", "created_at", "id", "version")
    labels: ClassVar[dict[str, str]] = {"kind": "Type", "created_at": "Created", "id": "Number"}
    form_columns = ("name", "kind", "domain")
    hints: ClassVar[dict[str, str]] = {"domain": "The part of their addresses after the @, like unl.edu"}
    suggested = SUGGESTED["organizations"]

    def badges(self, row: Any) -> list[tuple[str, Any]]:
        return [("organization", row.status)]

    def actions(self, row: Any) -> list[dict[str, str]]:
        return [{"label": "Its entities", "url": url_for("records_entities.index_view", organization=row.id)}]


class Schools(CreatingRecordView):
    """The institutions that entities are linked to."""

    title = "Schools"
    listing = Listing(
        name="records.schools",
        nouns=("school", "schools"),
        model=School,
        order="name",
        search_label="Name, city or code",
        columns=(
            Column(
                "name",
                "Name",
                lambda row, _: cells.text(row.name, url=record_url(row)),
                School.name_key,
                export=School.name,
            ),
            Column("city", "City", lambda row, _: cells.text(row.city), export=School.city),
            Column(
                "region", "Region", lambda row, _: cells.text(row.region), style="p2", export=School.region
            ),
            Column(
                "country",
                "Country",
                lambda row, _: cells.text(row.country),
                style="p2",
                export=School.country,
            ),
            Column("code", "Code", lambda row, _: cells.code(row.code), style="p3", export=School.code),
            Column(
                "created_at",
                "Created",
                lambda row, _: cells.moment(row.created_at),
                School.created_at,
                "p3",
                School.created_at,
            ),
        ),
        filters=days("Created", School.created_at),
        sources=(Source((School.name, School.city, School.code)),),
        empty="Schools that entities can be linked to stand here.",
    )
    details = ("name", "city", "region", "country", "code", "created_at", "id", "version")
    labels: ClassVar[dict[str, str]] = {"created_at": "Created", "id": "Number"}
    form_columns = ("name", "city", "region", "country", "code")
    hints: ClassVar[dict[str, str]] = {
        "country": "Two letters, like US",
        "code": "The code that other systems know it by",
    }
    suggested = SUGGESTED["schools"]

    def actions(self, row: Any) -> list[dict[str, str]]:
        return [{"label": "Its entities", "url": url_for("records_entities.index_view", school=row.id)}]


def views() -> list[TableView]:
    """The views of direct editing."""
    return [
        Organizations("organizations"),
        Entities("entities"),
        People("people"),
        Affiliations("affiliations"),
        Invitations("invitations"),
        Schools("schools"),
        StaffRecords("staff"),
    ]
