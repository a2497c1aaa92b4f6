"""Asking for a link and typing its code: the same answer for every address, and what follows signing in."""

from datetime import timedelta

import pytest
from sqlalchemy import select

import clock
from models import (
    AuthEvent,
    EntityStatus,
    Mail,
    OrganizationStatus,
    Session,
    SignInRequest,
    db,
)
from services import audit, sign_in, sign_in_requests
from services.errors import Gone, TooMany
from services.sign_in import WrongCode
from services.transaction import transaction
from tests import cast, make
from tests.services.portal_door import ANOTHER_COOKIE, log, mails, redeem, redeem_code, refused

pytestmark = pytest.mark.usefixtures("app")


# MARK: Asking


@pytest.mark.parametrize(
    "typed", ["amara.okafor@unl.example", "  AMARA.Okafor@UNL.example\t", "Amara.Okafor@unl.EXAMPLE\n"]
)
def test_a_link_goes_to_the_stored_address_however_it_was_typed(typed):
    cast.actor(cast.AMARA)
    make.request(typed)
    assert mails("sign_in.link") == ["amara.okafor@unl.example"]


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "nobody",
        "_mara.okafor@unl.example",
        "a%@unl.example",
        "amara.okafor@unl.example\x00",
        "amara.okafor@unl.example\u200b",
        "аmara.okafor@unl.example",  # a Cyrillic а
        "AMARA.OKAFOR@UNL.EXAMPLE".replace("K", "\u212a"),
        "stranger@unl.example",
        "x" * 10_000,
        "\ud800@unl.example",
    ],
)
def test_nobody_else_gets_one(typed):
    cast.actor(cast.AMARA)
    make.request(typed)
    assert mails("sign_in.link") == []


def test_every_address_costs_the_same_statements(queries):
    cast.actor(cast.AMARA)
    counted = []
    for typed in ("amara.okafor@unl.example", "stranger@unl.example", "nonsense"):
        with queries() as statements, transaction():
            sign_in.ask(email=typed, browser_token=make.COOKIE)
        counted.append(statements)
    assert counted[0] == counted[1] == counted[2]
    assert sum(statement.startswith("INSERT") for statement in counted[0]) == 1


@pytest.mark.parametrize("what", ["person", "entity", "organization", "ended", "ran out"])
def test_who_has_no_access_gets_no_mail_and_their_link_stops(what, time):
    ruth = cast.contact(cast.RUTH)
    token, code = make.link(ruth.person.email)
    if what == "person":
        make.person(ruth.person.email, is_active=False)
    elif what == "entity":
        make.entity("Counseling Center", ruth.entity.organization, status=EntityStatus.SUSPENDED)
    elif what == "organization":
        make.organization(ruth.entity.organization.name, status=OrganizationStatus.SUSPENDED)
    else:
        with transaction():
            ends = {"ended": "ended_at", "ran out": "valid_until"}[what]
            setattr(ruth.affiliation, ends, time.now)
            audit.record(actor=make.PORTICO, verb="contact.changed", subject=ruth.affiliation)

    assert sign_in.look(token).state == "revoked"
    assert refused(token) == "revoked"
    with pytest.raises(WrongCode if what == "person" else Gone):
        redeem_code(code)
    make.request(ruth.person.email)
    assert len(mails("sign_in.link")) == 1
    assert db.session.scalars(select(Session)).all() == []


def test_too_many_mails_to_one_address_are_dropped_in_silence(time):
    cast.actor(cast.AMARA)
    token = make.link(cast.AMARA.email)[0]
    for _time in range(9):
        make.request(cast.AMARA.email)
    assert len(mails("sign_in.link")) == 5
    assert log("link_requested")[-1] == ("ignored", "rate_limited")
    assert redeem(token).contact.person.email == cast.AMARA.email  # no lock-out

    for _quarter in range(4):
        time.pass_(minutes=16)
        for _time in range(5):
            make.request(cast.AMARA.email)
    assert len(mails("sign_in.link")) == 20
    time.pass_(days=1)
    make.request(cast.AMARA.email)
    assert len(mails("sign_in.link")) == 21


def test_one_ip_address_asks_twenty_times(time):
    for _time in range(20):
        sign_in.allow_asking()
    with pytest.raises(TooMany) as caught:
        sign_in.allow_asking()
    assert 0 < caught.value.retry_after <= 900
    time.pass_(minutes=15)
    sign_in.allow_asking()


def test_one_ip_address_is_wrong_thirty_times():
    for _time in range(30):
        sign_in.allow_opening()
        sign_in.count_failure()
    with pytest.raises(TooMany):
        sign_in.allow_opening()


