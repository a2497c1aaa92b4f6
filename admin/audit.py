"""The audit log: who changed or fetched what, found by person, partner, verb and day, and its proof."""

from dataclasses import dataclass
from typing import Any

from flask import Response, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import ColumnElement, and_, or_
from werkzeug.datastructures import MultiDict

import language
from admin import cells
from admin.base import DeskView, staff
from admin.filters import Choice, Filter, Reference, days, read_id, spoken
from admin.listed import Listed
from admin.listing import Column, Listing
from admin.suggestions import SUGGESTED, reference
from admin.table import ADDRESSES
from models import AuditEvent, db
from permissions import Permission, allowed, requires
from services import audit, audit_chain, sentences, timeline
from services.errors import NotFound

P = Permission
#: A log longer than this is verified from its newest checkpoint on when a page asks; commands do it whole.
MOST_AT_ONCE = 200_000


def link_to(table: str, number: int) -> str:
    """The record that a name in a sentence stands for, where the reader may open it."""
    found = ADDRESSES.get(table)
    if found is None or not allowed(staff(), found[1]):
        return ""
    return url_for(f"{found[0]}.details_view", record_id=number)


# MARK: Filters


@dataclass(frozen=True)
class _Person(Reference):
    """What concerned a person or was done by them."""

    def condition(self, value: str) -> ColumnElement[bool]:
        number = int(value)
        acted = and_(AuditEvent.actor_kind == "person", AuditEvent.actor_id == number)
        return or_(AuditEvent.person_id == number, acted)


@dataclass(frozen=True)
class _By(Reference):
    """What one of us did."""

    def condition(self, value: str) -> ColumnElement[bool]:
        return and_(AuditEvent.actor_kind == "staff", AuditEvent.actor_id == int(value))


@dataclass(frozen=True)
class _Record(Filter):
    """What happened to one row: "partner_users:12"."""

    kind = "text"

    def read(self, values: "MultiDict[str, str]") -> str:
        table, _colon, number = values.get(self.key, "")[:80].partition(":")
        return f"{table}:{read_id(number)}" if table.isidentifier() and read_id(number) else ""

    def condition(self, value: str) -> ColumnElement[bool]:
        table, _colon, number = value.partition(":")
        return and_(AuditEvent.subject_table == table, AuditEvent.subject_id == int(number))


# MARK: Cells

#: One row of each table, in the words of the desk.
TABLE_WORDS = {
    "companies": "Brand",
    "entity_notes": "Note",
    "mails": "Email",
    "partner_affiliations": "Affiliation",
    "partner_entities": "Partner",
    "partner_invitations": "Invitation",
    "partner_organizations": "Organization",
    "partner_users": "Person",
    "schools": "School",
    "staff_users": "Staff account",
}


def _did(verb: str) -> str:
    """A verb in words: "contact.role_changed" → "Contact role changed"."""
    return spoken(verb.replace(".", " "))


def _change(row: AuditEvent) -> cells.Cell:
    """The first field of a change, old → new, and how many more there are."""
    told = timeline.tell(row).changes
    if not told:
        return cells.text("")
    first = told[0]
    more = f"and {len(told) - 1} more" if len(told) > 1 else ""
    return cells.text(f"{first.label}: {first.old[:40]} → {first.new[:40]}", under=more)


LOG = Listing(
    name="audit",
    nouns=("event", "events"),
    model=AuditEvent,
    order="-created_at",
    columns=(
        Column(
            "created_at",
            "When",
            lambda row, _: cells.exact(row.created_at)._replace(url=url_for("audit.show", event_id=row.id)),
            AuditEvent.created_at,
            export=AuditEvent.created_at,
        ),
        Column(
            "actor",
            "Who",
            lambda row, _: cells.text(
                row.actor_label, under=f"for {row.on_behalf_of}" if row.on_behalf_of else ""
            ),
            style="p2",
            export=AuditEvent.actor_label,
        ),
        Column(
            "verb",
            "Did",
            lambda row, _: cells.text(_did(row.verb), under=row.subject_label[:80]),
            export=AuditEvent.verb,
        ),
        Column("changes", "Change", lambda row, _: _change(row), style="p3", export=AuditEvent.changes),
        Column(
            "reason", "Why", lambda row, _: cells.text(row.reason[:120]), style="p3", export=AuditEvent.reason
        ),
        Column(
            "address", "From", lambda row, _: cells.code(row.address), style="p3", export=AuditEvent.address
        ),
    ),
    filters=(
        _Person(
            "person", "Person", promoted=True, suggested=SUGGESTED["people"], endpoint="records_people.lookup"
        ),
        reference("entity", "Partner", AuditEvent.entity_id, "entities", promoted=True),
        Choice(
            "verb",
            "Verb",
            True,
            tuple((verb, _did(verb)) for verb in audit.VERBS),
            lambda value: AuditEvent.verb == value,
        ),
        *days("When", AuditEvent.created_at),
        _By("by", "Done by staff", suggested=SUGGESTED["staff"], endpoint="audit.find_staff"),
        _Record("record", "Record"),
    ),
)


