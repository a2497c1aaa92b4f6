"""What the models describe of the database, and what revisions make by hand beside it."""

from typing import Any

from sqlalchemy.schema import SchemaItem

#: Search: its tables and triggers on SQLite, its trigram indexes on PostgreSQL.
BY_HAND = {"table": ("_fts",), "index": ("_trgm", "_search")}


def belongs_to_models(item: SchemaItem, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
    """Whether Alembic compares this with the models; an `include_object` of Alembic's."""
    return not any(mark in (name or "") for mark in BY_HAND.get(kind, ()))
