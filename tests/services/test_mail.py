"""Mails: written with the change, delivered after it, whole, once, and to nobody else."""

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import threading
from datetime import timedelta
from email.message import EmailMessage
from time import monotonic
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import select

import clock
import config
from models import Company, Entity, Invitation, Mail, MailStatus, Person, db
from services import mail, mail_delivery, mail_message, mail_transport
from services.errors import IllegalMove, NotAllowed
from services.mail_message import HEADERS
from services.mail_transport import TryLater, check, probe
from services.transaction import transaction
from tests import cast, make
from tests.mailbox import Mailbox
from tests.servers import MailServer

pytestmark = pytest.mark.usefixtures("app")


def ended(to: Person, count: int = 1) -> list[int]:
    """Mails that need no token, to somebody."""
    with transaction():
        rows = [mail.queue("contact.ended", to=to, entity=make_entity()) for _ in range(count)]
        return [row.id for row in rows]


def make_entity():
    return db.session.scalars(select(Entity)).first()


@pytest.fixture
def amara() -> Person:
    return cast.contact(cast.AMARA).person


def status(number: int) -> MailStatus:
    db.session.rollback()
    return db.session.get_one(Mail, number, populate_existing=True).status


# MARK: With the change


def test_a_mail_leaves_only_after_the_change_is_committed(amara: Person, mailbox: Mailbox):
    with transaction():
        mail.queue("contact.ended", to=amara, entity=make_entity())
        assert len(mailbox) == 0
    (arrived,) = mailbox.collect()
    assert arrived.recipients == [amara.email]


def test_a_change_that_is_taken_back_sends_nothing(amara: Person, mailbox: Mailbox):
    with pytest.raises(IllegalMove), transaction():  # noqa: PT012 – the change fails after the mail
        mail.queue("contact.ended", to=amara, entity=make_entity())
        raise IllegalMove("too late")
    assert mailbox.collect() == []
    assert db.session.scalar(select(Mail)) is None


def test_a_mail_without_what_it_names_cannot_be_queued(amara: Person):
    with pytest.raises(TypeError, match="entity"), transaction():
        mail.queue("contact.ended", to=amara)
    with pytest.raises(TypeError, match="before"), transaction():
        mail.queue("contact.role_changed", to=amara, entity=make_entity(), after="viewer")


# MARK: What arrives


def test_a_mail_has_two_parts_with_the_same_links_and_the_headers_of_a_machine(mailbox: Mailbox):
    invitation = make.invitation(email="noah@unl.example", by=cast.staff(cast.DANA), send=True)
    arrived = mailbox.latest(to="noah@unl.example")

    message = arrived.message
    assert message.get_content_type() == "multipart/alternative"
    assert sorted(name.lower() for name in message.keys()) == HEADERS  # noqa: SIM118
    assert message["Auto-Submitted"] == "auto-generated"
    company = db.session.get_one(Company, 1)
    assert company.portal_name in arrived.sender
    assert company.support_email in str(message["Reply-To"])
    link = next(one for one in arrived.links if "/partners/login/" in one)
    assert link.startswith(config.current().base_url + "/partners/login/")
    shown = {anchor.attributes["href"]: anchor.text(strip=True) for anchor in arrived.html.css("a.link")}
    assert shown[link] == link, "the address that is shown is the one it leads to"
    for part in (arrived.text, arrived.markup):
        for named in ("Dana Ortiz", invitation.entity.name, "principal", "UTC", "did not expect"):
            assert named in part


def test_every_mail_has_its_texts_and_a_subject_that_fits(mailbox: Mailbox):
    entity = make.entity(name="The Department of Applied Ornithology and of Very Long Names in General")
    amara = make.contact(entity=entity, email="amara@unl.example", full_name="Amara Okafor").person
    dana = cast.staff(cast.DANA)
    facts: dict[str, Any] = {
        "who": "Tess Nguyen",
        "role": "technical",
        "before": "viewer",
        "after": "finance",
        "at": clock.now(),
        "browser": "Firefox",
        "system": "Windows",
        "address": "203.0.113.7",
        "left": 1,
        "by": "Sam Whitfield",
        "session_id": 1,
    }
    invitation = make.invitation(entity=entity, email="noah@unl.example")
    with transaction():
        for verb, kind in mail.MAILS.items():
            to = dana if verb.startswith("staff.") else amara
            row = mail.queue(verb, to=to, entity=entity, invitation=invitation, **facts)
            message = mail_message.compose(
                row, token="t" * 43 if kind.mint else None, code="12345678" if kind.mint else None
            )
            plain, html = message.get_body(("plain",)), message.get_body(("html",))
            assert plain is not None
            assert html is not None
            assert len(message["Subject"]) <= 60
            assert max(len(line) for line in plain.get_content().splitlines() if "http" not in line) <= 78
            assert "<" not in plain.get_content()
            assert "style=" in html.get_content(), "styles stand in the elements"
            assert len(message.as_bytes()) < 60_000


