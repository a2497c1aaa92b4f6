"""The second factor of staff: codes of an app, recovery codes, and taking it away."""

import pyotp
import pytest
from sqlalchemy import select

from models import AuditEvent, Mail, RecoveryCode, Staff, db
from services import second_factor, staff_sign_in
from services.errors import IllegalMove, NotAllowed, Refusal
from services.transaction import transaction
from tests import cast, make
from tests.services.desk_door import dana_with_password, enrol, prove, session_of, sign_in, verbs

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def dana(app, time) -> Staff:
    return dana_with_password()


# MARK: Second factor


def test_the_password_alone_opens_nothing_once_there_is_a_second_factor(dana, time):
    app, _codes, _token = enrol(dana)
    time.pass_(minutes=1)
    outcome = sign_in()
    assert outcome.token == ""

    token = prove(outcome.pending, app.at(time.now)).token
    assert session_of(token).second_factor_at == time.now


def test_a_code_opens_once(dana, time):
    app, _codes, _token = enrol(dana)
    time.pass_(minutes=1)
    code = app.at(time.now)
    assert prove(sign_in().pending, code).token
    assert prove(sign_in().pending, code).refusal
    time.pass_(seconds=30)
    assert prove(sign_in().pending, code).refusal  # within the step before, but taken
    assert prove(sign_in().pending, app.at(time.now)).token


def test_the_code_that_set_it_up_does_not_sign_in(dana, time):
    app, _codes, _token = enrol(dana)
    assert prove(sign_in().pending, app.at(time.now)).refusal


def test_a_clock_may_be_off_by_one_step(dana, time):
    app, _codes, _token = enrol(dana)
    for late, opens in ((90, False), (-90, False), (-30, True), (30, True)):
        time.pass_(minutes=5)
        outcome = prove(sign_in().pending, app.at(time.now.timestamp() + late))
        assert bool(outcome.token) is opens, late


@pytest.mark.parametrize(
    "code", ["", "000000", "12345", "1234567", "abcdef", "１２３４５６", "12 34 5x", "\x00"]
)
def test_what_is_no_code_does_not_open(dana, code):
    enrol(dana)
    assert prove(sign_in().pending, code).refusal


def test_spaces_in_a_code_do_not_matter(dana, time):
    app, _codes, _token = enrol(dana)
    time.pass_(minutes=1)
    code = app.at(time.now)
    assert prove(sign_in().pending, f" {code[:3]} {code[3:]} ").token


def test_the_sixth_wrong_code_waits_even_if_the_seventh_is_right(dana, time):
    app, _codes, _token = enrol(dana)
    time.pass_(minutes=1)
    pending = sign_in().pending
    for _ in range(5):
        assert prove(pending, "000000").refusal.status == 422
    assert prove(pending, app.at(time.now)).refusal.status == 429

    time.pass_(minutes=6)
    assert prove(pending, app.at(time.now)).token


def test_twenty_wrong_codes_in_an_hour_wait_for_the_hour(dana, time):
    app, _codes, _token = enrol(dana)
    pending = sign_in().pending
    for _ in range(4):
        time.pass_(minutes=6)
        for _ in range(5):
            assert prove(pending, "000000").refusal.status == 422
    time.pass_(minutes=6)
    assert prove(pending, app.at(time.now)).refusal.status == 429


def test_a_pending_second_factor_dies_with_the_password(dana, time):
    app, _codes, _token = enrol(dana)
    time.pass_(minutes=1)
    pending = sign_in().pending
    with transaction():
        staff_sign_in.end_all(actor=dana, staff=dana)
    assert prove(pending, app.at(time.now)).refusal


def test_setting_up_takes_a_code_of_the_new_secret(dana):
    setup = second_factor.begin(dana)
    with pytest.raises(Refusal) as caught, transaction():
        second_factor.confirm(staff=dana, setup=setup, code="000000")
    assert caught.value.field == "code"
    assert not dana.has_second_factor


def test_a_setup_belongs_to_one_person_for_a_quarter_of_an_hour(dana, time):
    sam = cast.staff(cast.SAM)
    setup = second_factor.begin(dana)
    assert second_factor.read(dana, setup.state) == setup
    assert second_factor.read(sam, setup.state) is None
    assert setup.secret not in setup.state
    for made_up in ("", "x", setup.state[:-2], "ü" * 40, "x" * 5000):
        assert second_factor.read(dana, made_up) is None
    time.pass_(minutes=16)
    assert second_factor.read(dana, setup.state) is None


