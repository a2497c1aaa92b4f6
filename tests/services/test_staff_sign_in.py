"""Password, second factor and sessions of staff."""

from typing import Any

import pytest
from sqlalchemy import select

from models import Session, Staff, StaffRole, db
from services import passwords, staff_sign_in
from services.errors import NotAllowed, NotFound
from services.transaction import transaction
from tests import cast, make
from tests.services.desk_door import (
    GOOD,
    HERE,
    KEPT,
    dana_with_password,
    enrol,
    events,
    session_of,
    sign_in,
    verbs,
)

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def dana(app, time) -> Staff:
    return dana_with_password()


# MARK: Password


def test_the_right_password_opens_a_session(dana):
    outcome = sign_in(" Dana@Northwind.EXAMPLE ")

    assert session_of(outcome.token).staff.id == dana.id
    assert events("signed_in") == [("ok", "")]
    assert verbs()[-1] == "session.started"
    assert dana.last_seen_at is None or dana.last_seen_at == make.clock.now()


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (cast.DANA.email, "a lantern under the wet bridg"),
        (cast.DANA.email, ""),
        (cast.DANA.email, "x" * 4096),
        ("nobody@northwind.example", GOOD),
        ("dana@northwind.exampIe", GOOD),
        ("d\u0430na@northwind.example", GOOD),
        ("no address", GOOD),
        ("", ""),
    ],
)
def test_everything_wrong_gets_the_same_sentence(dana, email, password):
    outcome = sign_in(email, password)

    assert (outcome.token, outcome.pending) == ("", None)
    assert str(outcome.refusal) == staff_sign_in.WRONG
    assert outcome.refusal.field == ""
    assert [outcome for outcome, _cause in events("sign_in")] == ["refused"]


def test_closed_accounts_and_those_without_a_password_get_it_too(dana):
    make.staff(StaffRole.SUPPORT, email="new@northwind.example")
    make.staff(
        StaffRole.SUPPORT,
        email="gone@northwind.example",
        is_active=False,
        password_hash=KEPT,
    )
    for email, password in (("new@northwind.example", ""), ("gone@northwind.example", GOOD)):
        assert str(sign_in(email, password).refusal) == staff_sign_in.WRONG


def test_the_eleventh_failure_waits_even_with_the_right_password(dana, time):
    for _ in range(10):
        assert sign_in(password="wrong").refusal.status == 422
    refusal = sign_in().refusal
    assert refusal.status == 429
    assert refusal.retry_after > 0
    assert events("sign_in")[-1] == ("refused", "too_many")

    time.pass_(minutes=6)
    assert sign_in().token


def test_an_address_from_which_everything_is_tried_waits(dana):
    for number in range(10):
        sign_in(f"person{number}@northwind.example", "wrong")
    assert sign_in().refusal.status == 429


def test_signing_in_often_is_no_failure(dana):
    for _ in range(15):
        assert sign_in().token


def test_an_older_hash_is_made_anew(dana):
    weak = passwords.PasswordHasher(time_cost=1, memory_cost=19 * 1024, parallelism=1).hash(GOOD)
    make.staff(email=cast.DANA.email, password_hash=weak)
    checked = staff_sign_in.check(email=cast.DANA.email, password=GOOD)
    with transaction():
        staff_sign_in.record(checked, **HERE, password=GOOD)

    assert not passwords.is_outdated(dana.password_hash)
    assert passwords.verify(dana.password_hash, GOOD)


def test_a_password_changed_between_check_and_record_does_not_open(dana):
    checked = staff_sign_in.check(email=cast.DANA.email, password=GOOD)
    with transaction():
        staff_sign_in.end_all(actor=dana, staff=dana)
    with transaction():
        assert staff_sign_in.record(checked, **HERE).refusal


# MARK: Sessions