def test_a_request_is_answered_once():
    cast.actor(cast.AMARA)
    asked = make.request(cast.AMARA.email)
    sign_in.handle_request(asked.id)
    assert len(mails("sign_in.link")) == 1


def test_a_request_that_waited_for_days_is_let_go(time):
    cast.actor(cast.AMARA)
    with transaction():
        sign_in.ask(email=cast.AMARA.email, browser_token=make.COOKIE)
    time.pass_(days=2)
    sign_in.handle_request(db.session.scalars(select(SignInRequest.id)).one())
    assert mails("sign_in.link") == []


# MARK: Codes


def test_the_code_opens_in_the_browser_that_asked_and_ends_the_link():
    cast.actor(cast.AMARA)
    token, code = make.link(cast.AMARA.email)
    assert len(code) == 8
    assert code.isdigit()
    with pytest.raises(WrongCode):
        redeem_code(code, ANOTHER_COOKIE)
    with pytest.raises(WrongCode):
        redeem_code(code, "")
    assert redeem_code(code).contact.person.email == cast.AMARA.email
    assert refused(token) == "used"
    with pytest.raises(WrongCode):
        redeem_code(code)


@pytest.mark.parametrize("seconds", [-1, 0])
def test_a_code_lives_ten_minutes(time, seconds):
    cast.actor(cast.AMARA)
    code = make.link(cast.AMARA.email)[1]
    time.pass_(minutes=10, seconds=seconds)
    if seconds < 0:
        redeem_code(code)
    else:
        with pytest.raises(WrongCode):
            redeem_code(code)


def test_five_wrong_codes_end_the_right_one():
    cast.actor(cast.AMARA)
    token, code = make.link(cast.AMARA.email)
    wrong = f"{(int(code) + 1) % 10**8:08}"
    for _time in range(5):
        with pytest.raises(WrongCode):
            redeem_code(wrong)
    with pytest.raises(WrongCode):
        redeem_code(code)
    assert log("code_refused") == [("refused", "wrong_code")] * 6
    redeem(token)  # the link is not touched by it


def test_the_fifth_try_may_be_right():
    cast.actor(cast.AMARA)
    code = make.link(cast.AMARA.email)[1]
    for _time in range(4):
        with pytest.raises(WrongCode):
            redeem_code("x")
    redeem_code(code)


def test_a_code_is_refused_alike_for_who_is_known_and_who_is_not():
    cast.actor(cast.AMARA)
    make.link(cast.AMARA.email, make.COOKIE)
    make.request("stranger@unl.example", ANOTHER_COOKIE)
    told = []
    for cookie in (make.COOKIE, ANOTHER_COOKIE):
        with pytest.raises(WrongCode) as caught:
            redeem_code("00000000x", cookie)
        told.append((str(caught.value), caught.value.field, caught.value.status))
    assert told[0] == told[1]


# MARK: After signing in


def test_a_new_kind_of_browser_is_told_about_and_a_known_one_is_not():
    cast.actor(cast.AMARA)
    for browser, system in (
        ("Firefox", "Linux"),
        ("Firefox", "Linux"),
        ("Chrome", "Android"),
        ("Firefox", "Linux"),
    ):
        redeem(make.link(cast.AMARA.email)[0], browser, system)
    notices = db.session.scalars(select(Mail).where(Mail.verb == "sign_in.notice")).all()
    assert [(mail.email, mail.facts["browser"]) for mail in notices] == [(cast.AMARA.email, "Chrome")]


def test_the_principals_are_told_of_a_first_sign_in():
    cast.actor(cast.AMARA)
    cast.actor(cast.KOFI)
    for _time in range(2):
        redeem(make.link(cast.KOFI.email)[0])
    assert mails("sign_in.first") == [cast.AMARA.email]


def test_the_page_that_was_wanted_comes_after_signing_in():
    cast.actor(cast.AMARA)
    with transaction():
        sign_in.ask(email=cast.AMARA.email, browser_token=make.COOKIE, next_path="/partners/team")
    sign_in_requests.handle_request(db.session.scalars(select(SignInRequest.id)).one())
    token, _code = make.minted(db.session.scalars(select(Mail)).one())
    assert redeem(token).next_path == "/partners/team"


def test_signing_in_leaves_its_trace():
    amara = cast.contact(cast.AMARA)
    redeem(make.link(cast.AMARA.email)[0])
    assert list(db.session.scalars(select(AuthEvent.kind).order_by(AuthEvent.id))) == [
        "link_requested",
        "link_sent",
        "signed_in",
    ]
    assert amara.person.last_seen_at == clock.now()
    assert db.session.scalars(select(Session.expires_at)).one() == clock.now() + timedelta(days=30)
