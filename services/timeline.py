"""What happened to a partner or a person, newest first, told from the audit log in sentences.

Staff see everything with reasons, changes and each mail's fate; partners see what concerns their team,
without reasons, addresses or mails. An event costs no query of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, bindparam, or_, select, union_all

import language
from models import AuditEvent, Entity, Mail, Organization, Person, db
from permissions import Contact, Permission, allowed
from services import audit
from services.sentences import Change, Link, Part, note_body, sentence_of, told_changes, word

__all__ = ["KINDS", "Happening", "Timeline", "recent", "timeline_of", "word"]

ALL, NOTES, CHANGES, SIGN_INS, EMAILS = "all", "notes", "changes", "sign-ins", "emails"
#: The filters above a timeline.
KINDS = (ALL, NOTES, CHANGES, SIGN_INS, EMAILS)

_NOTE_VERBS = ("note.added",)
_MAIL_VERBS = ("mail.retried", "person.bounced")
_SIGN_IN_VERBS = tuple(verb for verb in audit.VERBS if verb.startswith("session."))
#: In the audit log, but told by what stands beside them.
_SILENT_VERBS = ("access.denied", "person.created")
_CHANGE_VERBS = tuple(
    verb
    for verb in audit.VERBS
    if verb.partition(".")[0] in {"organization", "entity", "school", "invitation", "contact", "person"}
    and verb not in (*_MAIL_VERBS, *_SILENT_VERBS)
)
_VERBS_OF = {NOTES: _NOTE_VERBS, CHANGES: _CHANGE_VERBS, SIGN_INS: _SIGN_IN_VERBS, EMAILS: _MAIL_VERBS}

#: What partners read about themselves, and the part of it that takes `view_team`.
_TEAM_VERBS = tuple(
    verb
    for verb in audit.VERBS
    if verb.partition(".")[0] in {"invitation", "contact"} and verb != "contact.added"  # accepting says it
)
_OWN_VERBS = (
    "entity.created",
    "entity.activated",
    "entity.changed",
    "entity.profile_completed",
    "entity.suspended",
    "entity.resumed",
    "person.profile_completed",
)


@dataclass(frozen=True)
class Happening:
    """One line of a timeline."""

    id: int
    verb: str
    at: datetime
    by: str  #: who did it; the sentence names them, too
    sentence: tuple[Part, ...]
    reason: str = ""
    changes: tuple[Change, ...] = ()
    address: str = ""  #: IP address; always empty for partners
    mail_status: str = ""  #: of a mail: queued, sending, sent, failed

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.sentence)

    @property
    def at_text(self) -> str:
        text = language.relative(self.at)
        return language.moment(self.at) if text == language.day(self.at) else text

    @property
    def at_title(self) -> str:
        return language.moment(self.at)

    @property
    def at_iso(self) -> str:
        return language.utc(self.at)


@dataclass(frozen=True)
class Timeline:
    """A page of happenings; `older` is the `before` of the next page, None on the last."""

    events: list[Happening] = field(default_factory=list)
    older: int | None = None

    def __iter__(self) -> Iterator[Happening]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self.events)


_COLUMNS = (
    AuditEvent.id,
    AuditEvent.created_at,
    AuditEvent.actor_kind,
    AuditEvent.actor_id,
    AuditEvent.actor_label,
    AuditEvent.verb,
    AuditEvent.subject_table,
    AuditEvent.subject_id,
    AuditEvent.subject_label,
    AuditEvent.entity_id,
    AuditEvent.changes,
    AuditEvent.facts,
    AuditEvent.reason,
    AuditEvent.address,
)


def timeline_of(
    *,
    entity: Entity | None = None,
    person: Person | None = None,
    limit: int = 25,
    before: int | None = None,
    kind: str = ALL,
    for_partner: bool = False,
    viewer: Contact | None = None,
    link: Link | None = None,
) -> Timeline:
    """What happened to that partner or person, at most `limit` events older than event `before`.

    `for_partner` keeps to what partners may read; `viewer` also leaves out what their role hides.
    Staff's "all" and "emails" add the mails of the same span with their delivery state.
    """
    owner: Entity | Person | None = entity if entity is not None else person
    if owner is None:
        raise TypeError("a timeline is of an entity or of a person")
    verbs = _verbs(kind, for_partner=for_partner, viewer=viewer)
    statement = _statement(type(owner), verbs, is_older=before is not None, limit=limit + 1, own=for_partner)
    asked = {"owner": owner.id, "organization": entity and entity.organization_id, "before": before}
    rows = list(db.session.execute(statement, asked))
    more = len(rows) > limit
    rows = rows[:limit]
    events = [_happening(row, for_partner=for_partner, link=link) for row in rows]
    if not for_partner and kind in (ALL, EMAILS):
        since = rows[-1].created_at if more else None
        events += _mails(entity=entity, person=person, since=since, before=before)
        events.sort(key=lambda event: (event.at, event.id), reverse=True)
    return Timeline(events, rows[-1].id if more else None)


def recent(*, limit: int = 10, link: Link | None = None) -> Timeline:
    """What happened last to any partner, and where: for the home page of the desk; no sign-ins."""
    statement = (
        select(*_COLUMNS)
        .where(AuditEvent.verb.in_((*_CHANGE_VERBS, *_NOTE_VERBS)), _is_no_echo())
        .order_by(AuditEvent.id.desc())
        .limit(limit)
    )
    rows = list(db.session.execute(statement))
    named = select(Entity.id, Entity.name).where(Entity.id.in_({row.entity_id for row in rows}))
    names = {row.id: row.name for row in db.session.execute(named)}
    events = []
    for row in rows:
        event = _happening(row, for_partner=False, link=link)
        where: tuple[Part, ...] = ()
        if row.entity_id in names and row.subject_table != Entity.__tablename__:
            url = link(Entity.__tablename__, row.entity_id) if link else ""
            where = (Part(" – "), Part(names[row.entity_id], url=url))
        events.append(replace(event, sentence=event.sentence + where, changes=()))
    return Timeline(events)


def tell(row: Any, *, link: Link | None = None) -> Happening:
    """One event of the log as a line of the timeline, for staff; `row` has the event's columns."""
    return _happening(row, for_partner=False, link=link)


