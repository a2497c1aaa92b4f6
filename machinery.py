"""Pages for machines: whether the process lives, whether it can serve, and its numbers for Prometheus."""

import os
import secrets
import shutil
import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from flask import Blueprint, Flask, Response, abort, g, jsonify, request
from flask.typing import ResponseReturnValue
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import func, insert, select

import clock
import config
from models import JobRun, Mail, MailStatus, db
from permissions import public
from services import jobs, keys, schema, storage

log = structlog.get_logger()
machinery = Blueprint("machinery", __name__)

LEAST_DISK = 200 * 1024 * 1024  #: bytes free in DATA_DIR
OLDEST_MAIL = timedelta(minutes=15)
#: What a proxy adds; with any of it, a loopback address is the proxy's and not the visitor's.
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-Ip")

REQUESTS = Counter("portico_requests", "Requests answered", ["method", "endpoint", "status"])
SECONDS = Histogram("portico_request_seconds", "Time to answer", ["endpoint"])


def register(app: Flask) -> None:
    """Add the pages, and count and log every request."""
    app.before_request(_begin)
    app.after_request(_count)
    app.register_blueprint(machinery)


# MARK: Alive and ready


@machinery.get("/healthz")
@public
def show_health() -> ResponseReturnValue:
    """The process answers; nothing else is asked."""
    return jsonify(status="ok")


@machinery.get("/readyz")
@public
def show_readiness() -> ResponseReturnValue:
    """Whether everything that serving takes is there; what is missing is told on this machine only."""
    problems = {name: problem for name, check in CHECKS.items() if (problem := _problem(check))}
    if problems:
        log.warning("not_ready", **problems)
    answer: dict[str, object] = {"status": "not ready" if problems else "ok"}
    if _is_loopback():
        answer["problems"] = problems
    return jsonify(answer), 503 if problems else 200


def _problem(check: Callable[[], str]) -> str:
    try:
        return check()
    except Exception as error:
        db.session.rollback()
        return f"{type(error).__name__}: {error}"[:300]


def _database() -> str:
    """Reading is not enough: a full disk or a lost primary shows when something is written."""
    with (
        db.engine.connect().execution_options(sqlite_begin="IMMEDIATE") as connection,
        connection.begin() as probe,
    ):
        connection.execute(insert(JobRun).values(name=f"probe-{secrets.token_hex(8)}"))
        probe.rollback()
    return ""


def _storage() -> str:
    return "" if storage.is_reachable() else "the storage of STORAGE_URL does not answer"


def _disk() -> str:
    free = shutil.disk_usage(config.current().data_dir).free
    return "" if free >= LEAST_DISK else f"only {free // (1 << 20)} MB are free in DATA_DIR"


def _mails() -> str:
    oldest = db.session.scalar(select(func.min(Mail.due_at)).where(Mail.status == MailStatus.QUEUED))
    if oldest is None or clock.now() - oldest < OLDEST_MAIL:
        return ""
    return f"a mail has been due since {oldest:%Y-%m-%d %H:%M} UTC: is the worker running?"


def _worker() -> str:
    beat = jobs.last_beat()
    if beat is not None and clock.now() - beat < jobs.HEARTBEAT_FRESH:
        return ""
    return "no worker has been heard for 60 seconds: start `flask jobs work`"


CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "migrations": schema.problem,
    "storage": _storage,
    "disk": _disk,
    "mails": _mails,
    "worker": _worker,
}


# MARK: Numbers


@machinery.get("/metrics")
@public
def show_metrics() -> ResponseReturnValue:
    """The numbers, to whoever has METRICS_TOKEN, or to this machine where none is set."""
    token = config.current().metrics_token
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not (keys.same(given, token) if token else _is_loopback()):
        abort(404)
    registry = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)
    else:
        registry.register(REGISTRY)
    body = generate_latest(registry) + generate_latest(_of_the_database())
    return Response(body, content_type=CONTENT_TYPE_LATEST)


def _of_the_database() -> CollectorRegistry:
    """What every process sees alike: what waits in the database. Only rows that wait are counted."""
    registry = CollectorRegistry()
    mails = Gauge("portico_mails", "Mails that are not sent", ["status"], registry=registry)
    waiting = select(Mail.status, func.count()).where(Mail.status != MailStatus.SENT).group_by(Mail.status)
    for status in (MailStatus.QUEUED, MailStatus.SENDING, MailStatus.FAILED):
        mails.labels(status.value).set(0)
    for status, number in db.session.execute(waiting).all():
        mails.labels(status.value).set(number)
    ages = Gauge("portico_job_age_seconds", "Since a job last ended", ["job"], registry=registry)
    for name, ended in db.session.execute(select(JobRun.name, JobRun.last_ended_at)).all():
        if ended is not None:
            ages.labels(name).set((clock.now() - ended).total_seconds())
    return registry


# MARK: Every request


def _begin() -> None:
    g.answering_since = time.perf_counter()


def _count(response: Response) -> Response:
    """Count and log the request: by its endpoint, for paths hold tokens and numbers without end."""
    since = g.get("answering_since")
    seconds = time.perf_counter() - since if since is not None else 0.0
    endpoint = request.endpoint or "none"
    REQUESTS.labels(request.method, endpoint, str(response.status_code)).inc()
    SECONDS.labels(endpoint).observe(seconds)
    if request.blueprint != machinery.name and endpoint != "asset":
        log.info(
            "request",
            method=request.method,
            path=request.path[:200],
            endpoint=endpoint,
            status=response.status_code,
            ms=round(seconds * 1000, 1),
        )
    return response


def _is_loopback() -> bool:
    """Whether a program on this very machine asks, and not a proxy on it for somebody else."""
    if any(name in request.headers for name in FORWARDED):
        return False
    return (request.remote_addr or "") in {"127.0.0.1", "::1"}
