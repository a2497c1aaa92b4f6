"""What a test can ask for: the application on a clean database, a still clock, a visitor, a mailbox.

A test that uses `app` – directly or through `browse`, `mailbox` or `page` – runs once on each database.
A module whose tests reach for the database without naming a fixture says at its top:
`pytestmark = pytest.mark.usefixtures("app")`.
"""

import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.engine import Engine

import clock
import config
from config import Settings
from models import db
from services import jobs
from tests.browser import chromium, page, phone, window  # noqa: F401 – fixtures for every test
from tests.clocks import StillClock
from tests.databases import KINDS, Database, Postgresql, Run, Sqlite
from tests.mailbox import Mailbox
from tests.servers import Cluster, MailServer, WebServer
from tests.visitor import Visitor

SECRET_KEY = "the tests' own key, which opens nothing at all"
RUN: pytest.StashKey[Run] = pytest.StashKey()
CLUSTER: pytest.StashKey[Cluster | None] = pytest.StashKey()

hypothesis.settings.register_profile("portico", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("portico")


# MARK: One run, several workers


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=(*KINDS, "both"),
        default="both",
        help="the databases to test on (default: both)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The process that was called prepares what all workers share; a worker is told about it."""
    told = getattr(config, "workerinput", None)
    if told:
        config.stash[RUN] = Run(**told["run"])
    elif not config.option.collectonly and not config.option.help:
        try:
            run, cluster = Run.begin(with_postgresql="postgresql" in _kinds(config))
        except RuntimeError as error:
            raise pytest.UsageError(str(error)) from error
        config.stash[RUN], config.stash[CLUSTER] = run, cluster
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGTERM, lambda *_: pytest.exit("Told to stop.", 143))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:
    node.workerinput["run"] = node.config.stash[RUN].as_strings()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Also after Ctrl-C: nothing that was started is left behind."""
    if CLUSTER in config.stash:
        config.stash[RUN].end(config.stash[CLUSTER])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Everything with a database runs on each of them; what needs a browser on one, as a browser is slow."""
    if "database_kind" not in metafunc.fixturenames:
        return
    kinds = _kinds(metafunc.config)
    if "live" in metafunc.fixturenames:
        kinds = kinds[-1:]
    marker = metafunc.definition.get_closest_marker("databases")
    if marker:
        kinds = tuple(kind for kind in kinds if kind in marker.args)
    metafunc.parametrize("database_kind", kinds, scope="function")


def _kinds(config: pytest.Config) -> tuple[str, ...]:
    chosen = config.getoption("database")
    return KINDS if chosen == "both" else (chosen,)


# MARK: The application


class System:
    """Portico as one worker tests it on one kind of database, with its web and mail server."""

    def __init__(self, run: Run, worker: str, kind: str, mail_server: MailServer) -> None:
        self.web = WebServer()
        self.data_dir = Path(run.folder, f"{worker}-{kind}")
        self.data_dir.mkdir(exist_ok=True)
        self.settings = Settings(
            data_dir=self.data_dir,
            database_url="sqlite://",
            secret_key=SECRET_KEY,
            base_url=self.web.url,
            mail_url=mail_server.url,
            storage_url=f"file:{self.data_dir / 'files'}",
            host="127.0.0.1",
            port=self.web.port,
        )
        make: type[Sqlite] | type[Postgresql] = Sqlite if kind == "sqlite" else Postgresql
        try:
            self.database: Database = make(run, worker, self._migrate)
            self.settings = replace(self.settings, database_url=self.database.url)
            self.app = self.make_app()
        except BaseException:
            self.web.stop()
            raise

    def make_app(self, **changes: object) -> Flask:
        """An application of these settings; loaded here, as many tests need none."""
        from app import create_app

        return create_app(replace(self.settings, **changes))  # type: ignore[arg-type]

    def _migrate(self, url: str) -> None:
        from flask_migrate import upgrade

        app = self.make_app(database_url=url)
        with app.app_context():
            upgrade()
            db.engine.dispose()

    def restore(self) -> None:
        """The database and the folders as they were before the first test, and this system in charge."""
        if config.current() is not self.settings:  # a process runs one Portico: another was, until now
            config.use(self.settings)
            jobs.configure(self.settings)
        self.database.restore()
        for checkpoints in self.data_dir.glob("audit-checkpoints*"):
            checkpoints.unlink()
        for folder in ("files", "outbox"):
            with contextlib.suppress(FileNotFoundError):
                for entry in os.scandir(self.data_dir / folder):
                    shutil.rmtree(entry) if entry.is_dir() else os.unlink(entry)

    def close(self) -> None:
        self.web.stop()
        with self.app.app_context():
            db.engine.dispose()
        self.database.close()


