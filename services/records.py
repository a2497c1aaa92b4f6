"""Editing ordinary rows directly: one function that saves, and one that says beforehand what it would do.

A save is made on the version that its form was read from; it needs a reason where people are concerned
and leaves the difference in the audit log. What a row may become is in record_rules.py.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import inspect, select
from sqlalchemy.exc import IntegrityError

from language import _l
from models import AuditEvent, Base, Staff, db
from permissions import Permission, allowed
from services import audit
from services.access import LONGEST_TICKET, must_prove, require, require_proof
from services.errors import NotFound, Refusal, Stale
from services.record_rules import RULES, Rule
from services.transaction import locked

LONGEST_REASON = 500


class Difference(NamedTuple):
    """A column that a save would change; names of rows stand in for their numbers."""

    name: str
    before: Any
    after: Any


class Plan(NamedTuple):
    """What a save would do: the columns that change, and what follows from it in sentences."""

    changes: list[Difference]
    effects: list[str]


class Conflict(Stale):
    """Somebody saved after the form was read; `row` is as it stands now."""

    def __init__(self, row: Base, by: str, at: datetime | None) -> None:
        super().__init__(_l("Somebody else changed this in the meantime. Nothing was saved."))
        self.row = row
        self.by = by
        self.at = at


def may_edit(actor: Staff, model: type[Base]) -> bool:
    """Whether this actor may edit rows of that table at all."""
    return model in RULES and allowed(actor, RULES[model].permission)


def needs_reason(model: type[Base]) -> bool:
    """Whether a save of such a row has to say why."""
    return RULES[model].needs_reason


def needs_proof(actor: Staff, model: type[Base]) -> bool:
    """Whether this actor has to name a ticket and have verified who is asking."""
    return RULES[model].needs_proof and must_prove(actor)


def needs_fresh(model: type[Base]) -> bool:
    """Whether editing such a row takes a sign-in of a moment ago."""
    return RULES[model].needs_fresh


def plan(*, actor: Staff, model: type[Base], record_id: int, version: int, values: Mapping[str, Any]) -> Plan:
    """What saving these values would change, without changing anything.

    Raises NotAllowed, NotFound, Conflict, and Refusal at the field that cannot be saved so.
    """
    rule = _rule(actor, model)
    row = db.session.get(model, record_id, populate_existing=True)
    if row is None:
        raise NotFound
    _refuse_conflict(row, version)
    wanted = rule.prepare(actor, row, _allowed_values(rule, values))
    changed = {name: value for name, value in wanted.items() if getattr(row, name) != value}
    shown = [
        Difference(name, rule.named(name, getattr(row, name)), rule.named(name, value))
        for name, value in changed.items()
        if name in rule.fields
    ]
    return Plan(shown, rule.effects(row, changed))


def save(
    *,
    actor: Staff,
    model: type[Base],
    record_id: int,
    version: int,
    values: Mapping[str, Any],
    reason: str = "",
    ticket: str = "",
    identity_verified: bool = False,
) -> Base:
    """Save these values in the row, which is locked meanwhile; unchanged values leave no trace.

    Raises NotAllowed, NotFound, Conflict when `version` is not the newest, and Refusal at the field
    that is wrong or missing: `reason`, and for support on affiliations `ticket` and `identity_verified`.
    """
    rule = _rule(actor, model)
    reason, ticket = reason.strip(), ticket.strip()
    rule.lock_first(record_id)
    row = locked(model, record_id)
    _refuse_conflict(row, version)
    wanted = rule.prepare(actor, row, _allowed_values(rule, values))
    changed = {name: value for name, value in wanted.items() if getattr(row, name) != value}
    if not changed:
        return row
    if rule.needs_reason and not reason:
        raise Refusal("Enter the reason for this change", field="reason")
    if len(reason) > LONGEST_REASON:
        raise Refusal(f"The reason must be {LONGEST_REASON} characters or fewer", field="reason")
    facts: dict[str, Any] = {}
    if needs_proof(actor, model):
        require_proof(ticket=ticket, identity_verified=identity_verified)
    if ticket:
        facts["ticket"] = ticket[:LONGEST_TICKET]
    before = {name: getattr(row, name) for name in changed}
    for name, value in changed.items():
        setattr(row, name, value)
    _flush(rule)
    verb, more = rule.told(row, before)
    names = {
        name: [rule.named(name, before[name]), rule.named(name, value)]
        for name, value in changed.items()
        if name in rule.references
    }
    audit.record(actor=actor, verb=verb, subject=row, reason=reason, **{**facts, **names, **more})
    rule.follow(actor, row, before)
    return row


def create(*, actor: Staff, model: type[Base], values: Mapping[str, Any]) -> Base:
    """Make a row of a table that rows are added to directly: schools.

    Raises NotAllowed, NotFound for other tables, Refusal at the field that is wrong.
    """
    rule = _rule(actor, model)
    if not rule.created_verb:
        raise NotFound
    row = model()
    for name, value in rule.prepare(actor, row, _allowed_values(rule, values)).items():
        setattr(row, name, value)
    db.session.add(row)
    _flush(rule)
    audit.record(actor=actor, verb=rule.created_verb, subject=row)
    return row


def last_change(row: Base) -> tuple[str, datetime | None]:
    """Who changed the row last and when, as the audit log has it; ("", None) when nobody did."""
    found = db.session.execute(
        select(AuditEvent.actor_label, AuditEvent.created_at)
        .where(
            AuditEvent.subject_table == row.__tablename__,
            AuditEvent.subject_id == (inspect(row).identity or (0,))[0],
        )
        .order_by(AuditEvent.id.desc())
        .limit(1)
    ).first()
    return (found.actor_label, found.created_at) if found else ("", None)


def _rule(actor: Staff, model: type[Base]) -> Rule:
    if model not in RULES:
        raise NotFound
    require(actor, Permission.USE_DESK)
    require(actor, RULES[model].permission)
    return RULES[model]


def _allowed_values(rule: Rule, values: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := values.keys() - set(rule.fields):
        raise KeyError(f"not edited directly: {', '.join(sorted(unknown))}")
    return dict(values)


def _refuse_conflict(row: Any, version: int) -> None:
    if row.version != version:
        raise Conflict(row, *last_change(row))


def _flush(rule: Rule) -> None:
    """Write the row; two people may have taken one address or code at the same moment."""
    try:
        db.session.flush()
    except IntegrityError as error:
        raise Refusal(
            "Somebody took this in the meantime. Choose another.", field=rule.unique_field
        ) from error
