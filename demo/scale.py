"""Deterministic data at scale: the same number and seed make the same rows, on either database.

With N deals' worth: organizations 1 % of N, entities 2 %, people 20 %, affiliations 24 %, invitations
4 %, schools 1 %, audit events 2 × N (chained like any others).
"""

import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, text, update

import models
from demo import rows
from models import AuditEvent, AuditHead, Base, Organization, db
from services import audit
from services.errors import Refusal
from services.transaction import transaction

BATCH = 5_000


def generate(deals: int, seed: int, tell: Callable[[str], None] = print) -> None:
    """Fill an empty database with `deals` deals' worth of partners.

    Raises Refusal when there are partners already: rows would collide, and real ones must not be mixed
    with made-up ones.
    """
    if db.session.scalar(select(func.count()).select_from(Organization)):
        raise Refusal("The database already has partners: generate needs one without any.")
    size = rows.Size(deals)
    for model, made in (
        (models.School, rows.schools(size, seed)),
        (models.Organization, rows.organizations(size, seed)),
        (models.Entity, rows.entities(size, seed)),
        (models.Person, rows.people(size, seed)),
        (models.Affiliation, rows.affiliations(size, seed)),
        (models.Invitation, rows.invitations(size, seed)),
    ):
        _load(model, made, tell)
    _load_events(rows.events(size, seed), tell)
    with transaction() as session:
        _take_time(session.connection())
        _settle(session.connection())


# MARK: Loading


def _load(model: type[Base], lines: Iterable[rows.Row], tell: Callable[[str], None]) -> None:
    with transaction() as session:
        count = _put(session.connection(), model, lines)
    tell(f"{count:>10,} {model.__tablename__}")


def _load_events(lines: Iterable[rows.Row], tell: Callable[[str], None]) -> None:
    with transaction() as session:
        head = session.execute(select(AuditHead).with_for_update()).scalar_one()
        chain = _Chain(head.event_id, head.hash)
        count = _put(session.connection(), AuditEvent, map(chain.link, lines))
        session.execute(update(AuditHead).values(event_id=chain.number, hash=chain.hash))
    tell(f"{count:>10,} audit_events")


@dataclass
class _Chain:
    """The end of the audit chain while rows are linked to it."""

    number: int
    hash: str

    def link(self, row: rows.Row) -> rows.Row:
        self.number += 1
        row |= {"id": self.number, "previous_hash": self.hash}
        self.hash = row["hash"] = audit.chain_hash(row)
        return row


def _put(connection: Connection, model: type[Base], lines: Iterable[rows.Row]) -> int:
    table = Base.metadata.tables[model.__tablename__]
    if connection.dialect.name == "postgresql":
        _take_time(connection)
        return _copy(connection, table, lines)
    count = 0
    for batch in _batches(lines):
        connection.execute(insert(table), [_typed(model, row) for row in batch])
        count += len(batch)
    return count


def _take_time(connection: Connection) -> None:
    """A million rows on a busy machine take longer than the statement of a request may."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))


def _typed(model: type[Base], row: rows.Row) -> rows.Row:
    """The row with values as the columns want them: enums as members."""
    typed = dict(row)
    for name, value in row.items():
        kind = getattr(model.__table__.c[name].type, "enum_class", None)
        if kind is not None and value is not None:
            typed[name] = kind(value)
    return typed


def _copy(connection: Connection, table: Table, lines: Iterable[rows.Row]) -> int:
    count = 0
    columns = [column.name for column in table.columns]
    named = ", ".join(f'"{name}"' for name in columns)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({named}) FROM STDIN") as copy:
        for batch in _batches(lines):
            packed = io.StringIO()
            for row in batch:
                packed.write("\t".join(_field(row[name]) for name in columns) + "\n")
            copy.write(packed.getvalue())
            count += len(batch)
    return count


def _field(value: Any) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, dict):
        value = json.dumps(value)
    elif isinstance(value, datetime):
        value = value.isoformat()
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def _batches(lines: Iterable[rows.Row]) -> Iterator[list[rows.Row]]:
    batch: list[rows.Row] = []
    for row in lines:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _settle(connection: Connection) -> None:
    """Sequences after the loaded ids, and statistics for the planner."""
    if connection.dialect.name == "postgresql":
        for table in Base.metadata.sorted_tables:
            if "id" in table.c and table.c.id.autoincrement is not False and table.name != "audit_head":
                sequence = f"pg_get_serial_sequence('{table.name}', 'id')"
                newest = f"(SELECT max(id) FROM {table.name})"  # noqa: S608 – our own table names
                connection.execute(text(f"SELECT setval({sequence}, {newest}) WHERE {newest} IS NOT NULL"))
    connection.execute(text("ANALYZE"))
