"""Proving that the audit log is what was written: every event's hash, their chain, its end.

A chain alone shows a changed, removed or inserted event, but not a tail that was cut off or a log that
was written anew as a whole. Signed checkpoints outside of the database show these two.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select

import clock
import config
from models import AuditEvent, AuditHead, JobRun, db
from services import audit, keys

FILE = "audit-checkpoints.jsonl"
#: What a verdict lists at most: after that much the log is not to be believed anyway.
MOST_FINDINGS = 50
BATCH = 5_000
FIRST = "0" * 64  #: what the first event names as the hash before it


class Finding(NamedTuple):
    """Something that is not as it was written: where, and in one sentence what."""

    event_id: int
    text: str

    def __str__(self) -> str:
        return f"Event {self.event_id}: {self.text}" if self.event_id else self.text


class Checkpoint(NamedTuple):
    """How far the chain was at a moment, signed with our key; each names the one before."""

    event_id: int
    hash: str
    at: str
    signature: str


@dataclass
class Verdict:
    """What a verification found; `since` is the event after which it began, 0 for the whole log."""

    checked: int = 0
    last_id: int = 0
    since: int = 0
    checkpoints: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not self.findings

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        where = f"after event {self.since}" if self.since else "from the first"
        if self.is_whole:
            return f"{self.checked:,} events {where} are as they were written."
        return f"{len(self.findings)} things are wrong among {self.checked:,} events {where}."

    def __str__(self) -> str:
        return "\n".join([self.sentence, *(str(finding) for finding in self.findings)])

    def add(self, event_id: int, text: str) -> None:
        """Note a finding, unless there are more than enough."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(event_id, text))


# MARK: Verifying


def verify(*, since_checkpoint: bool = False) -> Verdict:
    """Read the log and say what is not as it was written; with `since_checkpoint` only what came after
    the newest checkpoint that still fits, which takes no longer in a long log than in a short one."""
    marks, verdict = _checkpoints(), Verdict()
    verdict.checkpoints = len(marks)
    kept = _check_signatures(marks, verdict)
    last = FIRST
    if since_checkpoint and kept:
        verdict.since, last = kept[-1].event_id, kept[-1].hash
    expected = verdict.since
    by_number = {mark.event_id: mark for mark in kept}
    if expected:
        _check_marks(kept[-1:], verdict)
    for row in _events(expected):
        number = row["id"]
        if number != expected + 1:
            missing = number - expected - 1
            which = f"event {expected + 1}" if missing == 1 else f"events {expected + 1} to {number - 1}"
            verdict.add(number, f"{which} before it {'is' if missing == 1 else 'are'} missing.")
        elif row["previous_hash"] != last:
            verdict.add(number, "does not follow the event before it: one of them was put in or exchanged.")
        if audit.chain_hash(row) != row["hash"]:
            verdict.add(number, "was changed after it was written.")
        if (mark := by_number.get(number)) is not None and mark.hash != row["hash"]:
            verdict.add(number, f"is not the one of the checkpoint of {mark.at}: the log was written anew.")
        expected, last = number, row["hash"]
        verdict.checked += 1
    verdict.last_id = expected
    _check_end(verdict, expected, last, kept)
    return verdict


def _check_end(verdict: Verdict, last_id: int, last_hash: str, marks: list[Checkpoint]) -> None:
    head = db.session.execute(select(AuditHead.event_id, AuditHead.hash).where(AuditHead.id == 1)).first()
    if head is None:
        verdict.add(0, "The end of the log is not known any more: its row is gone.")
    elif head.event_id > last_id:
        verdict.add(
            last_id, f"is the last, but events up to {head.event_id} were written: the end is missing."
        )
    elif head.event_id < last_id or head.hash != last_hash:
        verdict.add(last_id, "is not where the log ended: something was put in at its end.")
    signing = db.session.get(JobRun, "audit.checkpoint")
    if not marks and last_id and signing is not None and signing.last_ended_at is not None:
        verdict.add(0, f"Checkpoints were signed, but {FILE} holds none of them: it was taken away.")
    beyond = [mark for mark in marks if mark.event_id > last_id]
    if beyond:
        verdict.add(
            last_id,
            f"is the last, but on {beyond[-1].at} there were {beyond[-1].event_id}: the end was cut off.",
        )


