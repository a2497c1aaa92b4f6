"""Who changed or fetched what: the verbs, the recording, and the chain that shows tampering.

A change calls `record`; `transaction()` calls `seal` last, which adds the difference of every row
that the session wrote, refuses rows that changed without an event, and chains the events.
"""

import enum
import hashlib
import json
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import event, insert, inspect, select, update
from sqlalchemy.orm import ORMExecuteState, Session
from sqlalchemy.orm.attributes import get_history

import clock
from language import LazyString, _l
from models import (
    Affiliation,
    Audited,
    AuditEvent,
    AuditHead,
    Base,
    Entity,
    Person,
    Staff,
    db,
)
from permissions import Actor, Contact

#: Everything that can happen, and the sentence a timeline shows for it. Placeholders: actor, subject,
#: and the facts that `record` was given.
VERBS: dict[str, LazyString] = {
    "organization.created": _l("%(actor)s created the organization %(subject)s"),
    "organization.changed": _l("%(actor)s changed the organization %(subject)s"),
    "organization.suspended": _l("%(actor)s suspended the organization %(subject)s"),
    "organization.resumed": _l("%(actor)s resumed the organization %(subject)s"),
    "entity.created": _l("%(actor)s created the partner %(subject)s"),
    "entity.changed": _l("%(actor)s changed the partner %(subject)s"),
    "entity.profile_completed": _l("%(actor)s completed the profile of %(subject)s"),
    "entity.activated": _l("%(subject)s became active"),
    "entity.suspended": _l("%(actor)s suspended %(subject)s"),
    "entity.resumed": _l("%(actor)s resumed %(subject)s"),
    "entity.offboarded": _l("%(actor)s offboarded %(subject)s"),
    "school.created": _l("%(actor)s created the school %(subject)s"),
    "school.changed": _l("%(actor)s changed the school %(subject)s"),
    "note.added": _l("%(actor)s added a note"),
    "invitation.created": _l("%(actor)s invited %(subject)s as %(role)s"),
    "invitation.resent": _l("%(actor)s sent the invitation to %(subject)s again"),
    "invitation.renewed": _l("%(actor)s renewed the invitation to %(subject)s"),
    "invitation.changed": _l("%(actor)s changed the invitation to %(subject)s"),
    "invitation.revoked": _l("%(actor)s cancelled the invitation to %(subject)s"),
    "invitation.expired": _l("The invitation to %(subject)s expired"),
    "invitation.asked": _l("%(subject)s asked for a new invitation"),
    "invitation.accepted": _l("%(actor)s accepted the invitation as %(role)s"),
    "contact.added": _l("%(actor)s added %(subject)s as %(role)s"),
    "contact.role_changed": _l("%(actor)s changed the role of %(subject)s from %(before)s to %(after)s"),
    "contact.overrides_changed": _l("%(actor)s changed what %(subject)s may do"),
    "contact.changed": _l("%(actor)s changed the affiliation of %(subject)s"),
    "contact.ended": _l("%(actor)s ended the access of %(subject)s"),
    "person.created": _l("%(actor)s created the person %(subject)s"),
    "person.changed": _l("%(actor)s changed the details of %(subject)s"),
    "person.profile_completed": _l("%(subject)s completed their profile"),
    "person.bounced": _l("Email to %(subject)s was refused for good"),
    "session.started": _l("%(actor)s signed in"),
    "session.ended": _l("%(actor)s signed out"),
    "session.revoked": _l("%(actor)s ended a session of %(subject)s"),
    "session.all_revoked": _l("%(actor)s signed %(subject)s out everywhere"),
    "session.binding_mismatch": _l("A session of %(subject)s was used from another browser and ended"),
    "staff.created": _l("%(actor)s created the staff account of %(subject)s"),
    "staff.changed": _l("%(actor)s changed the staff account of %(subject)s"),
    "staff.password_set": _l("%(subject)s chose a new password"),
    "staff.reset_requested": _l("%(actor)s asked for a new password for %(subject)s"),
    "staff.second_factor_added": _l("%(subject)s set up a second factor"),
    "staff.second_factor_removed": _l("%(actor)s removed the second factor of %(subject)s"),
    "staff.recovery_codes_made": _l("%(subject)s made new recovery codes"),
    "staff.recovery_code_used": _l("%(subject)s signed in with a recovery code"),
    "record.exported": _l("%(actor)s exported %(count)s rows of %(what)s"),
    "backup.restored": _l("%(actor)s restored the backup of %(made_at)s"),
    "company.changed": _l("%(actor)s changed the brand"),
    "mail.retried": _l("%(actor)s sent the email to %(subject)s again"),
    "access.denied": _l("%(actor)s was refused %(what)s"),
    "demo.loaded": _l("%(actor)s loaded the demonstration data"),
}


