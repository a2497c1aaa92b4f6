"""Backup and restore: everything comes back, nobody is let in by what was open then, no damage passes."""

from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from models import AuditEvent, Invitation, Mail, MailStatus, Person, SavedView, Session, SignInLink, db
from services import backup, storage
from services.backup_seal import PIECE, Opener, Sealer, Unopenable
from services.transaction import transaction
from tests import cast, make

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def lived_in() -> str:
    """Somebody signed in, a link and a mail on their way, a stored file."""
    amara = cast.contact(cast.AMARA)
    make.session(amara)
    make.link(amara.person.email)
    make.invitation(email="noah@unl.example", send=True)
    return storage.put("logos", b"not really a picture")


def counts() -> dict[str, int]:
    db.session.rollback()
    tables = (Person, Invitation, Mail, Session, SignInLink)
    return {
        one.__tablename__: db.session.scalar(select(func.count()).select_from(one)) or 0 for one in tables
    }


def test_what_was_backed_up_comes_back_and_later_things_are_gone(lived_in: str, tmp_path: Path):
    before, file = counts(), tmp_path / "portico.backup"
    manifest = backup.create(file)
    assert manifest.files == 1
    assert file.stat().st_mode & 0o077 == 0
    make.person("later@unl.example")
    storage.delete(lived_in)
    db.session.rollback()

    backup.load(file, replace=True)
    backup.settle(manifest)

    assert counts() == before
    assert storage.get(lived_in) == b"not really a picture"
    assert db.session.scalar(select(func.count()).where(Session.revoked_at.is_(None))) == 0
    assert db.session.scalar(select(func.count()).where(SignInLink.revoked_at.is_(None))) == 0
    waiting = select(func.count()).where(Mail.status.in_((MailStatus.QUEUED, MailStatus.SENDING)))
    assert db.session.scalar(waiting) == 0
    newest = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert newest is not None
    assert newest.verb == "backup.restored"
    with pytest.raises(DBAPIError):  # the guard of the audit log is back too
        db.session.execute(text("DELETE FROM audit_events"))
    db.session.rollback()


def test_a_backup_shows_nothing_of_what_is_in_it(lived_in: str, tmp_path: Path):
    file = tmp_path / "portico.backup"
    backup.create(file)
    raw = file.read_bytes()
    for word in (b"amara", b"SQLite format", b"PGDMP", b"ustar", b"manifest"):
        assert word not in raw


def test_a_database_with_data_is_not_overwritten_unasked(lived_in: str, tmp_path: Path):
    file = tmp_path / "portico.backup"
    backup.create(file)
    with pytest.raises(backup.BackupError, match="--replace"):
        backup.load(file)


@pytest.mark.parametrize("harm", ["cut", "changed", "other", "none", "reordered"])
def test_a_damaged_backup_changes_nothing(lived_in: str, tmp_path: Path, harm: str):
    file = tmp_path / "portico.backup"
    backup.create(file)
    before, raw = counts(), file.read_bytes()
    spoilt = {
        "cut": raw[: len(raw) // 2],
        "changed": raw[:200] + bytes([raw[200] ^ 1]) + raw[201:],
        "other": b"PK\x03\x04 something else",
        "none": b"",
        "reordered": raw + raw[-200:],
    }[harm]
    file.write_bytes(spoilt)
    if harm == "reordered":  # what follows the last piece is not read
        backup.load(file, replace=True)
    else:
        with pytest.raises(backup.BackupError):
            backup.load(file, replace=True)
    assert counts() == before


def test_a_backup_opens_with_an_earlier_key_and_with_no_other(tmp_path: Path):
    file = tmp_path / "sealed"
    content = b"x" * (2 * PIECE + 17)
    with file.open("wb") as target, Sealer(target, "the key of then") as sealer:
        sealer.write(content)
    with file.open("rb") as source:
        assert Opener(source, ("the key of now", "the key of then")).read() == content
    with file.open("rb") as source, pytest.raises(Unopenable, match="SECRET_KEY"):
        Opener(source, ("the key of now",))


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_every_size_is_sealed_whole_and_a_missing_end_is_noticed(tmp_path: Path, size: int):
    file = tmp_path / "sealed"
    with file.open("wb") as target, Sealer(target, "key") as sealer:
        sealer.write(b"x" * size)
    with file.open("rb") as source:
        assert len(Opener(source, ("key",)).read()) == size
    file.write_bytes(file.read_bytes()[:-1])
    with file.open("rb") as source, pytest.raises(Unopenable):
        Opener(source, ("key",)).read()


def test_a_backup_of_the_other_kind_of_database_is_refused(lived_in: str, tmp_path: Path, monkeypatch):
    file = tmp_path / "portico.backup"
    kind = backup._kind()
    backup.create(file)
    monkeypatch.setattr(backup, "_kind", lambda: "sqlite" if kind == "postgresql" else "postgresql")
    with pytest.raises(backup.BackupError, match="DATABASE_URL"):
        backup.load(file, replace=True)


def test_rows_that_nobody_audits_come_back_too(tmp_path: Path):
    dana = cast.staff(cast.DANA)
    with transaction() as session:
        session.add(SavedView(staff_id=dana.id, page="partners", name="Mine", query="q=unl"))
    manifest = backup.create(tmp_path / "b")
    backup.load(tmp_path / "b", replace=True)
    backup.settle(manifest)
    assert db.session.scalars(select(SavedView.name)).all() == ["Mine"]