def _check_signatures(marks: list[Checkpoint], verdict: Verdict) -> list[Checkpoint]:
    """The checkpoints that we signed, in the order in which we did."""
    kept: list[Checkpoint] = []
    before = ""
    for mark in marks:
        wanted = _signature(before, mark.event_id, mark.hash, mark.at)
        if not any(keys.same(each, mark.signature) for each in wanted):
            verdict.add(
                mark.event_id, f"The checkpoint of {mark.at} is not signed by us, or one before it is gone."
            )
        else:
            kept.append(mark)
        before = mark.signature
    return kept


def _check_marks(marks: list[Checkpoint], verdict: Verdict) -> None:
    """Whether the events of these checkpoints are still those."""
    for mark in marks:
        found = db.session.scalar(select(AuditEvent.hash).where(AuditEvent.id == mark.event_id))
        if found is not None and found != mark.hash:
            verdict.add(
                mark.event_id, f"is not the one of the checkpoint of {mark.at}: the log was written anew."
            )


def _events(after: int) -> Iterator[dict[str, Any]]:
    """Every event after that one as `audit.chain_hash` takes it, in order, a batch at a time."""
    names = (*audit.HASHED, "previous_hash", "hash")
    # The table's columns, not the model's: plain tuples, at half of the time.
    table = AuditEvent.__table__.c
    columns = [table[name] for name in names]
    while True:
        rows = db.session.execute(
            select(*columns).where(table.id > after).order_by(table.id).limit(BATCH)
        ).all()
        for row in rows:
            yield dict(zip(names, row, strict=True))
        if len(rows) < BATCH:
            return
        after = rows[-1].id


# MARK: Checkpoints


def checkpoint() -> Checkpoint | None:
    """Sign how far the log is and keep it outside of the database; None when nothing was added since."""
    head = db.session.execute(select(AuditHead.event_id, AuditHead.hash).where(AuditHead.id == 1)).one()
    marks = _checkpoints()
    if not head.event_id or (marks and marks[-1].event_id == head.event_id):
        return None
    at = clock.now().isoformat(timespec="seconds")
    before = marks[-1].signature if marks else ""
    mark = Checkpoint(head.event_id, head.hash, at, _signature(before, head.event_id, head.hash, at)[0])
    path = config.current().data_dir / FILE
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
        file.write(json.dumps(mark._asdict()) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return mark


def last_checkpoint() -> datetime | None:
    """When the log was last signed."""
    marks = _checkpoints()
    try:
        return datetime.fromisoformat(marks[-1].at) if marks else None
    except ValueError:
        return None


def length() -> int:
    """How many events the log has, by its end."""
    return int(db.session.scalar(select(func.max(AuditHead.event_id))) or 0)


def _checkpoints() -> list[Checkpoint]:
    """What the file holds; a line that cannot be read counts as a checkpoint that nobody signed."""
    path = config.current().data_dir / FILE
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            read = json.loads(line)
            found.append(
                Checkpoint(int(read["event_id"]), str(read["hash"]), str(read["at"]), str(read["signature"]))
            )
        except (ValueError, KeyError, TypeError):
            found.append(Checkpoint(0, "", "an unreadable line", ""))
    return found


def _signature(before: str, *parts: object) -> list[str]:
    """The signature that counts, first with today's key, then with the earlier ones."""
    settings = config.current()
    return [
        keys.sign_with(key, "audit-checkpoint", before, *parts)
        for key in (settings.secret_key, *settings.secret_key_fallbacks)
    ]
