# ruff: noqa: S608 – the names are those of INDEXED
"""what lists need: words by trigram indexes or full-text tables, and indexes for sorts and filters"""

from alembic import op
from sqlalchemy import text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

#: The same as services/search.py reads; a later revision changes both together.
#: A later batch step on one of these tables rebuilds it on SQLite, and has to make its triggers anew.
INDEXED = {
    "partner_organizations": ("name", "domain"),
    "partner_entities": ("name",),
    "partner_users": ("full_name", "email_canonical"),
    "partner_invitations": ("email_canonical", "invitation_code"),
    "schools": ("name", "city", "code"),
}

#: Plain indexes, with their column first and the id as the tie-break of the order.
SORTED = {
    "partner_organizations": ("kind", "status"),
    "partner_entities": ("kind", "onboarding_status"),
    "partner_users": ("is_active",),
    "partner_affiliations": ("role", "ended_at"),
    "schools": ("country",),
    "staff_users": ("full_name",),
    "sessions": ("created_at",),
    "sign_in_links": ("issued_at",),
    "auth_events": ("kind", "outcome"),
}


def upgrade() -> None:
    for table, columns in SORTED.items():
        for column in columns:
            op.create_index(f"ix_{table}_{column}_id", table, [column, "id"])
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    has_trigrams = is_postgresql and _make_extension()
    for table, columns in INDEXED.items():
        if not is_postgresql:
            _make_full_text(table, columns)
        elif has_trigrams:
            listed = ", ".join(f"{column} gin_trgm_ops" for column in columns)
            op.execute(f"CREATE INDEX ix_{table}_trgm ON {table} USING gin ({listed})")
        else:
            joined = " || ' ' || ".join(f"coalesce({column}, '')" for column in columns)
            op.execute(
                f"CREATE INDEX ix_{table}_words_trgm ON {table} USING gin (to_tsvector('simple', {joined}))"
            )


def downgrade() -> None:
    """The extension stays: something else may use it by now."""
    for table, columns in SORTED.items():
        for column in columns:
            op.drop_index(f"ix_{table}_{column}_id", table)
    for table in INDEXED:
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"DROP INDEX IF EXISTS ix_{table}_trgm")
            op.execute(f"DROP INDEX IF EXISTS ix_{table}_words_trgm")
        else:
            for act in ("insert", "delete", "update"):
                op.execute(f"DROP TRIGGER {table}_fts_{act}")
            op.execute(f"DROP TABLE {table}_fts")


def _make_extension() -> bool:
    """Trigrams where the server has them and lets us; without them words are found by their beginning."""
    connection = op.get_bind()
    there = "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'"
    if not connection.execute(text(there)).scalar_one():
        return False
    try:
        with connection.begin_nested():
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
    except Exception:
        return False  # whatever the server's reason, the word indexes do
    return True


def _make_full_text(table: str, columns: tuple[str, ...]) -> None:
    names = ", ".join(columns)
    new, old = (", ".join(f"{row}.{column}" for column in columns) for row in ("new", "old"))
    add = f"INSERT INTO {table}_fts (rowid, {names}) VALUES (new.id, {new});"
    drop = f"INSERT INTO {table}_fts ({table}_fts, rowid, {names}) VALUES ('delete', old.id, {old});"
    op.execute(
        f"CREATE VIRTUAL TABLE {table}_fts USING fts5"
        f" ({names}, content='{table}', content_rowid='id', tokenize='trigram')"
    )
    op.execute(f"INSERT INTO {table}_fts ({table}_fts) VALUES ('rebuild')")
    op.execute(f"CREATE TRIGGER {table}_fts_insert AFTER INSERT ON {table} BEGIN {add} END")
    op.execute(f"CREATE TRIGGER {table}_fts_delete AFTER DELETE ON {table} BEGIN {drop} END")
    op.execute(f"CREATE TRIGGER {table}_fts_update AFTER UPDATE OF {names} ON {table} BEGIN {drop} {add} END")