def test_a_session_holds_while_it_is_used_and_twelve_hours_at_most(dana, time):
    token = sign_in().token
    for _ in range(12 * 60 // 29):
        time.pass_(minutes=29)
        assert session_of(token)
    time.pass_(minutes=23, seconds=59)
    assert session_of(token)
    time.pass_(seconds=1)
    assert session_of(token) is None


def test_a_session_ends_after_half_an_hour_without_use(dana, time):
    used, unused = sign_in().token, sign_in().token
    time.pass_(minutes=30)
    assert session_of(used)
    time.pass_(minutes=1)
    assert session_of(used)
    assert session_of(unused) is None


def test_a_session_is_read_with_one_query(dana, queries):
    token = sign_in().token
    db.session.rollback()
    with queries() as log:
        session_of(token)
    assert len(log) == 1


def test_a_token_carried_to_another_browser_ends(dana):
    token = sign_in().token
    assert staff_sign_in.session_of(token, "Chrome", "Windows") is None
    assert session_of(token) is None
    assert "session.binding_mismatch" in verbs()
    assert events("session_used") == [("refused", "binding_mismatch")]


def test_nothing_opens_with_a_token_that_nobody_gave(dana):
    for token in ("", "x" * 43, "\ud800"):
        assert session_of(token) is None


def test_what_changes_about_a_person_holds_from_the_next_request(dana):
    token = sign_in().token
    with transaction():
        row = db.session.get_one(Staff, dana.id)
        row.role = StaffRole.AUDITOR
        make.audit.record(actor=make.PORTICO, verb="staff.changed", subject=row)
    assert session_of(token).staff.role is StaffRole.AUDITOR

    make.staff(email=dana.email, is_active=False)
    assert session_of(token) is None


def test_signing_out_ends_this_browser_alone(dana):
    here, there = sign_in().token, sign_in().token
    with transaction():
        staff_sign_in.end(session_of(here))
    assert session_of(here) is None
    assert session_of(there)
    assert verbs()[-1] == "session.ended"


def test_signing_in_again_ends_the_session_before(dana):
    before = sign_in().token
    after = sign_in(replaces=session_of(before).id).token
    assert before != after
    assert session_of(before) is None
    assert session_of(after)


def test_everywhere_means_everywhere_but_here(dana):
    here, there = sign_in().token, sign_in().token
    with transaction():
        staff_sign_in.end_all(actor=dana, staff=dana, keep=session_of(here).id)
    assert session_of(here)
    assert session_of(there) is None

    sam = cast.staff(cast.SAM)
    with transaction():
        staff_sign_in.end_all(actor=sam, staff=dana)
    assert session_of(here) is None


def test_ones_own_sessions_are_listed_and_ended_one_by_one(dana):
    here, there = sign_in().token, sign_in().token
    rows = staff_sign_in.sessions_of(dana)
    assert [row.browser for row in rows] == ["Firefox", "Firefox"]
    with transaction():
        staff_sign_in.end_one(actor=dana, session_id=session_of(there).id)
    assert [row.id for row in staff_sign_in.sessions_of(dana)] == [session_of(here).id]


def test_a_session_of_a_colleague_ends_by_administrators_alone(dana):
    number = session_of(sign_in().token).id
    priya, sam = cast.staff(cast.PRIYA), cast.staff(cast.SAM)
    with pytest.raises(NotAllowed), transaction():
        staff_sign_in.end_one(actor=priya, session_id=number)
    with pytest.raises(NotFound), transaction():
        staff_sign_in.end_one(actor=dana, session_id=987_654)
    with transaction():
        staff_sign_in.end_one(actor=sam, session_id=number)
    assert staff_sign_in.sessions_of(dana) == []


def test_an_ended_session_is_not_brought_back_by_a_request_under_way(dana, time):
    token = sign_in().token
    time.pass_(minutes=2)
    with transaction():
        staff_sign_in.end_all(actor=dana, staff=dana)
    assert session_of(token) is None
    row = db.session.scalars(select(Session)).one()
    assert row.revoked_reason == "everywhere"


# MARK: Coming in anew


def confirm(here: Any, password: str = GOOD, code: str = "") -> Any:
    checked = staff_sign_in.check(email=here.staff.email_canonical, password=password)
    with transaction():
        return staff_sign_in.confirm(here, checked, code=code, **HERE)


def test_a_sign_in_is_fresh_for_a_quarter_of_an_hour(dana, time):
    token = sign_in().token
    time.pass_(minutes=15)
    assert session_of(token).is_fresh
    time.pass_(seconds=1)
    here = session_of(token)
    assert not here.is_fresh

    assert confirm(here, "wrong").refusal.field == "password"
    newer = confirm(here).token
    assert session_of(newer).is_fresh
    assert session_of(token) is None


def test_coming_in_anew_takes_the_second_factor_too(dana, time):
    app, _codes, token = enrol(dana)
    time.pass_(minutes=20)
    here = session_of(token)
    assert confirm(here).refusal.field == "code"
    newer = confirm(here, code=app.at(time.now)).token
    assert session_of(newer).second_factor_at == time.now
