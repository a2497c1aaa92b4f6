"""What runs after the page: named jobs, what falls due by itself, and the worker that does both.

What must not be lost is a row (a mail, a sign-in request) written with the change that causes it. `enqueue`
adds a hint that the carrier (services/job_carrier.py) brings to a worker within the second; a sweep finds
the rows whose hint got lost. So every job may run twice, or early, and does no harm.
"""

import pkgutil
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import event, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

import clock
import config
from models import JobRun, SignInRequest, db
from services import audit
from services.job_carrier import Carrier
from services.transaction import after_commit, transaction

log = structlog.get_logger()

#: Jobs that a change asks for, each under the name of the function that does it.
JOBS: dict[str, str] = {
    "jobs.sweep": "services.jobs:sweep",
    "mail.deliver": "services.mail_delivery:deliver_due",
    "sign_in.request": "services.sign_in_requests:handle_request",
}
#: Jobs that fall due by themselves: how often, and the function.
PERIODIC: dict[str, tuple[timedelta, str]] = {
    "audit.checkpoint": (timedelta(hours=1), "services.audit_chain:checkpoint"),
    "invitations.expire": (timedelta(minutes=5), "services.invitations:expire_due"),
    "limits.forget": (timedelta(hours=1), "services.limits:forget_old"),
}
#: How long a periodic job may take before another worker may start it anew.
PERIODIC_LEASE = timedelta(minutes=10)
#: The heartbeat's row among the job runs, and how old it may be while the worker counts as alive.
HEARTBEAT, HEARTBEAT_FRESH = "worker", timedelta(seconds=60)
#: How many waiting sign-in requests one sweep takes at a time.
SWEEP_SIZE = 100

_carrier: Carrier | None = None
_stopping = threading.Event()


def configure(settings: config.Settings) -> None:
    """Carry jobs as these settings say: over Redis, PostgreSQL or a file in DATA_DIR."""
    global _carrier  # noqa: PLW0603 – one process runs one Portico
    if _carrier is not None:
        _carrier.close()
    _carrier = Carrier(settings)


def enqueue(name: str, **payload: Any) -> None:
    """Have a worker do that job once the transaction we are in is committed; the payload is no secret."""
    if name not in JOBS:
        raise KeyError(f"unknown job {name!r}")
    session = db.session()
    if not session.info.get("in_transaction"):
        raise RuntimeError("jobs.enqueue outside of transaction()")
    asked: list[tuple[str, dict[str, Any]]] = session.info.setdefault("jobs", [])
    if (name, payload) not in asked:
        asked.append((name, payload))


def _hand_over() -> None:
    """Give the carrier what this transaction asked for; a carrier that is away only costs time."""
    asked: list[tuple[str, dict[str, Any]]] = db.session().info.pop("jobs", [])
    for name, payload in asked:
        send(name, **payload)


def send(name: str, **payload: Any) -> bool:
    """Give the carrier one job now; False when it could not take it (the sweep will find the row)."""
    if _carrier is None:
        return False
    try:
        _carrier.send(name, payload)
    except Exception as error:
        log.warning("carrier_away", job=name, error=str(error)[:200])
        return False
    return True


@event.listens_for(Session, "after_rollback")
def _forget_asked(session: Session) -> None:
    session.info.pop("jobs", None)


after_commit.append(_hand_over)


# MARK: Running


def run(name: str, payload: dict[str, Any]) -> None:
    """Do one job, traced under an id of its own."""
    if name not in JOBS:
        log.error("unknown_job", job=name)
        return
    with _traced(name):
        pkgutil.resolve_name(JOBS[name])(**payload)


def run_due() -> int:
    """One whole sweep for cron and tests: everything that waits and everything that is due.

    Gives the number of jobs that failed; each is in the log.
    """
    failed = 0
    if _carrier is not None:
        try:
            _carrier.drain()  # the sweep finds what these hints point at
        except Exception as error:
            log.warning("carrier_away", job="drain", error=str(error)[:200])
    failed += sweep()
    beat()
    return failed