def test_the_link_goes_nowhere_else(mailbox: Mailbox, caplog: pytest.LogCaptureFixture):
    make.invitation(email="noah@unl.example", send=True)
    token = mailbox.latest().link("/partners/login/").rpartition("/")[2]
    rows = [str(vars(row)) for row in db.session.scalars(select(Mail)).all()]
    assert len(token) == 43
    assert not [row for row in rows if token in row]
    assert token not in caplog.text


# MARK: Headers

INJECTIONS = (
    "Acme\r\nBcc: evil@x.test",
    "Acme\nBcc: evil@x.test",
    "Acme\rBcc: evil@x.test",
    "=?utf-8?q?Acme=0ABcc:_evil@x.test?=",
    "=?utf-8?b?QWNtZQpCY2M6IGV2aWxAeC50ZXN0?=",
    "==??utf-8?q?Acme=0ABcc:_evil@x.test?=",
    "Acme\x00Bcc: evil@x.test",
    "Acme\u2028Bcc: evil@x.test",
    "Acme\x85Bcc: evil@x.test",
    "Acme, evil@x.test <evil@x.test>",
    '"><script>alert(1)</script>',
    "\u202egnp.exe",
)


@pytest.mark.parametrize("name", INJECTIONS)
def test_no_name_adds_a_header_or_a_reader(amara: Person, name: str):
    with transaction():
        row = mail.queue("invitation.accepted", to=amara, entity=make_entity(), who=name, role="viewer")
        message: EmailMessage = mail_message.compose(row)
    raw = message.as_bytes()
    head = raw.partition(b"\r\n\r\n")[0].decode("ascii").lower()
    assert "\nbcc" not in head
    assert sorted(line.partition(":")[0] for line in head.split("\r\n") if line[0] not in " \t") == HEADERS
    html = message.get_body(("html",))
    assert html is not None
    assert "<script" not in html.get_content()


# MARK: The server


def test_a_mail_server_that_is_down_loses_nothing(amara: Person, mailbox: Mailbox, mail_server, time):
    (number,) = ended(amara)
    mail_server.refusal = "451 4.3.0 Try again later"
    waits = []
    for wait in mail_delivery.RETRIES[:3]:
        mailbox.collect()
        assert status(number) is MailStatus.QUEUED
        row = db.session.get_one(Mail, number)
        assert "451" in row.last_error
        waits.append(row.due_at - clock.now())
        time.pass_(seconds=wait.total_seconds())
    assert waits == [timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30)]
    mail_server.refusal = None
    (arrived,) = mailbox.collect()
    assert status(number) is MailStatus.SENT
    assert arrived.message["Message-ID"] == db.session.get_one(Mail, number).message_id


def test_after_the_last_attempt_staff_decide(amara: Person, mailbox: Mailbox, mail_server, time):
    (number,) = ended(amara)
    mail_server.refusal = "451 4.3.0 Try again later"
    for wait in (*mail_delivery.RETRIES, timedelta(days=1)):
        mailbox.collect()
        time.pass_(seconds=wait.total_seconds())
    assert status(number) is MailStatus.FAILED
    assert mail_server.attempts == len(mail_delivery.RETRIES) + 1

    row = db.session.get_one(Mail, number)
    ingrid, priya = cast.staff(cast.INGRID), cast.staff(cast.PRIYA)
    with pytest.raises(NotAllowed), transaction():
        mail.retry(actor=ingrid, mail=row)
    with transaction():
        mail.retry(actor=priya, mail=row)
    mail_server.refusal = None
    assert len(mailbox.collect()) == 1
    with pytest.raises(IllegalMove), transaction():
        mail.retry(actor=priya, mail=row)


def test_a_recipient_who_is_refused_for_good_is_flagged(amara: Person, mailbox: Mailbox, mail_server):
    (number,) = ended(amara)
    mail_server.refusal = "550 5.1.1 No such mailbox"
    mailbox.collect()
    assert status(number) is MailStatus.FAILED
    assert db.session.get_one(Person, amara.id, populate_existing=True).bounced_at == clock.now()
    mail_server.refusal = None
    assert mailbox.collect() == [], "a mail that was refused for good is not tried again"


def test_no_server_at_all_is_a_reason_to_wait(amara: Person, app_with, mail_server: MailServer):
    elsewhere = app_with(mail_url="smtp://127.0.0.1:1")
    try:
        (number,) = ended(amara)
        assert mail_delivery.deliver_due() == 0
        assert status(number) is MailStatus.QUEUED
        with pytest.raises(TryLater):
            probe(config.current().mail_url)
    finally:
        config.use(config.Settings(**{**vars(config.current()), "mail_url": mail_server.url}))
        assert elsewhere is not None


def test_a_folder_gets_one_whole_file_a_mail(amara: Person, app_with, settings, tmp_path):
    app_with(mail_url=f"file:{tmp_path}/outbox")
    try:
        ended(amara, 2)
        assert mail_delivery.deliver_due() == 2
    finally:
        config.use(settings)
    files = sorted(path.name for path in (tmp_path / "outbox").iterdir())
    assert len(files) == 2
    assert all(name.endswith(".eml") for name in files)
    assert os.stat(tmp_path / "outbox" / files[0]).st_mode & 0o077 == 0, "links are for nobody else"


