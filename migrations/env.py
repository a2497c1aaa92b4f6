"""How Alembic runs here: on the app's own engine, one runner at a time."""

from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy import text

import models
from migrations.scope import belongs_to_models

#: One migration at a time: any number that nothing else of ours locks.
LOCK = 7_306_421


def _type(kind: str, item: Any, context_: Any) -> Any:
    """Types of ours as the plain types that they are in the database."""
    if kind == "type" and isinstance(item, models.Moment):
        context_.imports.discard("import models")
        return "sa.DateTime(timezone=True)"
    return False


def run() -> None:
    """Upgrade or downgrade in one transaction, after waiting for whoever is at it already."""
    engine = current_app.extensions["migrate"].db.engine
    with engine.connect().execution_options(sqlite_begin="IMMEDIATE") as connection:
        if connection.dialect.name == "sqlite":
            # Batch steps rebuild tables; a pragma inside of a transaction would do nothing.
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
        context.configure(
            connection=connection,
            target_metadata=models.Base.metadata,
            render_as_batch=True,
            compare_type=True,
            include_object=belongs_to_models,
            render_item=_type,
            transaction_per_migration=False,
        )
        with context.begin_transaction():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            context.run_migrations()
        connection.commit()
        if connection.dialect.name == "sqlite":
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=ON")


run()
