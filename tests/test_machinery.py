"""The pages for machines, and what logs say."""

import json
import logging
import os
import shutil
from datetime import timedelta
from functools import partial

import pytest
import structlog
from flask import Flask
from sqlalchemy import select, text

import clock
import config
import logs
from models import JobRun, Mail, db
from services import jobs, mail, storage
from services.transaction import transaction
from tests import cast
from tests.contexts import apart

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def get(app: Flask):
    """Ask for a page as some program would; `remote` is where it runs."""

    def ask(path: str, remote: str = "127.0.0.1", **headers: str):
        client = app.test_client()
        environ = {"REMOTE_ADDR": remote}
        return apart(lambda: client.get(path, headers=headers, environ_overrides=environ))

    return ask


@pytest.fixture
def working(app: Flask) -> None:
    """A worker was heard just now."""
    jobs.beat()


def test_health_asks_nothing_of_the_database(get, queries):
    with queries() as log:
        assert get("/healthz").json == {"status": "ok"}
    assert log == []


@pytest.mark.usefixtures("working")
def test_all_is_ready(get):
    answer = get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok", "problems": {}})


def _old_mail() -> None:
    amara = cast.contact(cast.AMARA)
    with transaction():
        row = mail.queue("contact.ended", to=amara.person, entity=amara.entity)
        row.due_at = clock.now() - timedelta(minutes=16)


def _silent_worker() -> None:
    with transaction() as session:
        run = session.scalars(select(JobRun).where(JobRun.name == jobs.HEARTBEAT)).one()
        run.last_ended_at = clock.now() - timedelta(seconds=61)


def _other_revision() -> None:
    with transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))


@pytest.mark.usefixtures("working")
@pytest.mark.parametrize(
    ("break_it", "name"), [(_old_mail, "mails"), (_silent_worker, "worker"), (_other_revision, "migrations")]
)
def test_what_is_missing_makes_it_unready_and_is_told_on_this_machine_only(get, break_it, name):
    break_it()
    near, far = get("/readyz"), get("/readyz", remote="203.0.113.7")
    assert near.status_code == far.status_code == 503
    assert list(near.json["problems"]) == [name]
    assert far.json == {"status": "not ready"}


@pytest.mark.usefixtures("working")
def test_a_full_disk_and_a_storage_that_is_away_make_it_unready(get, monkeypatch):
    full = shutil._ntuple_diskusage(10**12, 10**12, 10**8)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: full)
    monkeypatch.setattr(storage, "is_reachable", lambda: False)
    assert set(get("/readyz").json["problems"]) == {"disk", "storage"}


@pytest.mark.usefixtures("working")
@pytest.mark.databases("sqlite")
def test_a_database_that_can_be_read_but_not_written_is_not_ready(get, app: Flask):
    from sqlalchemy import event

    def forbid(connection, _record) -> None:
        connection.execute("PRAGMA query_only=ON")

    db.session.remove()
    db.engine.dispose()
    event.listen(db.engine, "connect", forbid)
    try:
        answer = get("/readyz")
        assert answer.status_code == 503
        assert "database" in answer.json["problems"]
    finally:
        event.remove(db.engine, "connect", forbid)
        db.engine.dispose()


def test_a_proxy_on_this_machine_is_no_program_on_this_machine(get):
    answer = get("/readyz", **{"X-Forwarded-For": "203.0.113.7"})
    assert answer.status_code == 503, "no worker was heard"
    assert answer.json == {"status": "not ready"}
    assert get("/metrics", **{"X-Forwarded-For": "203.0.113.7"}).status_code == 404


def test_metrics_are_for_this_machine_or_whoever_has_the_token(get, app_with, settings):
    get("/healthz")
    numbers = get("/metrics")
    assert 'portico_requests_total{endpoint="machinery.show_health"' in numbers.text
    assert 'portico_mails{status="failed"} 0.0' in numbers.text
    assert get("/metrics", remote="203.0.113.7").status_code == 404
    guarded = app_with(metrics_token="a token for Prometheus").test_client()
    try:
        for remote, header, status in (
            ("127.0.0.1", "", 404),
            ("203.0.113.7", "Bearer wrong", 404),
            ("203.0.113.7", "Bearer a token for Prometheus", 200),
        ):
            asked = {"headers": {"Authorization": header}, "environ_overrides": {"REMOTE_ADDR": remote}}
            answer = apart(partial(guarded.get, "/metrics", **asked))
            assert answer.status_code == status
    finally:
        config.use(settings)


def test_addresses_of_people_do_not_become_names_of_numbers(get):
    get(f"/partners/login/{'t' * 43}")
    assert "t" * 43 not in get("/metrics").text


# MARK: Logs


@pytest.fixture
def lines(settings, capsys) -> list[dict[str, object]]:
    """What was logged, read as a machine reads it."""

    class Lines(list):
        def read(self) -> list[dict[str, object]]:
            return [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]

    logs.set_up(settings)
    return Lines()


def test_a_request_is_one_line_with_its_id_and_without_its_token(get, lines):
    token = os.urandom(32).hex()[:43]
    answer = get(f"/partners/login/{token}", Referer=f"http://127.0.0.1/partners/login/{token}")
    (line,) = [one for one in lines.read() if one["event"] == "request"]
    assert line["path"] == "/partners/login/[redacted]"
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert token not in json.dumps(line)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("mail to amara.okafor@unl.example failed", "mail to a•••@unl.example failed"),
        (f"token {'Aa1-_' * 8}xyz seen", "token [redacted] seen"),
        ("smtp://user:pa55word@mail.example", "smtp://user:[redacted]@mail.example"),
        ("/admin/password/short?x=1", "/admin/password/[redacted]?x=1"),
        ("password=hunter2&name=Ann", "password=[redacted]&name=Ann"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_logs_hide_what_opens_doors_and_whom_mails_reach(said: str, kept: str):
    assert logs.redact(said) == kept


def test_libraries_are_masked_too_and_a_line_break_makes_no_second_line(lines):
    logging.getLogger("some.library").warning("refused amara@unl.example\nlevel=info forged line")
    forged = 'one\n{"event": "forged"}'
    structlog.get_logger().warning("deal", title=forged, who={"email": ["kofi@unl.example"]})
    first, second = lines.read()
    assert first["event"] == "refused a•••@unl.example\nlevel=info forged line"
    assert second["who"] == {"email": ["k•••@unl.example"]}


def test_no_mail_is_left_in_a_log(mailbox, lines):
    amara = cast.contact(cast.AMARA)
    with transaction():
        mail.queue("contact.ended", to=amara.person, entity=amara.entity)
    mailbox.server.refusal = "550 5.1.1 amara.okafor@unl.example unknown"
    mailbox.collect()
    assert "amara.okafor" not in json.dumps(lines.read())
    assert db.session.scalars(select(Mail)).one().last_error
