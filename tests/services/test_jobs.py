"""Jobs: asked for by a change, done after it; by the clock once among all; nothing lost with a hint."""

import pkgutil
import threading
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

import clock
from models import InvitationStatus, JobRun, SignInRequest, db
from services import jobs, mail, sign_in
from services.job_carrier import Carrier
from services.transaction import transaction
from tests import cast, make
from tests.mailbox import Mailbox

pytestmark = pytest.mark.usefixtures("app")


@pytest.mark.parametrize("name", [*jobs.JOBS.values(), *(function for _, function in jobs.PERIODIC.values())])
def test_every_job_names_a_function(name: str):
    assert callable(pkgutil.resolve_name(name))


@pytest.mark.parametrize("verb", [verb for verb, kind in mail.MAILS.items() if kind.mint])
def test_every_mail_with_a_link_names_who_mints_it(verb: str):
    assert callable(pkgutil.resolve_name(mail.MAILS[verb].mint))


def test_a_job_is_handed_over_after_the_commit_and_not_before(settings):
    carrier = Carrier(settings)
    carrier.drain()
    try:
        with transaction():
            jobs.enqueue("mail.deliver")
            jobs.enqueue("mail.deliver")
            assert carrier.drain() == 0
        assert carrier.drain() == 1, "asked for twice in one change, it is done once"
    finally:
        carrier.close()


def test_a_job_of_a_change_that_is_taken_back_is_forgotten(settings):
    carrier = Carrier(settings)
    carrier.drain()
    with pytest.raises(KeyError), transaction():  # noqa: PT012 – the change fails after the job
        jobs.enqueue("mail.deliver")
        jobs.enqueue("no.such.job")
    with transaction():
        pass
    assert carrier.drain() == 0
    carrier.close()


def test_a_carrier_that_is_away_delays_no_change_and_loses_nothing(app_with, settings, mailbox: Mailbox):
    app_with(redis_url="redis://127.0.0.1:1/0")
    try:
        make.invitation(email="noah@unl.example", send=True)
        assert [one.recipients for one in mailbox.collect()] == [["noah@unl.example"]]
    finally:
        jobs.configure(settings)


def test_the_sweep_answers_requests_whose_hint_was_lost(mailbox: Mailbox):
    amara = cast.contact(cast.AMARA)
    with transaction():
        sign_in.ask(email=amara.person.email, browser_token=make.COOKIE)
        sign_in.ask(email="nobody@unl.example", browser_token=make.COOKIE)
    (arrived,) = mailbox.collect()
    assert arrived.recipients == [amara.person.email]
    db.session.rollback()
    assert db.session.scalar(select(SignInRequest).where(SignInRequest.handled_at.is_(None))) is None


def test_what_falls_due_is_done_and_caught_up_after_a_pause(time):
    invitation = make.invitation(email="noah@unl.example", days=7)
    assert jobs.run_due() == 0
    time.pass_(days=8)
    assert jobs.run_due() == 0
    db.session.refresh(invitation)
    assert invitation.status is InvitationStatus.EXPIRED


def test_a_periodic_job_runs_once_however_many_workers_sweep(app: Flask, monkeypatch, time):
    runs: list[int] = []
    together = threading.Barrier(4)

    def count() -> None:
        runs.append(1)

    monkeypatch.setattr(jobs, "PERIODIC", {"count": (timedelta(minutes=5), f"{__name__}:counted")})
    monkeypatch.setitem(globals(), "counted", count)

    def sweep() -> None:
        together.wait()
        with app.app_context():
            jobs.sweep()

    db.session.rollback()
    threads = [threading.Thread(target=sweep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(runs) == 1
    time.pass_(minutes=4)
    jobs.sweep()
    assert len(runs) == 1, "not due yet"
    time.pass_(minutes=1)
    jobs.sweep()
    assert len(runs) == 2


def test_a_worker_that_died_holds_a_periodic_job_for_its_lease_only(monkeypatch, time):
    runs: list[int] = []
    monkeypatch.setattr(jobs, "PERIODIC", {"count": (timedelta(minutes=1), f"{__name__}:counted")})
    monkeypatch.setitem(globals(), "counted", lambda: runs.append(1))
    now = clock.now()
    with transaction() as session:
        session.add(JobRun(name="count", last_started_at=now, leased_until=now + jobs.PERIODIC_LEASE))
    time.pass_(minutes=5)
    jobs.sweep()
    assert runs == []
    time.pass_(minutes=5)
    jobs.sweep()
    assert runs == [1]


def test_a_job_that_fails_stops_no_other(monkeypatch, mailbox: Mailbox):
    def broken() -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(jobs, "PERIODIC", {"broken": (timedelta(minutes=1), f"{__name__}:counted")})
    monkeypatch.setitem(globals(), "counted", broken)
    make.invitation(email="noah@unl.example", send=True)
    assert jobs.sweep() == 1
    assert len(mailbox) == 1
    db.session.rollback()
    assert db.session.get_one(JobRun, "broken").last_error
