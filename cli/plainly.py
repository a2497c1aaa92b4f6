"""How a command fails: one sentence on stderr and exit code 1, and a traceback only for bugs."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from config import SettingError
from services.backup import BackupError
from services.errors import Refusal


@contextmanager
def plainly() -> Iterator[None]:
    """Turn what a person can mend into a sentence; bugs stay loud."""
    try:
        yield
    except Refusal as refusal:
        raise click.ClickException(str(refusal.text)) from refusal
    except (BackupError, SettingError) as error:
        raise click.ClickException(str(error)) from error
    except DBAPIError as error:
        raise click.ClickException(database_trouble(error)) from error


def database_trouble(error: DBAPIError) -> str:
    """What is wrong with the database, and what to do about it."""
    said = (str(error.orig).strip().splitlines() or [""])[0][:300]
    is_missing = "no such table" in said or "UndefinedTable" in type(error.orig).__name__
    if is_missing and isinstance(error, OperationalError | ProgrammingError):
        return "The database has no tables yet: run `flask db upgrade`."
    if "locked" in said:
        return "The database is busy: another program writes to it. Try again in a moment."
    return f"The database does not do what it should; check DATABASE_URL: {said}"
