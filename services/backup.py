"""One file with everything: the database as of one moment, every stored file, and where the audit log stood.

The file is encrypted with SECRET_KEY, and read back before `create` says that it is good. What was let in
before (sessions, links) stays out after a restore, and mails that had waited are held back.
"""

import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from sqlalchemy import inspect, select, text, update
from sqlalchemy.engine import URL, make_url

import clock
import config
from models import AuditEvent, AuditHead, Mail, MailStatus, Session, SignInLink, Staff, StaffLink, db
from permissions import System
from services import audit, audit_chain, keys, storage
from services.backup_seal import Opener, Sealer, Unopenable
from services.job_carrier import SCHEMA as JOBS_SCHEMA
from services.transaction import transaction

DATABASE, MARKS, MANIFEST, FILES = "database", "audit-checkpoints", "manifest.json", "files/"
HELD_BACK = "Held back when a backup was restored; send it again if it is still wanted"


class BackupError(Exception):
    """What stands in the way, and what to do, in one sentence."""


@dataclass
class Manifest:
    """What a backup holds."""

    kind: str  #: sqlite or postgresql
    revision: str  #: of the migrations
    made_at: str
    event_id: int  #: the audit log's last event when the backup began
    event_hash: str
    checkpoint: str  #: signature of the two above
    digests: dict[str, str] = field(default_factory=dict)  #: SHA-256 of every member

    @property
    def files(self) -> int:
        """How many stored files."""
        return sum(name.startswith(FILES) for name in self.digests)


def create(target: Path) -> Manifest:
    """Write the backup and read it back whole. Raises BackupError; then there is no file."""
    target = target.resolve()
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with tempfile.TemporaryDirectory(prefix="portico-backup-") as folder:
            manifest = _begin()
            marks = _marks().read_bytes() if _marks().is_file() else b""  # none is newer than the copy
            copy = Path(folder, DATABASE)
            _copy_database(copy)
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                _write(file, copy, marks, manifest)
                file.flush()
                os.fsync(file.fileno())
            with _opened(unfinished) as (read_back, _folder):
                if read_back != manifest:
                    raise BackupError("The backup could not be read back as it was written; try again.")
        os.replace(unfinished, target)
    except OSError as error:
        raise BackupError(f"{target} could not be written: {error.strerror}.") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return manifest


def load(source: Path, *, replace: bool = False) -> Manifest:
    """Put database and files back; `upgrade` the database and call `settle` next.

    Raises BackupError, also for a database with data in it unless `replace`.
    """
    if not source.is_file():
        raise BackupError(f"There is no file {source}.")
    with _opened(source) as (manifest, folder):
        if manifest.kind != _kind():
            raise BackupError(f"The backup is of {manifest.kind}, but DATABASE_URL names {_kind()}.")
        if not replace and _has_data():
            raise BackupError("This database has data in it; restore into an empty one, or say --replace.")
        _put_database_back(folder / DATABASE)
        _put_marks_back((folder / MARKS).read_bytes())
        for name in manifest.digests:
            if name.startswith(FILES):
                storage.put_back(name.removeprefix(FILES), (folder / name).read_bytes())
    return manifest


def settle(manifest: Manifest) -> None:
    """After a restore: everybody signs in anew, old links stay dead, old mails wait for a decision.

    Raises BackupError when the audit log does not hold what the backup says it held.
    """
    seen = db.session.execute(
        select(AuditEvent.hash).where(AuditEvent.id == manifest.event_id)
    ).scalar_one_or_none()
    if manifest.event_id and seen != manifest.event_hash:
        raise BackupError("The restored audit log is not the one that was backed up.")
    now = clock.now()
    with transaction() as session:
        quietly = {"synchronize_session": False}
        for table in (Session, SignInLink, StaffLink):
            ended: dict[str, Any] = {"revoked_at": now}
            if table is not StaffLink:
                ended["revoked_reason"] = "restored"
            session.execute(
                update(table).where(table.revoked_at.is_(None)).values(ended).execution_options(**quietly)
            )
        held = {"status": MailStatus.FAILED, "leased_until": None, "last_error": HELD_BACK}
        waiting = Mail.status.in_((MailStatus.QUEUED, MailStatus.SENDING))
        session.execute(update(Mail).where(waiting).values(held).execution_options(**quietly))
        audit.record(actor=System(), verb="backup.restored", made_at=manifest.made_at)


# MARK: The file


def _begin() -> Manifest:
    head = db.session.execute(select(AuditHead.event_id, AuditHead.hash)).one_or_none()
    revision = db.session.scalar(text("SELECT version_num FROM alembic_version"))
    db.session.rollback()
    if head is None or revision is None:
        raise BackupError("There is nothing to back up: run `flask db upgrade` first.")
    checkpoint = keys.sign("backup", head.event_id, head.hash)
    made_at = clock.now().isoformat(timespec="seconds")
    return Manifest(_kind(), revision, made_at, head.event_id, head.hash, checkpoint)


