"""Huey, which brings a job from the web process to a worker: over Redis, PostgreSQL or a file in DATA_DIR.

Only hints travel here, so nothing waits for the disk: whatever is lost, the sweep finds in the database.
"""

import contextlib
import json
import signal
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import structlog
from huey import Huey, PostgresHuey, RedisHuey, SqliteHuey
from huey.consumer import Consumer, Scheduler
from huey.registry import Message
from huey.serializer import Serializer
from sqlalchemy.engine import make_url

import config

log = structlog.get_logger()

Run = Callable[[str, dict[str, Any]], None]

#: How long a worker that polls a file sleeps between looks, at most; Redis and PostgreSQL call it instead.
POLL_SECONDS = 0.2
TICK_SECONDS = 10
#: How long a stopping worker waits for what is running.
STOP_SECONDS = 25
SCHEMA = "jobs"  #: of PostgreSQL, beside our own tables


class Carrier:
    """One queue of (name, payload), opened when it is first used."""

    def __init__(self, settings: config.Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._opened: Huey | None = None
        self._task: Any = None
        self._run: Run | None = None

    def send(self, name: str, payload: dict[str, Any]) -> None:
        """Put one job on the queue. Raises whatever the queue raises when it is away."""
        self._open()
        self._task(name, payload)

    def drain(self) -> int:
        """Take everything off the queue without doing it; gives how many there were."""
        queue = self._open()
        waiting = queue.pending_count()
        queue.storage.flush_queue()
        return int(waiting)

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            if self._opened is not None:
                self._opened.storage.close()
                self._opened = self._task = None

    def work(self, run: Run, tick: Callable[[], None], *, threads: int, stopping: threading.Event) -> None:
        """Do jobs until SIGTERM or SIGINT; `tick` is called every TICK_SECONDS."""
        self._run = run
        _Consumer(self._open(blocking=True), tick, threads, stopping).run()

    def _open(self, *, blocking: bool = False) -> Huey:
        with self._lock:
            if self._opened is None:
                self._opened = _queue(self._settings, blocking=blocking)
                self._task = self._opened.task(name="job")(self._do)
            return self._opened

    def _do(self, name: str, payload: dict[str, Any]) -> None:
        if self._run is None:
            raise RuntimeError("only a worker does jobs")
        try:
            self._run(name, payload)
        except Exception:
            log.exception("job_failed", job=name)


def _queue(settings: config.Settings, *, blocking: bool) -> Huey:
    common: dict[str, Any] = {"results": False, "serializer": _Plain()}
    if settings.redis_url:
        return RedisHuey("portico", url=settings.redis_url, blocking=blocking, **common)
    if settings.database_url.startswith("postgresql"):
        return PostgresHuey(
            "portico", connection=_connect_to(settings.database_url), blocking=blocking, **common
        )
    file = settings.data_dir / "jobs.sqlite3"
    return SqliteHuey("portico", filename=str(file), fsync=False, **common)


def _connect_to(database_url: str) -> Callable[[], psycopg.Connection[Any]]:
    """Connections whose tables lie in a schema of their own, out of the way of our migrations."""
    url = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)

    def connect() -> psycopg.Connection[Any]:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=5)
        with contextlib.suppress(psycopg.errors.UniqueViolation):  # another process made it just now
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        connection.execute(f"SET search_path TO {SCHEMA}")
        connection.execute("SET synchronous_commit TO off")
        return connection

    return connect


class _Plain(Serializer):
    """Messages as JSON: whoever can write to the queue can ask for a job, and run no code."""

    def _serialize(self, data: Message) -> bytes:
        return json.dumps([data.id, data.name, data.args, data.kwargs]).encode()

    def _deserialize(self, data: bytes) -> Message:
        number, name, args, kwargs = json.loads(bytes(data))
        return Message(number, name, args=tuple(args), kwargs=kwargs, retries=0, retry_delay=0)


class _Consumer(Consumer):
    """Huey's consumer, which finishes what is running on SIGTERM and SIGINT alike."""

    def __init__(
        self, queue: Huey, tick: Callable[[], None], threads: int, stopping: threading.Event
    ) -> None:
        self._tick = tick
        self._stopping = stopping
        super().__init__(
            queue,
            workers=threads,
            initial_delay=POLL_SECONDS / 2,
            max_delay=POLL_SECONDS,
            graceful_signal="TERM",
            shutdown_timeout=STOP_SECONDS,
        )
        self._signal_actions = {signal.SIGTERM: (False, True), signal.SIGINT: (False, True)}

    def _create_scheduler(self) -> "_Ticker":
        return _Ticker(self.huey, self.stop_flag, self._tick)

    def stop(self, graceful: bool = False) -> None:
        self._stopping.set()
        super().stop(graceful)


class _Ticker(Scheduler):
    """Says that the worker is alive and starts the sweep; the clock's jobs are chosen there."""

    periodic_task_seconds = TICK_SECONDS

    def __init__(self, queue: Huey, stop_flag: Any, tick: Callable[[], None]) -> None:
        super().__init__(queue, stop_flag, interval=1, periodic=True)
        self._tick = tick

    def enqueue_periodic_tasks(self, now: Any) -> None:
        try:
            self._tick()
        except Exception as error:
            log.warning("tick_failed", error=str(error)[:300])
