"""Every setting and connection, tried; each with what to do where something is wrong."""

import shutil
import socket
import sys
from collections.abc import Callable

import click
from flask.cli import with_appcontext
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

import clock
import config
from cli.plainly import database_trouble
from models import Staff, db
from services import jobs, mail_transport, schema, storage

#: Before these, Python's mail and address modules have holes that were closed since.
SAFE_PYTHON = (3, 11, 10)
LEAST_DISK = 200  # MB


class Advice(Exception):
    """Something that works, and could be better."""


class Wrong(Exception):
    """Something that does not work."""


@click.command()
@with_appcontext
def doctor() -> None:
    """Try every setting and connection, and say what to do."""
    wrong = 0
    for name, check in CHECKS.items():
        try:
            mark, said = "ok  ", check()
        except Advice as advice:
            mark, said = "note", str(advice)
        except Wrong as problem:
            mark, said = "BAD ", str(problem)
        except DBAPIError as error:
            db.session.rollback()
            mark, said = "BAD ", database_trouble(error)
        wrong += mark == "BAD "
        click.echo(f"{mark} {name}: {said}")
    if wrong:
        raise click.ClickException(f"{wrong} of {len(CHECKS)} checks need you.")


def _settings() -> str:
    settings = config.current()
    if settings.is_production:
        return f"production mode, links begin with {settings.base_url}"
    return f"not production mode; links begin with {settings.base_url} (https makes it production mode)"


def _python() -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < SAFE_PYTHON:
        raise Advice(f"{version} works; security fixes came with 3.11.10, update it when you can")
    return version


def _data_dir() -> str:
    settings = config.current()
    try:
        probe = settings.data_dir / ".doctor"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise Wrong(f"DATA_DIR {settings.data_dir} cannot be written: {error.strerror}") from error
    free = shutil.disk_usage(settings.data_dir).free >> 20
    if free < LEAST_DISK:
        raise Wrong(f"only {free} MB are free in {settings.data_dir}; make room")
    return f"{settings.data_dir}, {free:,} MB free"


def _database() -> str:
    if problem := schema.problem():
        raise Wrong(problem)
    kind = db.engine.dialect.name
    if kind == "sqlite" and config.current().is_production:
        raise Advice("SQLite serves one machine; set DATABASE_URL to a PostgreSQL for more")
    return f"{kind}, at revision {schema.newest()}"


def _mail() -> str:
    mail_url = config.current().mail_url
    try:
        mail_transport.probe(mail_url)
    except mail_transport.TryLater as problem:
        raise Wrong(f"MAIL_URL does not work: {problem}") from problem
    if mail_url.startswith("file:"):
        if config.current().is_production:
            raise Advice("mails go into a folder, to nobody; set MAIL_URL to smtp://… in production")
        return f"mails land in {mail_url.removeprefix('file:')}"
    return "the mail server answers"


def _storage() -> str:
    if not storage.is_reachable():
        raise Wrong("STORAGE_URL does not answer; check the address and its keys")
    return "answers"


def _carrier() -> str:
    if not jobs.send("jobs.sweep"):
        raise Wrong("jobs cannot be handed over; check REDIS_URL (or the database)")
    return "Redis" if config.current().redis_url else "the database's own"


def _worker() -> str:
    beat = jobs.last_beat()
    if beat is None or clock.now() - beat > jobs.HEARTBEAT_FRESH:
        raise Advice("no worker is running; start `flask jobs work` or `flask serve`")
    return f"last heard at {beat:%H:%M:%S} UTC"


def _port() -> str:
    settings = config.current()
    if is_free(settings.host, settings.port):
        return f"{settings.host}:{settings.port} is free"
    return f"{settings.host}:{settings.port} is in use (by Portico, if it is running)"


def _accounts() -> str:
    if db.session.scalar(select(Staff.id).where(Staff.is_active).limit(1)) is None:
        raise Advice("nobody of ours can sign in yet; run `flask staff create --help`")
    return "somebody of ours can sign in"


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


CHECKS: dict[str, Callable[[], str]] = {
    "settings": _settings,
    "python": _python,
    "data folder": _data_dir,
    "database": _database,
    "storage": _storage,
    "mail": _mail,
    "jobs": _carrier,
    "worker": _worker,
    "port": _port,
    "accounts": _accounts,
}
