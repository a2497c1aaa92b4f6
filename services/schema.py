"""Whether the database has the tables that this version of Portico works on."""

from functools import lru_cache

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import config
from models import db


def newest() -> str | None:
    """The revision that this version needs."""
    return _newest()


def present() -> str | None:
    """The revision that the database is at; None where it has no tables of ours."""
    with db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def problem() -> str:
    """What to do before this version can work on this database; "" where nothing is."""
    at = present()
    if at == newest():
        return ""
    if at is None:
        return "The database has no tables yet: run `flask db upgrade`."
    return f"The database is at revision {at}, this version needs {newest()}: run `flask db upgrade`."


@lru_cache(maxsize=1)
def _newest() -> str | None:
    return ScriptDirectory(str(config.ROOT / "migrations")).get_current_head()