# MARK: What is asked for


def _is_no_echo() -> ColumnElement[bool]:
    """Accepting an invitation adds the contact, too: one of the two is enough to read."""
    return or_(
        AuditEvent.verb != "contact.added",
        AuditEvent.actor_kind != "person",
        AuditEvent.actor_id != AuditEvent.person_id,
    )


def _verbs(kind: str, *, for_partner: bool, viewer: Contact | None) -> tuple[str, ...] | None:
    if for_partner:
        sees_team = viewer is None or allowed(viewer, Permission.VIEW_TEAM)
        return (*_OWN_VERBS, *_TEAM_VERBS) if sees_team else _OWN_VERBS
    return _VERBS_OF.get(kind)


@lru_cache(maxsize=64)
def _statement(
    of: type[Entity | Person], verbs: tuple[str, ...] | None, *, is_older: bool, limit: int, own: bool
) -> Select[Any]:
    """The newest events of an owner. Built once for each kind of question: building takes a third as long
    as everything else about it."""
    wanted = and_(
        AuditEvent.verb.in_(verbs) if verbs is not None else AuditEvent.verb.not_in(_SILENT_VERBS),
        _is_no_echo(),
        AuditEvent.id < bindparam("before", type_=BigInteger) if is_older else AuditEvent.id > 0,
    )
    branches = [
        select(*_COLUMNS).where(condition, wanted).order_by(AuditEvent.id.desc()).limit(limit).subquery()
        for condition in _conditions(of, own=own)
    ]
    if len(branches) == 1:
        rows: Any = branches[0]
    else:
        rows = union_all(*(select(branch) for branch in branches)).subquery()
    return select(rows).order_by(rows.c.id.desc()).limit(limit)


def _conditions(of: type[Entity | Person], *, own: bool) -> list[ColumnElement[bool]]:
    """One for each index, so that each limited query walks its own backwards and stops."""
    owner = bindparam("owner", type_=BigInteger)
    if of is Person:
        acted = and_(
            AuditEvent.actor_kind == "person",
            AuditEvent.actor_id == owner,
            or_(AuditEvent.person_id.is_(None), AuditEvent.person_id != owner),
        )
        return [AuditEvent.person_id == owner, acted]
    if own:
        return [AuditEvent.entity_id == owner]
    above = and_(
        AuditEvent.subject_table == Organization.__tablename__,
        AuditEvent.subject_id == bindparam("organization", type_=BigInteger),
        or_(AuditEvent.entity_id.is_(None), AuditEvent.entity_id != owner),
    )
    return [AuditEvent.entity_id == owner, above]


#: A span of a timeline never lists more mails than this; the mail log has them all.
_MOST_MAILS = 100


def _mails(
    *, entity: Entity | None, person: Person | None, since: datetime | None, before: int | None
) -> list[Happening]:
    """The mails of the span between two pages, each with its delivery state."""
    owner: ColumnElement[bool] = (
        Mail.entity_id == entity.id if entity is not None else Mail.person_id == (person and person.id)
    )
    statement = (
        select(Mail.id, Mail.verb, Mail.email, Mail.subject, Mail.status, Mail.created_at, Mail.last_error)
        .where(owner)
        .order_by(Mail.id.desc())
        .limit(_MOST_MAILS)
    )
    if since is not None:
        statement = statement.where(Mail.created_at >= since)
    if before is not None:
        start = select(AuditEvent.created_at).where(AuditEvent.id == before).scalar_subquery()
        statement = statement.where(Mail.created_at < start)
    return [
        Happening(
            id=-row.id,
            verb=row.verb,
            at=row.created_at,
            by="",
            sentence=(
                Part(f"Email “{row.subject or _mail_name(row.verb)}” to "),
                Part(row.email, is_strong=True),
                Part(f": {_MAIL_WORDS[row.status.value]}"),
            ),
            reason=row.last_error if row.status.value == "failed" else "",
            mail_status=row.status.value,
        )
        for row in db.session.execute(statement)
    ]


_MAIL_WORDS = {"queued": "queued", "sending": "being sent", "sent": "sent", "failed": "not delivered"}


def _mail_name(verb: str) -> str:
    """A mail's verb as words, while it has no subject yet: "invitation.created" → "Invitation created"."""
    return verb.replace(".", " ").replace("_", " ").capitalize()


# MARK: The sentences


def _happening(row: Any, *, for_partner: bool, link: Link | None) -> Happening:
    reason = "" if for_partner else row.reason
    if row.verb in _NOTE_VERBS:
        reason = note_body(row)
    return Happening(
        id=row.id,
        verb=row.verb,
        at=row.created_at,
        by=row.actor_label,
        sentence=sentence_of(row, link),
        reason=reason,
        changes=() if for_partner else told_changes(row.verb, row.changes, row.facts),
        address="" if for_partner else row.address,
    )