class AuditView(Listed, DeskView):
    """The log, its events one by one, and whether it is still what was written."""

    listing = LOG

    @expose("/")
    @requires(P.READ_AUDIT)
    def index(self) -> ResponseReturnValue:
        """The log, newest first."""
        home = url_for("audit.index")
        return self.show_list(
            "admin/audit/list.html",
            title="Audit log",
            url=home,
            export_url=f"{home}export",
            verify_url=url_for("audit.verify") if allowed(staff(), P.VERIFY_AUDIT) else "",
        )

    @expose("/<int:event_id>")
    @requires(P.READ_AUDIT)
    def show(self, event_id: int) -> ResponseReturnValue:
        """One event, whole: before and after, why, from where, and whether its hash fits."""
        event = db.session.get(AuditEvent, event_id)
        if event is None:
            raise NotFound
        row = {name: getattr(event, name) for name in (*audit.HASHED, "previous_hash")}
        return render_template(
            "admin/audit/show.html",
            event=event,
            told=timeline.tell(event, link=link_to),
            is_intact=audit.chain_hash(row) == event.hash,
            lines=_lines(event),
            changes=[_changed(key, fields) for key, fields in event.changes.items()],
            facts=[{"label": spoken(name), "value": _shown(value)} for name, value in event.facts.items()],
            home=url_for("audit.index"),
        )

    @expose("/staff.json")
    @requires(P.READ_AUDIT)
    def find_staff(self) -> Response:
        """Colleagues whose name begins with or holds ?q=: their names stand in the log anyway."""
        return jsonify(SUGGESTED["staff"].find(request.args.get("q", "")))

    @expose("/export", methods=["POST"])
    @requires(P.READ_AUDIT)
    def export(self) -> ResponseReturnValue:
        """The events of the list as it is narrowed, as CSV."""
        return self.export_list()

    @expose("/verify", methods=["POST"])
    @requires(P.VERIFY_AUDIT)
    def verify(self) -> ResponseReturnValue:
        """Prove now that nothing was changed, removed or put in."""
        is_long = audit_chain.length() > MOST_AT_ONCE
        verdict = audit_chain.verify(since_checkpoint=is_long)
        signed = audit_chain.last_checkpoint()
        return render_template(
            "admin/audit/verdict.html",
            verdict=verdict,
            signed=language.moment(signed) if signed else "",
            home=url_for("audit.index"),
        )


def _lines(event: AuditEvent) -> list[dict[str, Any]]:
    """Everything about an event beside its change."""
    pairs: list[tuple[str, Any]] = [
        ("When", language.moment(event.created_at)),
        ("Who", event.actor_label),
        ("Acting for", event.on_behalf_of),
        ("Verb", event.verb),
        ("On what", event.subject_label),
        ("Why", event.reason),
        ("From", event.address),
        ("Browser", event.agent),
        ("Request", event.request_id),
        ("Number", event.id),
        ("Hash", event.hash),
        ("Hash before", event.previous_hash),
    ]
    mono = {"Verb", "From", "Request", "Hash", "Hash before"}
    lines = [{"label": label, "value": value, "is_mono": label in mono} for label, value in pairs if value]
    for line in lines:
        if line["label"] == "On what" and event.subject_id:
            line["url"] = link_to(event.subject_table, event.subject_id)
    return lines


def _changed(key: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The changes of one row: its name and every field before and after."""
    table, _colon, number = key.partition(":")
    return {
        "title": f"{TABLE_WORDS.get(table, spoken(table))} {number}",
        "url": link_to(table, int(number)) if number.isdigit() else "",
        "fields": [
            {"label": spoken(name), "old": _shown(old), "new": _shown(new)}
            for name, (old, new) in fields.items()
        ],
    }


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else sentences.shown(value)


def views() -> list[DeskView]:
    """The view of the log."""
    return [AuditView(name="Audit log", endpoint="audit", url="/admin/audit")]