def test_an_invitation_that_was_cancelled_meanwhile_is_not_sent(mailbox: Mailbox):
    from services import people

    invitation = make.invitation(email="noah@unl.example", send=True)
    dana = cast.staff(cast.DANA)
    with transaction():
        people.revoke(actor=dana, invitation=db.session.get_one(Invitation, invitation.id))
    assert mailbox.collect() == []
    row = db.session.scalars(select(Mail)).one()
    assert row.status is MailStatus.FAILED
    assert row.last_error.startswith("Not sent")


@pytest.mark.parametrize(
    ("url", "is_good"),
    [
        ("smtp://mail.example", True),
        ("smtp://user:pa%40ss@mail.example:587?tls=starttls", True),
        ("smtps://mail.example:465", True),
        ("file:/var/lib/portico/outbox", True),
        ("smtp://mail.example?tls=maybe", False),
        ("http://mail.example", False),
        ("smtp:mail.example", False),
    ],
)
def test_a_mail_address_of_a_server_is_checked(url: str, is_good: bool):
    assert (check(url) == "") is is_good


@pytest.mark.parametrize("word", [b"", b"220-", b"2"], ids=["silent", "endless", "dripping"])
def test_a_server_that_dawdles_is_left_at_the_deadline(monkeypatch, word: bytes):
    monkeypatch.setattr(mail_transport, "TOTAL_SECONDS", 1)

    def dawdle(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                while not over.wait(0.1):
                    connection.sendall(word)

    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=dawdle, args=(listener,))
        thread.start()
        began = monotonic()
        with pytest.raises(TryLater):
            probe(f"smtp://127.0.0.1:{listener.getsockname()[1]}")
        assert monotonic() - began < 5
        over.set()
        thread.join(10)


# MARK: Several workers, and workers that die


def test_two_workers_send_nothing_twice(amara: Person, app: Flask, mail_server: MailServer):
    numbers = ended(amara, 12)

    def work() -> None:
        with app.app_context():
            mail_delivery.deliver_due()

    db.session.rollback()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len({str(one["Message-ID"]) for one in mail_server.received}) == len(numbers)
    assert len(mail_server.received) == len(numbers)
    assert {status(number) for number in numbers} == {MailStatus.SENT}


DIE = """
import datetime, json, os, pathlib, sys
import clock, config
from app import create_app
from services import mail_delivery
given = json.loads(sys.argv[1])
now = datetime.datetime.fromisoformat(given.pop("now"))
clock.read = lambda: now
settings = config.Settings(data_dir=pathlib.Path(given.pop("data_dir")), **given)
app = create_app(settings)
deliver = mail_delivery.deliver
def deliver_and_die(*arguments):
    deliver(*arguments)
    os._exit(9)
mail_delivery.deliver = deliver_and_die
with app.app_context():
    mail_delivery.deliver_due()
"""


def test_a_worker_killed_after_the_servers_answer_sends_a_second_copy_at_most(
    settings, mailbox: Mailbox, mail_server, time, tmp_path
):
    make.invitation(email="noah@unl.example", send=True)
    db.session.rollback()
    names = ("data_dir", "database_url", "secret_key", "base_url", "mail_url")
    given = json.dumps({name: str(getattr(settings, name)) for name in names} | {"now": str(clock.now())})
    died = subprocess.run(
        [sys.executable, "-c", DIE, given], cwd=config.ROOT, capture_output=True, check=False
    )
    assert died.returncode == 9, died.stderr.decode()
    row = db.session.scalars(select(Mail)).one()
    assert row.status is MailStatus.SENDING
    assert mailbox.collect() == [], "its lease still holds"
    time.pass_(seconds=mail_delivery.LEASE.total_seconds())
    mailbox.collect()

    first, second = mailbox.mails
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert first.link() != second.link(), "the token of the first copy ended with the second"
    assert status(row.id) is MailStatus.SENT
    assert mailbox.collect() == []


def test_a_mail_shows_the_logo_in_its_size_from_our_own_address(mailbox: Mailbox, tmp_path):
    from services import company

    png = io.BytesIO()
    Image.new("RGB", (640, 128), "navy").save(png, "PNG")
    sam = cast.staff(cast.SAM)
    db.session.rollback()
    kept = company.keep_logo(actor=sam, uploaded=png.getvalue())
    with transaction():
        company.change_logo(actor=sam, kept=kept)
    make.invitation(email="noah@unl.example", send=True)
    picture = mailbox.latest().html.css_first("img")
    assert picture is not None
    assert (picture.attributes["width"], picture.attributes["height"]) == ("160", "32")
    assert str(picture.attributes["src"]).startswith(config.current().base_url + "/")
    assert picture.attributes["alt"] == db.session.get_one(Company, 1).portal_name
