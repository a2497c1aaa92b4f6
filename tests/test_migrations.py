"""The steps build what the models say, and go down and up again with rows in the tables."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect, text

from config import ROOT
from demo import scale
from migrations.scope import belongs_to_models
from models import Base, db
from services import audit_chain


@pytest.fixture
def fresh(system, database, empty_database):
    """An application on a database with nothing in it."""
    app = system.make_app(database_url=empty_database())
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def steps():
    return [revision.revision for revision in ScriptDirectory(str(ROOT / "migrations")).walk_revisions()]


def differences():
    with db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_object": belongs_to_models}
        )
        return compare_metadata(context, Base.metadata)


def test_the_steps_lead_from_nothing_to_what_the_models_say(fresh):
    upgrade()
    assert differences() == []


def test_the_steps_have_one_order():
    assert len(ScriptDirectory(str(ROOT / "migrations")).get_heads()) == 1


def test_every_step_goes_down_and_up_again_with_rows_in_the_tables(fresh):
    upgrade()
    scale.generate(200, seed=1, tell=lambda _line: None)
    before = _counts()
    assert before["audit_events"] == 400

    for step in steps()[1:]:
        downgrade(revision=step)
        upgrade(revision="head")
        assert _counts() == before, f"rows were lost on the way down to {step} and up again"

    assert audit_chain.verify().is_whole
    assert differences() == []


def test_nothing_is_left_after_the_last_step_down(fresh):
    upgrade()
    scale.generate(100, seed=1, tell=lambda _line: None)
    downgrade(revision="base")
    db.session.remove()
    assert set(inspect(db.engine).get_table_names()) <= {"alembic_version"}
    upgrade()
    assert differences() == []


def test_the_audit_log_refuses_every_change_from_below(fresh):
    upgrade()
    scale.generate(100, seed=1, tell=lambda _line: None)
    changes = ["UPDATE audit_events SET reason = 'x'", "DELETE FROM audit_events"]
    if db.engine.dialect.name == "postgresql":
        changes.append("TRUNCATE audit_events")
    for change in changes:
        with pytest.raises(Exception, match="append-only"), db.engine.begin() as connection:
            connection.execute(text(change))


@pytest.mark.databases("postgresql")
def test_supports_selects_run_unchanged(fresh):
    """The handbook's own SQL, with a number where it says 'USER_ID'."""
    upgrade()
    scale.generate(100, seed=1, tell=lambda _line: None)
    selects = (
        "SELECT * FROM partner_users WHERE email ILIKE '%ana%'",
        "SELECT * FROM auth.audit_log_entries WHERE user_email = 'ana@unl.test'"
        " AND created_at > NOW() - INTERVAL '24 hours'",
        "SELECT pa.*, pe.name, pe.show_in_app FROM partner_affiliations pa"
        " JOIN partner_entities pe ON pa.entity_id = pe.id WHERE pa.partner_user_id = '1'",
        "SELECT pu.*, pa.*, pe.name as entity_name FROM partner_users pu"
        " LEFT JOIN partner_affiliations pa ON pu.id = pa.partner_user_id"
        " LEFT JOIN partner_entities pe ON pa.entity_id = pe.id WHERE pu.email ILIKE '%org1.example%'",
    )
    with db.engine.connect() as connection:
        for select in selects:
            connection.execute(text(select))
        assert connection.execute(text(selects[2])).all()


def _counts():
    db.session.rollback()
    with db.engine.connect() as connection:
        return {
            name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar()
            for name in Base.metadata.tables
        }