@pytest.fixture(scope="session")
def mail_server() -> Iterator[MailServer]:
    """A worker's SMTP server; tests ask for `mailbox`."""
    server = MailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def systems(request: pytest.FixtureRequest, mail_server: MailServer) -> Iterator[Callable[[str], System]]:
    """A worker's systems by kind of database, each made when the first test needs it."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    made: dict[str, System] = {}
    failed: dict[str, str] = {}

    def system(kind: str) -> System:
        if kind in failed:  # the first test that needed it shows where
            pytest.fail(f"There is no {kind} system to test: {failed[kind]}", pytrace=False)
        if kind not in made:
            try:
                made[kind] = System(request.config.stash[RUN], worker, kind, mail_server)
            except Exception as error:
                failed[kind] = repr(error)
                raise
        return made[kind]

    yield system
    for each in made.values():
        each.close()


@pytest.fixture
def system(systems: Callable[[str], System], database_kind: str) -> System:
    return systems(database_kind)


@pytest.fixture
def time(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> StillClock:
    """The clock, which stands still until the test says `time.pass_(days=91)`.

    It stands on a Monday morning; for a browser, which has a clock of its own, at the true moment.
    """
    begin = datetime.now(UTC).replace(microsecond=0) if "live" in request.fixturenames else None
    still = StillClock(begin) if begin else StillClock()
    monkeypatch.setattr(clock, "read", still.read)
    return still


@pytest.fixture
def database(system: System, mail_server: MailServer, time: StillClock) -> Database:
    """The database as the migrations left it, whatever earlier tests wrote; `.kind` and `.url`."""
    system.restore()
    mail_server.clear()
    return system.database


@pytest.fixture
def settings(system: System) -> Settings:
    return system.settings


@pytest.fixture
def app(system: System, database: Database) -> Iterator[Flask]:
    """The application on a clean database, with its context pushed, so that tests may call services."""
    with system.app.app_context():
        yield system.app
        db.session.rollback()


@pytest.fixture
def app_with(system: System, database: Database) -> Iterator[Callable[..., Flask]]:
    """Other applications on the same database: `app_with(base_url="https://partners.example.org")`."""
    made: list[Flask] = []

    def make(**changes: object) -> Flask:
        made.append(system.make_app(**changes))
        return made[-1]

    yield make
    for each in made:
        with each.app_context():
            db.engine.dispose()


@pytest.fixture
def empty_database(system: System) -> Callable[[], str]:
    """Makes a new database with nothing in it and gives its address, for tests of the migrations."""
    return system.database.empty


# MARK: Those who use it


@pytest.fixture
def browse(system: System, app: Flask) -> Visitor:
    """Somebody at a browser without JavaScript; `browse.another()` is somebody else."""
    return Visitor(app, base_url=system.settings.base_url)


@pytest.fixture
def live(system: System, app: Flask) -> WebServer:
    """The application answering real browsers; `live.url` is its address and what BASE_URL says."""
    system.web.serve(system.app)
    return system.web


@pytest.fixture
def mailbox(app: Flask, mail_server: MailServer) -> Mailbox:
    """What the SMTP server was sent; `mailbox.collect()` runs the worker's sweep first."""
    return Mailbox(app, mail_server)


@pytest.fixture
def queries() -> Callable[[], contextlib.AbstractContextManager[list[str]]]:
    """`with queries() as log:` – every SQL statement that is run in the block, in any thread."""

    @contextlib.contextmanager
    def counting() -> Iterator[list[str]]:
        log: list[str] = []

        def note(connection, cursor, statement, parameters, context, executemany) -> None:
            if not statement.startswith(("BEGIN", "PRAGMA", "SAVEPOINT", "RELEASE")):
                log.append(statement)

        event.listen(Engine, "before_cursor_execute", note)
        try:
            yield log
        finally:
            event.remove(Engine, "before_cursor_execute", note)

    return counting
