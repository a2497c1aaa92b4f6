"""the audit log takes no change, the rows that exist once, and the view that support's SQL reads"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

REFUSAL = "audit_events is append-only"


def upgrade() -> None:
    # Rows that exist once; a step down leaves them, so that the chain goes on after the step up.
    op.execute(
        "INSERT INTO audit_head (id, event_id, hash) SELECT 1, 0, '" + "0" * 64 + "'"
        " WHERE NOT EXISTS (SELECT 1 FROM audit_head)"
    )
    op.execute(
        "INSERT INTO companies"
        " (id, name, portal_name, brand_colour, support_email, time_zone, locale, version)"
        " SELECT 1, 'Portico', 'Partner portal', '#2b59c3', 'partners@portico.example', 'UTC', 'en', 1"
        " WHERE NOT EXISTS (SELECT 1 FROM companies)"
    )
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
        _open_support_view()
    else:
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_events_no_{act.lower()} BEFORE {act} ON audit_events"
                f" BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP VIEW IF EXISTS auth.audit_log_entries")
        op.execute("DROP SCHEMA IF EXISTS auth")
        op.execute("DROP TRIGGER audit_events_no_truncate ON audit_events")
        op.execute("DROP TRIGGER audit_events_no_change ON audit_events")
        op.execute("DROP FUNCTION refuse_audit_change()")
    else:
        op.execute("DROP TRIGGER audit_events_no_update")
        op.execute("DROP TRIGGER audit_events_no_delete")


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_events_no_change BEFORE UPDATE OR DELETE ON audit_events"
        " FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()"
    )
    op.execute(
        "CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON audit_events"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
    )


def _open_support_view() -> None:
    """The handbook's `auth.audit_log_entries`: recent attempts to sign in, by address and moment."""
    op.execute("CREATE SCHEMA IF NOT EXISTS auth")
    op.execute(
        "CREATE VIEW auth.audit_log_entries AS SELECT id, email_canonical AS user_email, kind, outcome,"
        " cause, address AS ip_address, agent AS user_agent, request_id, created_at FROM public.auth_events"
    )