def sweep() -> int:
    """Do what the hints may have missed, then what is due by the clock; gives the number that failed."""
    failed = _each_waiting_request()
    failed += not _done("mail.deliver", JOBS["mail.deliver"])
    for name, (every, function) in PERIODIC.items():
        if is_stopping():
            break
        if _claim(name, every):
            failed += not _run_periodic(name, function)
    failed += not _done("mail.deliver", JOBS["mail.deliver"])
    return failed


def is_stopping() -> bool:
    """Whether the worker was told to stop, so that long jobs leave the rest to the next one."""
    return _stopping.is_set()


def _each_waiting_request() -> int:
    failed = 0
    waiting = select(SignInRequest.id).where(SignInRequest.handled_at.is_(None)).order_by(SignInRequest.id)
    numbers = db.session.scalars(waiting.limit(SWEEP_SIZE)).all()
    db.session.rollback()
    for number in numbers:
        failed += not _done("sign_in.request", JOBS["sign_in.request"], request_id=number)
    return failed


def _done(name: str, function: str, **payload: Any) -> bool:
    """Run a function of the tables above; False when it failed, which the log then tells."""
    try:
        with _traced(name):
            pkgutil.resolve_name(function)(**payload)
    except Exception:
        db.session.rollback()
        log.exception("job_failed", job=name)
        return False
    return True


@contextmanager
def _traced(name: str) -> Iterator[None]:
    request_id = f"job-{secrets.token_hex(6)}"
    before = audit.origin.set(audit.Origin(request_id=request_id))
    with structlog.contextvars.bound_contextvars(request_id=request_id, job=name):
        try:
            yield
        finally:
            audit.origin.reset(before)


# MARK: By the clock, once among all workers


def _run_periodic(name: str, function: str) -> bool:
    succeeded = _done(name, function)
    with transaction() as session:
        session.execute(
            update(JobRun)
            .where(JobRun.name == name)
            .values(
                leased_until=None,
                last_ended_at=clock.now(),
                last_error="" if succeeded else "failed; see the log",
            )
        )
    return succeeded


def _claim(name: str, every: timedelta) -> bool:
    """Take the lease of a periodic job that is due; False where it is not, or another worker has it."""
    now = clock.now()
    run_of = select(JobRun.last_started_at, JobRun.leased_until).where(JobRun.name == name)
    seen = db.session.execute(run_of).one_or_none()
    if seen is not None and not _is_due(seen.last_started_at, seen.leased_until, now, every):
        return False
    with transaction() as session:
        _ensure_row(session, name)
        taken = session.execute(
            update(JobRun)
            .where(
                JobRun.name == name,
                or_(JobRun.leased_until.is_(None), JobRun.leased_until <= now),
                or_(JobRun.last_started_at.is_(None), JobRun.last_started_at <= now - every),
            )
            .values(leased_until=now + PERIODIC_LEASE, last_started_at=now)
        )
    return bool(taken.rowcount)  # type: ignore[attr-defined]


def _is_due(started: datetime | None, leased: datetime | None, now: datetime, every: timedelta) -> bool:
    return (leased is None or leased <= now) and (started is None or started <= now - every)


def _ensure_row(session: Session, name: str) -> None:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(dialect.insert(JobRun).values(name=name, last_error="").on_conflict_do_nothing())


# MARK: The worker


def beat() -> None:
    """Say that a worker is alive."""
    now = clock.now()
    with transaction() as session:
        _ensure_row(session, HEARTBEAT)
        beaten = {"last_started_at": now, "last_ended_at": now}
        session.execute(update(JobRun).where(JobRun.name == HEARTBEAT).values(beaten))


def last_beat() -> datetime | None:
    """When a worker last said that it is alive."""
    return db.session.scalar(select(JobRun.last_ended_at).where(JobRun.name == HEARTBEAT))


def work(context: Callable[[], Any], *, threads: int = 4) -> None:
    """Be a worker until told to stop by SIGTERM or SIGINT: what is running is finished, nothing new begun.

    `context` opens the application around each job.
    """
    if _carrier is None:
        raise RuntimeError("jobs.configure comes first")

    def in_context(name: str, payload: dict[str, Any]) -> None:
        with context():
            run(name, payload)

    def tick() -> None:
        with context():
            beat()
        if not send("jobs.sweep"):
            in_context("jobs.sweep", {})

    _stopping.clear()
    _carrier.work(in_context, tick, threads=threads, stopping=_stopping)