def _write(file: BinaryIO, copy: Path, marks: bytes, manifest: Manifest) -> None:
    with (
        closing(Sealer(file, config.current().secret_key)) as sealer,
        tarfile.open(fileobj=cast("Any", sealer), mode="w|gz") as archive,
    ):
        _add(archive, manifest, DATABASE, copy)
        _add(archive, manifest, MARKS, marks)
        for key in sorted(storage.everything()):
            content = storage.get(key)
            if content is not None:  # deleted since it was listed
                _add(archive, manifest, FILES + key, content)
        _add(archive, None, MANIFEST, json.dumps(asdict(manifest), sort_keys=True).encode())


def _add(archive: tarfile.TarFile, manifest: Manifest | None, name: str, content: bytes | Path) -> None:
    info = tarfile.TarInfo(name)
    info.mode = 0o600
    with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
        info.size = source.seek(0, os.SEEK_END)
        source.seek(0)
        archive.addfile(info, source)
    if manifest is not None:
        manifest.digests[name] = digest


@contextmanager
def _opened(source: Path) -> Iterator[tuple[Manifest, Path]]:
    """The backup unpacked into a folder that goes away, every member compared with its digest."""
    settings = config.current()
    with tempfile.TemporaryDirectory(prefix="portico-restore-") as name, source.open("rb") as file:
        folder = Path(name)
        try:
            opener = Opener(file, (settings.secret_key, *settings.secret_key_fallbacks))
            with tarfile.open(fileobj=cast("Any", opener), mode="r|gz") as archive:
                archive.extractall(folder, filter="data")
        except Unopenable as error:
            raise BackupError(str(error)) from error
        except tarfile.TarError as error:
            raise BackupError("The backup is damaged.") from error
        manifest = Manifest(**json.loads((folder / MANIFEST).read_bytes()))
        for member, digest in manifest.digests.items():
            with (folder / member).open("rb") as content:
                if hashlib.file_digest(content, "sha256").hexdigest() != digest:
                    raise BackupError(f"The backup is damaged: {member} is not what was backed up.")
        if not keys.same(manifest.checkpoint, keys.sign("backup", manifest.event_id, manifest.event_hash)):
            raise BackupError("The backup's note of the audit log was changed.")
        _check_database(manifest.kind, folder / DATABASE)
        yield manifest, folder


def _marks() -> Path:
    """The checkpoints of the audit log, which lie outside of the database."""
    return config.current().data_dir / audit_chain.FILE


def _put_marks_back(marks: bytes) -> None:
    """The checkpoints of then; those of the log that was replaced are kept beside them."""
    path = _marks()
    if path.is_file():
        path.rename(path.with_name(f"{path.name}.{clock.now():%Y%m%dT%H%M%S%f}"))
    if marks:
        path.write_bytes(marks)
        path.chmod(0o600)


# MARK: The database


def _url() -> URL:
    return make_url(config.current().database_url)


def _kind() -> str:
    return _url().get_backend_name()


def _copy_database(copy: Path) -> None:
    if _kind() == "sqlite":
        with (
            closing(sqlite3.connect(_url().database or "")) as live,
            closing(sqlite3.connect(copy)) as target,
        ):
            live.backup(target)
        return
    only_ours = ("--format=custom", "--no-owner", "--no-privileges", f"--exclude-schema={JOBS_SCHEMA}")
    _postgresql("pg_dump", *only_ours, f"--file={copy}")


def _check_database(kind: str, copy: Path) -> None:
    """Read the copy from end to end."""
    if kind == "sqlite":
        with closing(sqlite3.connect(copy)) as database:
            found = database.execute("PRAGMA integrity_check").fetchone()[0]
        if found != "ok":
            raise BackupError(f"The backup's database is damaged: {found}")
    else:
        _postgresql("pg_restore", f"--file={os.devnull}", str(copy), connect=False)


def _put_database_back(copy: Path) -> None:
    db.session.remove()
    db.engine.dispose()
    if _kind() == "sqlite":
        path = Path(_url().database or "")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with closing(sqlite3.connect(copy)) as source, closing(sqlite3.connect(path, timeout=10)) as target:
            source.backup(target)
        return
    _postgresql("pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction", str(copy))


def _has_data() -> bool:
    if not inspect(db.engine).has_table(Staff.__tablename__):
        return False
    found = db.session.scalar(select(Staff.id).limit(1)) or db.session.scalar(select(AuditEvent.id).limit(1))
    db.session.rollback()
    return found is not None


def _postgresql(program: str, *arguments: str, connect: bool = True) -> None:
    """Run one of PostgreSQL's own programs; the password is in no process list."""
    url = _url()
    command = [_program(program), *arguments]
    if connect:
        bare = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
        command.append(f"--dbname={bare}")
    environment = {**os.environ, **({"PGPASSWORD": str(url.password)} if url.password else {})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 – no shell, no text of users
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it gave no reason"]
        raise BackupError(f"{program} failed: {said[0][:300]}")


def _program(name: str) -> str:
    """The newest that is installed: an older one refuses a newer server."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda at: at.parts[-3].zfill(3))
    found = str(debian[-1]) if debian else shutil.which(name)
    if not found:
        raise BackupError(f"{name} is not installed (Debian: apt-get install postgresql-client).")
    return found
