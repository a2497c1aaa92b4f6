"""The databases of a test run: migrated once per run, copied once per worker, restored for every test."""

import fcntl
import itertools
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from tests.servers import NO_POSTGRESQL, Cluster, find_postgresql, plain, wait_for_postgresql

KINDS = ("sqlite", "postgresql")

#: Empties every table whatever its triggers and foreign keys say, puts back the rows that migrations
#: wrote, and sets the sequences as they were. DELETE of a few rows is far quicker than TRUNCATE.
RESTORE = """
SET session_replication_role = replica;
SET lock_timeout = '10s';
DO $$
DECLARE kept record;
BEGIN
  FOR kept IN SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('DELETE FROM public.%I', kept.name);
  END LOOP;
  FOR kept IN SELECT name, columns FROM pristine.tables LOOP
    EXECUTE format('INSERT INTO public.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM pristine.%I',
                   kept.name, kept.columns, kept.columns, kept.name);
  END LOOP;
  PERFORM setval(format('public.%I', name)::regclass, value, value_used) FROM pristine.sequences;
END $$;
RESET session_replication_role;
"""

#: Remembers what RESTORE puts back, in a schema beside the one that is tested.
REMEMBER = """
CREATE SCHEMA pristine;
CREATE TABLE pristine.tables (name text, columns text);
CREATE TABLE pristine.sequences AS
  SELECT sequencename::text AS name, coalesce(last_value, start_value) AS value,
         last_value IS NOT NULL AS value_used
  FROM pg_sequences WHERE schemaname = 'public';
DO $$
DECLARE kept record; filled boolean;
BEGIN
  FOR kept IN
    SELECT table_name AS name, string_agg(quote_ident(column_name), ', ') AS columns
    FROM information_schema.columns JOIN pg_tables ON schemaname = table_schema AND tablename = table_name
    WHERE table_schema = 'public' AND is_generated = 'NEVER' GROUP BY table_name
  LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', kept.name) INTO filled;
    IF filled THEN
      INSERT INTO pristine.tables VALUES (kept.name, kept.columns);
      EXECUTE format('CREATE TABLE pristine.%I AS SELECT %s FROM public.%I',
                     kept.name, kept.columns, kept.name);
    END IF;
  END LOOP;
END $$;
"""