@dataclass(frozen=True)
class Origin:
    """Where a change comes from: the request, its address and its browser family."""

    request_id: str = ""
    address: str = ""
    agent: str = ""


#: Set by the doors for each request, by the worker for each job.
origin: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039 – frozen


class Untraced(RuntimeError):
    """An audited row changed and nothing was recorded: a bug in a service."""


@dataclass
class _Pending:
    verb: str
    actor: Actor
    subject: Base | None
    also: tuple[Base, ...]
    entity_id: int | None
    person: Person | None
    reason: str
    facts: dict[str, Any] = field(default_factory=dict)


def record(
    *,
    actor: Actor,
    verb: str,
    subject: Base | None = None,
    also: Iterable[Base] = (),
    entity: Entity | None = None,
    person: Person | None = None,
    reason: str = "",
    **facts: Any,
) -> None:
    """Say what is happening; the row is written with the transaction that the caller is in.

    `subject` is what it happened to, `also` other rows that the same act changed, `entity` and
    `person` whom it concerns where subject and actor do not tell, `facts` what the sentence names.
    """
    if verb not in VERBS:
        raise KeyError(f"unknown verb {verb!r}")
    session = db.session()
    if not session.info.get("in_transaction"):
        raise RuntimeError("audit.record outside of transaction()")
    entity_id = entity.id if entity is not None else None
    session.info.setdefault("pending", []).append(
        _Pending(verb, actor, subject, tuple(also), entity_id, person, reason[:500], facts)
    )


def seal(session: Session) -> None:
    """Write the recorded events with their differences, chained; called last in each transaction.

    Raises Untraced when an audited row changed that no event names.
    """
    pending: list[_Pending] = session.info.get("pending", [])
    changes: dict[str, dict[str, list[Any]]] = session.info.get("changes", {})
    claimed: set[str] = set()
    rows = []
    for item in pending:
        mine = {}
        for row in (item.subject, *item.also):
            key = _key(row) if row is not None else ""
            if key in changes and key not in claimed:
                claimed.add(key)
                mine[key] = changes[key]
        rows.append(_row(item, mine))
    if untraced := changes.keys() - claimed:
        raise Untraced(f"changed without an audit event: {', '.join(sorted(untraced))}")
    if rows:
        _append(session, rows)


def forget(session: Session) -> None:
    """Let go of what was collected, after a commit or a rollback."""
    session.info.pop("pending", None)
    session.info.pop("changes", None)


# MARK: The chain


def _append(session: Session, rows: list[dict[str, Any]]) -> None:
    head = session.execute(
        select(AuditHead.event_id, AuditHead.hash).where(AuditHead.id == 1).with_for_update()
    ).one()
    number, last = head.event_id, head.hash
    for row in rows:
        number += 1
        row["id"], row["previous_hash"] = number, last
        last = row["hash"] = chain_hash(row)
    session.execute(insert(AuditEvent), rows)
    session.execute(update(AuditHead).where(AuditHead.id == 1).values(event_id=number, hash=last))


HASHED = (
    "id",
    "created_at",
    "actor_kind",
    "actor_id",
    "actor_label",
    "on_behalf_of",
    "verb",
    "subject_table",
    "subject_id",
    "subject_label",
    "entity_id",
    "person_id",
    "changes",
    "facts",
    "reason",
    "address",
    "agent",
    "request_id",
)


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def chain_hash(row: dict[str, Any]) -> str:
    """SHA-256 over the previous hash and the row's canonical JSON (sorted keys, UTC microseconds)."""
    values = {name: row[name] for name in HASHED}
    values["created_at"] = row["created_at"].astimezone(UTC).isoformat(timespec="microseconds")
    text = _canonical(values)
    return hashlib.sha256(f"{row['previous_hash']}\n{text}".encode()).hexdigest()


