"""The commands: what they do, and that a failure is one sentence and exit code 1."""

import os
import re
import signal
import socket
import subprocess
import sys
import time as seconds
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select, text

import clock
import config
from models import JobRun, Mail, MailStatus, Staff, StaffRole, db
from services import jobs, mail
from services.transaction import transaction
from tests import cast, make
from tests.contexts import apart
from tests.mailbox import Mailbox

PASSWORD = "seven otters in a raincoat"
COMMANDS = (
    "audit verify",
    "backup",
    "demo generate",
    "demo load",
    "doctor",
    "jobs run-due",
    "jobs work",
    "restore",
    "serve",
    "staff create",
    "staff reset-password",
)


@pytest.fixture
def run(app: Flask) -> Callable[..., Result]:
    """Run a command as somebody at a terminal: `run("staff create", "--email", …, typed="…")`."""

    def command(name: str, *arguments: str, typed: str = "") -> Result:
        runner = app.test_cli_runner()
        return apart(lambda: runner.invoke(args=[*name.split(), *arguments], input=typed))

    return command


def refused(result: Result) -> str:
    """The one sentence of a command that failed."""
    assert result.exit_code == 1, result.output
    (sentence,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert "Traceback" not in result.output
    return sentence.removeprefix("Error: ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(run, name: str):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


# MARK: Accounts


def test_the_first_administrator_is_made_with_a_password_from_standard_input(run):
    given = ("--email", " Sam@Northwind.example ", "--name", "Sam Whitfield", "--role", "admin")
    result = run("staff create", *given, "--password-stdin", typed=f"{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output
    sam = db.session.scalars(select(Staff)).one()
    assert (sam.email_canonical, sam.role) == ("sam@northwind.example", StaffRole.ADMIN)
    assert sam.password_hash is not None
    assert sam.password_hash.startswith("$argon2id$")


def test_without_a_password_a_link_is_mailed_at_once(run, mailbox: Mailbox):
    result = run("staff create", "--email", "sam@northwind.example", "--name", "Sam", "--role", "admin")
    assert result.exit_code == 0, result.output
    assert "hour" in result.output
    assert "/admin/password/" in mailbox.mails[0].link("/admin/password/")
    again = run("staff reset-password", "--email", "sam@northwind.example")
    assert again.exit_code == 0, again.output
    assert len(mailbox) == 2


@pytest.mark.parametrize(
    ("arguments", "typed", "says"),
    [
        (("staff create", "--email", "sam", "--name", "Sam", "--role", "admin"), "", "address"),
        (("staff create", "--email", "a@b.example", "--name", " ", "--role", "admin"), "", "name"),
        (
            ("staff create", "--email", "a@b.example", "--name", "A", "--role", "admin", "--password-stdin"),
            "short\n",
            "",
        ),
        (
            ("staff create", "--email", "a@b.example", "--name", "A", "--role", "admin", "--password-stdin"),
            "",
            "Standard input",
        ),
        (("staff reset-password", "--email", "nobody@northwind.example"), "", "Nobody"),
        (("restore", "/nowhere/at.all"), "", "no file"),
        (("backup", "/nowhere/at.all"), "", "could not be written"),
    ],
)
def test_a_failure_is_one_sentence(run, arguments: tuple[str, ...], typed: str, says: str):
    sentence = refused(run(*arguments, typed=typed))
    assert says.lower() in sentence.lower()
    assert db.session.scalar(select(Staff)) is None


def test_a_database_without_tables_is_a_sentence_too(app_with, empty_database, settings):
    runner = app_with(database_url=empty_database()).test_cli_runner()
    try:
        for command in ("jobs run-due", "jobs work", "backup x", "staff reset-password --email a@b.example"):
            result = apart(partial(runner.invoke, args=command.split()))
            assert "flask db upgrade" in refused(result), command
    finally:
        config.use(settings)
        jobs.configure(settings)


# MARK: Worker, backup, doctor


def test_a_sweep_does_what_is_due(run, mailbox: Mailbox):
    make.invitation(email="noah@unl.example", send=True)
    assert run("jobs run-due").exit_code == 0
    assert len(mailbox) == 1
    assert run("jobs run-due").output == ""


def test_backup_and_restore(run, tmp_path: Path):
    cast.contact(cast.AMARA)
    file = str(tmp_path / "portico.backup")
    assert re.search(r"up to audit event \d+ and 0 files", run("backup", file).output)
    assert "--replace" in refused(run("restore", file)), "nothing is overwritten unasked"
    db.session.remove()
    result = run("restore", file, "--replace")
    assert result.exit_code == 0, result.output
    assert "signs in anew" in result.output


def test_the_doctor_tries_everything_and_says_what_to_do(run, app_with, settings):
    result = run("doctor")
    assert "note accounts: nobody of ours can sign in yet; run `flask staff create --help`" in result.output
    assert "ok   mail: the mail server answers" in result.output
    assert result.exit_code == 0, result.output
    app = app_with(mail_url="smtp://127.0.0.1:1")
    try:
        broken = apart(lambda: app.test_cli_runner().invoke(args=["doctor"]))
        assert "BAD  mail: MAIL_URL does not work" in broken.output
        assert "1 of" in refused(broken)
    finally:
        config.use(settings)


def test_a_wrong_setting_is_a_sentence(tmp_path: Path):
    environment = {**os.environ, "BASE_URL": "https://partners.example.org", "DATA_DIR": str(tmp_path)}
    environment.pop("SECRET_KEY", None)
    command = [sys.executable, "-m", "flask", "--app", "app", "doctor"]
    done = subprocess.run(
        command, env=environment, cwd=config.ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.strip() == "Error: SECRET_KEY must be set in production mode (BASE_URL with https)."


# MARK: Processes


@pytest.fixture
def environment(settings: config.Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings as a process of its own reads them; its clock is the true one, and so is ours."""
    monkeypatch.setattr(clock, "read", clock._system)
    given = {
        "DATA_DIR": str(settings.data_dir),
        "DATABASE_URL": settings.database_url,
        "SECRET_KEY": settings.secret_key,
        "BASE_URL": settings.base_url,
        "MAIL_URL": settings.mail_url,
        "STORAGE_URL": settings.storage_url,
        "WEB_WORKERS": "1",
    }
    return {**os.environ, **given}


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command as a process; whatever is left of it ends with the test."""
    started: list[subprocess.Popen[str]] = []

    def command(*arguments: str, **settings: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "app", *arguments],
            env={**environment, **settings},
            cwd=config.ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        started.append(process)
        return process

    yield command
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for(condition: Callable[[], bool], most: float = 60) -> float:
    """Wait until it holds, and give how many seconds that took."""
    began = seconds.monotonic()
    while not condition():
        assert seconds.monotonic() - began < most, "It did not happen."
        seconds.sleep(0.02)
    return seconds.monotonic() - began


def fresh(number: int) -> MailStatus:
    db.session.rollback()
    return db.session.get_one(Mail, number, populate_existing=True).status


def test_a_worker_sends_within_the_second_and_stops_when_told(app: Flask, start, mailbox: Mailbox):
    amara = cast.contact(cast.AMARA)
    db.session.rollback()
    worker = start("jobs", "work")
    beat = select(JobRun.last_ended_at).where(JobRun.name == jobs.HEARTBEAT)
    wait_for(lambda: db.session.rollback() or db.session.scalar(beat) is not None)  # type: ignore[func-returns-value]
    with transaction():
        row = mail.queue("contact.ended", to=amara.person, entity=amara.entity)
    took = wait_for(lambda: fresh(row.id) is MailStatus.SENT)
    assert took < 5, "the hint reached the worker long before its next sweep"
    assert len(mailbox) == 1
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.databases("sqlite")
def test_serve_runs_web_and_worker_and_stops_both(app: Flask, start, settings):
    port = _free_port()
    (settings.data_dir / "demo-sign-ins.txt").write_text("Staff  sam@northwind.example\n")
    url = f"http://127.0.0.1:{port}"
    server = start("serve", PORT=str(port), BASE_URL=url)
    try:
        assert server.stdout is not None
        said = ""
        for line in server.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        assert "Portico is ready" in said, said
        assert "Staff  sam@northwind.example" in said
        with urlopen(f"{url}/readyz") as answer:
            assert answer.status == 200
        taken = start("serve", PORT=str(port), BASE_URL=url)
        output, _ = taken.communicate(timeout=60)
        assert taken.returncode == 1
        (sentence,) = output.splitlines()
        assert sentence.startswith(f"Error: Port {port} on 127.0.0.1 is taken by another program")
        server.send_signal(signal.SIGTERM)
        assert server.wait(35) == 0
        with pytest.raises(OSError, match="refused"):
            urlopen(f"{url}/healthz")
    finally:
        (settings.data_dir / "demo-sign-ins.txt").unlink()


@pytest.mark.databases("sqlite")
def test_serve_says_what_to_do_about_a_database_of_another_version(app: Flask, start):
    with transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    db.session.rollback()
    server = start("serve", PORT=str(_free_port()))
    output, _ = server.communicate(timeout=60)
    assert server.returncode == 1
    assert "flask db upgrade" in output
