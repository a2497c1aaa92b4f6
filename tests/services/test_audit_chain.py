"""The proof of the audit log: what was changed, removed, put in or cut off shows."""

import pytest
from sqlalchemy import delete, insert, select, text, update

import clock
import config
from models import AuditEvent, AuditHead, db
from services import audit, audit_chain, jobs, keys
from tests import cast, make


@pytest.fixture
def log(app, tmp_path, settings, monkeypatch):
    """A log of a dozen events, open to whoever gets at the database itself."""
    from dataclasses import replace

    monkeypatch.setattr(config, "_current", replace(settings, data_dir=tmp_path))
    for number in range(6):
        make.organization(f"College {number}")
    cast.contact(cast.AMARA)
    _unguard()
    return app


def _unguard() -> None:
    if db.session.get_bind().dialect.name == "postgresql":
        db.session.execute(text("SET session_replication_role = replica"))
    else:
        for act in ("update", "delete"):
            db.session.execute(text(f"DROP TRIGGER IF EXISTS audit_events_no_{act}"))


def told() -> list[str]:
    return [finding.text for finding in audit_chain.verify().findings]


def last_id() -> int:
    return db.session.scalars(select(AuditEvent.id).order_by(AuditEvent.id.desc())).first() or 0


def test_an_untouched_log_is_whole(log):
    verdict = audit_chain.verify()
    assert verdict.is_whole
    assert verdict.checked == verdict.last_id == last_id()
    assert "as they were written" in verdict.sentence


@pytest.mark.parametrize(
    "change",
    [
        {"actor_label": "Somebody else"},
        {"reason": "Because"},
        {"changes": {}},
        {"facts": {"x": 1}},
        {"verb": "entity.changed"},
        {"hash": "0" * 64},
    ],
)
def test_a_changed_event_shows(log, change):
    db.session.execute(update(AuditEvent).where(AuditEvent.id == 3).values(**change))
    found = audit_chain.verify().findings
    assert found[0].event_id == 3
    assert "was changed" in found[0].text


def test_a_removed_event_shows(log):
    db.session.execute(delete(AuditEvent).where(AuditEvent.id == 3))
    assert told() == ["event 3 before it is missing."]


def test_an_event_put_in_shows(log):
    """Even with hashes of its own that fit together: the one after it names another."""
    db.session.execute(delete(AuditEvent).where(AuditEvent.id == 3))
    before = db.session.execute(select(AuditEvent.__table__).where(AuditEvent.id == 2)).one()._asdict()
    forged = {**before, "id": 3, "actor_label": "Nobody", "previous_hash": before["hash"]}
    forged["hash"] = audit.chain_hash(forged)
    db.session.execute(insert(AuditEvent), [forged])
    assert told() == ["does not follow the event before it: one of them was put in or exchanged."]


def test_a_cut_end_shows(log):
    db.session.execute(delete(AuditEvent).where(AuditEvent.id >= last_id() - 1))
    (found,) = told()
    assert "the end is missing" in found


def _cut(number: int) -> None:
    """Cut the log off after that event, and move its known end along."""
    db.session.execute(delete(AuditEvent).where(AuditEvent.id > number))
    kept = db.session.scalar(select(AuditEvent.hash).where(AuditEvent.id == number))
    db.session.execute(update(AuditHead).values(event_id=number, hash=kept))


def test_a_cut_end_that_was_covered_up_shows_by_the_checkpoint(log):
    assert audit_chain.checkpoint() is not None
    _cut(4)
    (found,) = told()
    assert "the end was cut off" in found


def test_a_log_written_anew_shows_by_the_checkpoint(log):
    audit_chain.checkpoint()
    rows = [row._asdict() for row in db.session.execute(select(AuditEvent.__table__).order_by(AuditEvent.id))]
    db.session.execute(delete(AuditEvent))
    last = audit_chain.FIRST
    for row in rows:
        row["reason"] = "Nothing happened"
        row["previous_hash"] = last
        last = row["hash"] = audit.chain_hash(row)
    db.session.execute(insert(AuditEvent), rows)
    db.session.execute(update(AuditHead).values(hash=last))
    assert any("written anew" in found for found in told())


def test_a_forged_checkpoint_shows(log, tmp_path):
    audit_chain.checkpoint()
    path = tmp_path / audit_chain.FILE
    path.write_text(path.read_text().replace('"event_id": ', '"event_id": 1'))
    assert any("not signed by us" in found for found in told())


def test_a_checkpoint_taken_out_of_the_middle_shows(log, tmp_path, time):
    for number in range(3):
        make.organization(f"Later {number}")
        time.pass_(hours=1)
        assert audit_chain.checkpoint() is not None
    path = tmp_path / audit_chain.FILE
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[2]]) + "\n")
    assert any("one before it is gone" in found for found in told())


def test_checkpoints_that_were_taken_away_show(log):
    jobs.run_due()
    assert audit_chain.verify().is_whole
    (config.current().data_dir / audit_chain.FILE).unlink()
    assert told() == [
        f"Checkpoints were signed, but {audit_chain.FILE} holds none of them: it was taken away."
    ]


def test_an_idle_hour_leaves_no_checkpoint(log):
    first = audit_chain.checkpoint()
    assert first is not None
    assert audit_chain.checkpoint() is None
    assert audit_chain.last_checkpoint().replace(microsecond=0) == clock.now().replace(microsecond=0)


def test_another_key_still_knows_what_the_earlier_one_signed(log, settings, tmp_path):
    from dataclasses import replace

    audit_chain.checkpoint()
    config.use(
        replace(
            settings, data_dir=tmp_path, secret_key=keys.mint(), secret_key_fallbacks=(settings.secret_key,)
        )
    )
    assert audit_chain.verify().is_whole


def test_from_the_newest_checkpoint_on_only_what_came_after_is_read(log):
    audit_chain.checkpoint()
    end = last_id()
    make.organization("One more")
    verdict = audit_chain.verify(since_checkpoint=True)
    assert (verdict.since, verdict.checked, verdict.is_whole) == (end, 1, True)
