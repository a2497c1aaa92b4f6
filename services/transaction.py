"""transaction(): one change, one commit, one trace."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Select, event, inspect, select
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from language import _l
from models import Base, db
from services import audit
from services.errors import NotFound, Refusal, Stale

Row = TypeVar("Row", bound=Base)
#: Called with the session after each commit; the jobs room puts its wake-up here.
after_commit: list[Callable[[], None]] = []


@contextmanager
def transaction() -> Iterator[Session]:
    """Do one change: everything inside is committed together with its audit events, or nothing is.

    What was read before is let go first, so that a writer starts on the newest state (on SQLite with
    BEGIN IMMEDIATE: two writers queue instead of failing).

    Raises Stale when somebody else saved one of the rows in between; audit.Untraced, a bug, when an
    audited row changed without an event.
    """
    session = db.session()
    if session.info.get("in_transaction"):
        raise RuntimeError("transaction() inside transaction(): one change, one commit")
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("rows were changed outside of transaction()")
    session.commit()
    session.info["in_transaction"] = True
    try:
        session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
        try:
            yield session
        except Refusal as refusal:
            if refusal.keeps_trace:
                _commit(session)
            raise
        _commit(session)
    except StaleDataError as stale:
        session.rollback()
        raise Stale(_l("Somebody else changed this in the meantime. Nothing was saved.")) from stale
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info.pop("in_transaction", None)
        audit.forget(session)
    for wake in after_commit:
        wake()


def _commit(session: Session) -> None:
    session.flush()
    audit.seal(session)
    session.commit()


def locked(model: type[Row], number: int) -> Row:
    """The row as it is now, held until the transaction ends. Raises NotFound where there is none.

    Session.get would do the same and refuse a row that changed since it was read: right for a form that
    somebody filled, wrong for a second click that has only come too late.
    """
    row = db.session.scalar(held(select(model).where(inspect(model).primary_key[0] == number)))
    if row is None:
        raise NotFound
    return row


def held(rows: Select[Row]) -> Select[Row]:
    """The same query, whose rows are read as they are now and held until the transaction ends.

    Their keys are not: what only points to such a row, as an audit event does, need not wait.
    """
    return rows.with_for_update(key_share=True).execution_options(populate_existing=True)


@contextmanager
def aside() -> Iterator[Connection]:
    """A short transaction beside the session: for counters and marks that stand whatever a change becomes.

    Not inside of transaction(): on SQLite the two would wait for each other.
    """
    if db.session().info.get("in_transaction"):
        raise RuntimeError("aside() inside transaction()")
    with db.engine.connect().execution_options(sqlite_begin="IMMEDIATE") as connection, connection.begin():
        yield connection


@event.listens_for(Engine, "connect")
def _set_up_sqlite(connection: object, _record: object) -> None:
    """Real transactions, durable commits and foreign keys on SQLite."""
    if type(connection).__module__ != "sqlite3":
        return
    connection.isolation_level = None  # type: ignore[attr-defined]  # we say BEGIN ourselves
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@event.listens_for(Engine, "begin")
def _begin_sqlite(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        kind = connection.get_execution_options().get("sqlite_begin", "")
        connection.exec_driver_sql(f"BEGIN {kind}".strip())