def _row(item: _Pending, changes: dict[str, Any]) -> dict[str, Any]:
    where = origin.get()
    kind, actor_id = actor_key(item.actor)
    subject = item.subject
    return {
        "created_at": clock.now(),
        "actor_kind": kind,
        "actor_id": actor_id,
        "actor_label": item.actor.name[:200],
        "on_behalf_of": "",
        "verb": item.verb,
        "subject_table": subject.__tablename__ if subject is not None else "",
        "subject_id": _number(subject) if subject is not None else None,
        "subject_label": label(subject)[:200] if subject is not None else "",
        "entity_id": item.entity_id if item.entity_id is not None else _entity_of(subject, item.actor),
        "person_id": item.person.id if item.person is not None else _person_of(subject),
        "changes": changes,
        "facts": {name: _plain(value) for name, value in item.facts.items()},
        "reason": item.reason,
        "address": where.address,
        "agent": where.agent,
        "request_id": where.request_id,
    }


def actor_key(actor: Actor) -> tuple[str, int | None]:
    """The actor as kind and number: ("staff", 3), ("person", 12), ("system", None)."""
    if isinstance(actor, Staff):
        return "staff", actor.id
    if isinstance(actor, Contact):
        return "person", actor.person.id
    return "system", None


def label(row: Base) -> str:
    """The name under which the row appears in a timeline."""
    return row.person.name if isinstance(row, Affiliation) else str(row)


def _entity_of(subject: Base | None, actor: Actor) -> int | None:
    if isinstance(subject, Entity):
        return subject.id
    own = getattr(subject, "entity_id", None)
    return own if own is not None else (actor.entity.id if isinstance(actor, Contact) else None)


def _person_of(subject: Base | None) -> int | None:
    if isinstance(subject, Person):
        return subject.id
    for name in ("partner_user_id", "person_id", "accepted_by_id"):
        if (number := getattr(subject, name, None)) is not None:
            return int(number)
    return None


# MARK: Differences


def _key(row: Base) -> str:
    return f"{row.__tablename__}:{_number(row)}"


def _number(row: Base) -> int:
    """The row's primary key; known from its flush on."""
    (number,) = inspect(row).mapper.primary_key_from_instance(row)
    return int(number)


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, dict | list | bool | int | float) or value is None:
        return value
    return str(value)


@event.listens_for(Session, "after_flush")
def _collect(session: Session, _context: object) -> None:
    """Note what this flush writes of audited rows, from first value to last."""
    changes: dict[str, dict[str, list[Any]]] = session.info.setdefault("changes", {})
    for row in session.deleted:
        if isinstance(row, Audited):
            raise Untraced(f"{row} is audited and must not be deleted: end or archive it")
    # Not by Base: tables descend from what Flask-SQLAlchemy makes of it.
    audited: list[Any] = [row for row in (*session.new, *session.dirty) if isinstance(row, Audited)]
    for row in audited:
        if found := _difference(row, is_new=row in session.new):
            noted = changes.setdefault(_key(row), {})
            for name, (before, after) in found.items():
                noted[name] = [noted[name][0] if name in noted else before, after]


def _difference(row: Any, *, is_new: bool) -> dict[str, tuple[Any, Any]]:
    found = {}
    for attribute in inspect(row).mapper.column_attrs:
        name = attribute.key
        if name in row.audit_skipped:
            continue
        history = get_history(row, name)
        if not is_new and not history.has_changes():
            continue
        before = history.deleted[0] if history.deleted else None
        after = getattr(row, name)
        if before == after or (is_new and after in (None, "", {})):
            continue
        hidden = name in row.audit_masked
        found[name] = ("…", "…") if hidden else (_plain(before), _plain(after))
    return found


@event.listens_for(Session, "do_orm_execute")
def _refuse_untraced_bulk(state: ORMExecuteState) -> None:
    """A bulk UPDATE or DELETE passes the differences by, so audited tables take none."""
    if (state.is_update or state.is_delete) and not state.execution_options.get("logged"):
        mapper = state.bind_mapper
        if mapper is not None and issubclass(mapper.class_, Audited):
            raise Untraced(f"bulk change of {mapper.class_.__name__}: change rows one by one")