def test_breaking_off_leaves_the_second_factor_that_was(dana, time):
    app, _codes, _token = enrol(dana)
    second_factor.begin(dana)
    time.pass_(minutes=1)
    assert prove(sign_in().pending, app.at(time.now)).token


def test_setting_up_ends_every_session_without_it(dana):
    elsewhere = sign_in().token
    _app, _codes, token = enrol(dana)

    assert session_of(elsewhere) is None
    assert session_of(token).second_factor_at is not None


def test_the_secret_is_sealed_where_it_is_kept(dana):
    setup = second_factor.begin(dana)
    with transaction():
        second_factor.confirm(staff=dana, setup=setup, code=pyotp.TOTP(setup.secret).at(make.clock.now()))
    kept = db.session.scalar(select(Staff.totp_secret).where(Staff.id == dana.id)) or ""
    told = str([event.changes for event in db.session.scalars(select(AuditEvent))])
    assert setup.secret not in kept
    assert setup.secret not in told
    assert kept not in told


def test_signing_in_is_no_change_of_the_record(dana, time):
    app, _codes, _token = enrol(dana)
    version = dana.version
    time.pass_(minutes=1)
    prove(sign_in().pending, app.at(time.now))
    db.session.refresh(dana)
    assert dana.version == version


# MARK: Recovery codes


def test_there_are_ten_codes_of_eighty_bits_and_only_digests_are_kept(dana):
    _app, codes, _token = enrol(dana)
    kept = db.session.scalars(select(RecoveryCode.code_digest)).all()

    assert len(set(codes)) == len(kept) == 10
    assert all(len(code.replace("-", "")) == 16 for code in codes)  # 16 × 5 bits
    assert not {code for code in codes if code in str(kept)}


def test_a_recovery_code_opens_once_and_is_told(dana):
    sam = cast.staff(cast.SAM)
    _app, codes, _token = enrol(dana)
    typed = codes[3].replace("-", " ").lower()

    assert prove(sign_in().pending, typed, is_recovery=True).token
    assert second_factor.recovery_codes_left(dana) == 9
    told = db.session.scalars(select(Mail).where(Mail.verb == "staff.recovery_code_used")).all()
    assert {letter.staff_id for letter in told} == {dana.id, sam.id}
    assert "staff.recovery_code_used" in verbs()

    assert prove(sign_in().pending, typed, is_recovery=True).refusal
    assert prove(sign_in().pending, codes[4], is_recovery=True).token


def test_a_recovery_code_of_somebody_else_opens_nothing(dana):
    sam = cast.staff(cast.SAM)
    _app, codes, _token = enrol(sam)
    enrol(dana)
    assert prove(sign_in().pending, codes[0], is_recovery=True).refusal
    assert second_factor.recovery_codes_left(sam) == 10


def test_new_codes_end_the_old_ones(dana):
    _app, codes, _token = enrol(dana)
    with transaction():
        newer = second_factor.new_recovery_codes(staff=dana)

    assert prove(sign_in().pending, codes[0], is_recovery=True).refusal
    assert prove(sign_in().pending, newer[0], is_recovery=True).token


def test_recovery_codes_need_a_second_factor(dana):
    with pytest.raises(IllegalMove), transaction():
        second_factor.new_recovery_codes(staff=dana)


# MARK: Taking it away


def test_another_administrator_removes_it_with_a_reason_and_the_person_is_told(dana):
    sam = cast.staff(cast.SAM)
    _app, codes, token = enrol(dana)
    with pytest.raises(Refusal) as caught, transaction():
        second_factor.remove(actor=sam, staff=dana, reason=" ")
    assert caught.value.field == "reason"
    with transaction():
        second_factor.remove(actor=sam, staff=dana, reason="Called back on the known number")

    assert not dana.has_second_factor
    assert session_of(token) is None
    assert sign_in().token
    assert db.session.scalars(select(RecoveryCode)).all() == []
    told = db.session.scalars(select(Mail).where(Mail.verb == "staff.second_factor_removed")).one()
    assert (told.staff_id, told.facts) == (dana.id, {"by": sam.name})
    event = db.session.scalars(
        select(AuditEvent).where(AuditEvent.verb == "staff.second_factor_removed")
    ).one()
    assert event.reason == "Called back on the known number"
    assert codes


def test_nobody_removes_their_own(dana):
    sam = cast.staff(cast.SAM)
    enrol(sam)
    with pytest.raises(NotAllowed), transaction():
        second_factor.remove(actor=sam, staff=sam, reason="Mine")