@dataclass(frozen=True)
class Run:
    """What every worker of one test run shares; handed to them as a dict of strings."""

    folder: str
    postgresql: str = ""  #: address of the maintenance database, empty when no test needs one
    log: str = ""

    @classmethod
    def begin(cls, *, with_postgresql: bool) -> tuple[Self, Cluster | None]:
        """Make the folder of a run and start PostgreSQL if it is wanted.

        Raises RuntimeError when there is none to be had: a run never skips it.
        """
        memory = Path("/dev/shm")
        quick = str(memory) if os.access(memory, os.W_OK) else None
        folder = tempfile.mkdtemp(prefix="portico-", dir=quick)
        given = os.environ.get("TEST_DATABASE_URL", "")
        if not with_postgresql or given:
            return cls(folder=folder, postgresql=given if with_postgresql else ""), None
        programs = find_postgresql()
        if not programs:
            shutil.rmtree(folder)
            raise RuntimeError(NO_POSTGRESQL)
        cluster = Cluster(programs)
        cluster.start()
        return cls(folder=folder, postgresql=cluster.url, log=str(cluster.log)), cluster

    def end(self, cluster: Cluster | None) -> None:
        """Stop what `begin` started; on a server that was given, drop what this run made there."""
        if cluster:
            cluster.stop()
        elif self.postgresql:
            with psycopg.connect(plain(self.postgresql), autocommit=True) as connection:
                made = connection.execute(
                    "SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{self.prefix}%"]
                ).fetchall()
                for (name,) in made:
                    connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def prefix(self) -> str:
        """Begins the name of every database of this run."""
        return Path(self.folder).name.replace("-", "_").lower() + "_"

    def as_strings(self) -> dict[str, str]:
        return asdict(self)

    def once(self, name: str, work: Callable[[], None]) -> None:
        """Do `work` in whichever worker comes first; the others wait for it, and fail if it failed."""
        with Path(self.folder, f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done, failed = (Path(self.folder, f"{name}.{outcome}") for outcome in ("done", "failed"))
            if failed.exists():
                raise RuntimeError(f"Preparing {name} has failed: {failed.read_text()}")
            if not done.exists():
                try:
                    work()
                except BaseException as error:
                    failed.write_text(repr(error))
                    raise
                done.touch()


class Database(Protocol):
    """One worker's copy of the migrated database."""

    kind: str
    url: str

    def restore(self) -> None:
        """Bring it back to what the migrations left."""

    def empty(self) -> str:
        """The address of a new database with nothing in it, for tests of the migrations."""

    def close(self) -> None:
        """Let go of it."""


class Sqlite:
    """A copy in a file, so that threads and processes share it as they do in production."""

    kind = "sqlite"

    def __init__(self, run: Run, worker: str, migrate: Callable[[str], None]) -> None:
        template = Path(run.folder, "template.sqlite3")
        run.once("sqlite", lambda: migrate(f"sqlite:///{template}"))
        self.path = Path(run.folder, f"{worker}.sqlite3")
        self.url = f"sqlite:///{self.path}"
        self._template = sqlite3.connect(template)
        self._target = sqlite3.connect(self.path, timeout=10)
        self._numbers = itertools.count(1)
        self.restore()
        self._target.execute("PRAGMA journal_mode = WAL")

    def restore(self) -> None:
        self._template.backup(self._target)

    def empty(self) -> str:
        return f"sqlite:///{self.path.with_suffix('')}-empty-{next(self._numbers)}.sqlite3"

    def close(self) -> None:
        self._target.close()
        self._template.close()


class Postgresql:
    """A database cloned from the run's template."""

    kind = "postgresql"

    def __init__(self, run: Run, worker: str, migrate: Callable[[str], None]) -> None:
        self._run = run
        self._worker = worker
        self._template = f"{run.prefix}template"
        self._name = f"{run.prefix}{worker}"
        self._numbers = itertools.count(1)
        wait_for_postgresql(run.postgresql, Path(run.log) if run.log else None)
        self._server = psycopg.connect(plain(run.postgresql), autocommit=True)
        self._target: psycopg.Connection[Any] | None = None
        self.url = self._url(self._name)
        try:
            run.once("postgresql", lambda: self._make_template(migrate))
            self._clone()
            role = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
            self._is_superuser = self._server.execute(role).fetchone() == (True,)
        except BaseException:
            self.close()
            raise

    def restore(self) -> None:
        if not self._is_superuser:  # may not turn off the triggers that keep the audit log
            self._clone()
            return
        if self._target is None:
            self._target = psycopg.connect(plain(self.url), autocommit=True)
        self._target.execute(RESTORE)

    def empty(self) -> str:
        name = f"{self._name}_empty_{next(self._numbers)}"
        self._create(name, "template0")
        return self._url(name)

    def close(self) -> None:
        if self._target:
            self._target.close()
        self._server.close()

    def _url(self, name: str) -> str:
        url = make_url(self._run.postgresql).set(drivername="postgresql+psycopg", database=name)
        return url.render_as_string(hide_password=False)

    def _make_template(self, migrate: Callable[[str], None]) -> None:
        self._create(self._template, "template0")
        migrate(self._url(self._template))
        with psycopg.connect(plain(self._url(self._template)), autocommit=True) as connection:
            connection.execute(REMEMBER)

    def _clone(self) -> None:
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        self._server.execute(drop.format(sql.Identifier(self._name)))
        self._create(self._name, self._template)

    def _create(self, name: str, template: str) -> None:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self._server.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
