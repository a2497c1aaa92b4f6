"""One's own account on the desk."""

import pyotp
import pytest
from selectolax.lexbor import LexborHTMLParser

from models import Staff, StaffRole, db
from services import passwords, second_factor, staff_sign_in
from services.transaction import transaction
from tests import cast, make

GOOD = "a lantern under the wet bridge"
KEPT = passwords.hash_of(GOOD)
BETTER = "seven foxes argue about lemons"


@pytest.fixture
def dana(app, time) -> Staff:
    return make.staff(
        StaffRole.OPERATIONS,
        email=cast.DANA.email,
        full_name=cast.DANA.name,
        password_hash=KEPT,
    )


@pytest.fixture
def desk(browse, dana):
    """Dana's browser, signed in."""
    browse.keep_cookie("staff", make.desk(dana))
    return browse


def set_up(desk):
    page = desk.get("/admin/account/second-factor")
    secret = page.find(".copy__value").text().replace(" ", "")
    return pyotp.TOTP(secret), page


@pytest.mark.parametrize("who", cast.STAFF)
def test_everybody_has_an_account_page(browse, who):
    actor = cast.staff(who)
    browse.keep_cookie("staff", make.desk(actor))
    page = browse.get("/admin/account/")
    assert page.status == 200
    assert who.name in page
    assert who.email in page


def test_preferences_are_kept(desk, dana):
    page = desk.submit(
        "/admin/account/", "Save preferences", time_zone="America/Chicago", has_letter_keys=False
    )
    assert "Preferences saved" in page
    db.session.refresh(dana)
    assert (dana.time_zone, dana.has_letter_keys) == ("America/Chicago", False)


def test_a_time_zone_that_is_none_is_refused(desk, dana):
    page = desk.get("/admin/account/")
    token = page.find('input[name="csrf_token"]').attributes["value"]
    page = desk.post("/admin/account/", {"csrf_token": token, "time_zone": "Mars/Olympus"})
    assert page.status == 422
    assert "time_zone" in page.errors


def test_the_second_factor_is_set_up_with_a_code_to_scan(desk, dana, time):
    app, page = set_up(desk)
    picture = desk.get(page.find("img.code").attributes["src"])
    assert picture.headers["Content-Type"].startswith("image/svg+xml")
    drawn = LexborHTMLParser(picture.body.decode())
    assert drawn.css_first("svg path") is not None
    assert drawn.css("[style], style, script") == []
    assert app.secret not in page.find("img.code").attributes["src"]

    wrong = page.submit("Set up second factor", code="000000")
    assert wrong.status == 422
    assert wrong.find(".copy__value").text().replace(" ", "") == app.secret  # still the same code to scan

    done = wrong.submit("Set up second factor", code=app.at(time.now))
    assert done.heading == "Your recovery codes"
    codes = done.texts(".codes code")
    assert len(codes) == 10
    db.session.refresh(dana)
    assert dana.has_second_factor
    assert not set(codes) & set(desk.get("/admin/account/").text.split())


def test_the_code_to_scan_is_for_nobody_else(desk, browse, dana):
    _app, page = set_up(desk)
    address = page.find("img.code").attributes["src"]
    other = browse.another()
    other.keep_cookie("staff", make.desk(cast.staff(cast.SAM)))
    assert other.get(address).status == 404
    assert desk.get("/admin/account/second-factor/code.svg?state=x").status == 404
    assert desk.get("/admin/account/second-factor/code.svg").status == 404


def test_a_setup_that_took_too_long_begins_anew(desk, time):
    app, page = set_up(desk)
    time.pass_(minutes=14)
    desk.get("/admin/account/")
    time.pass_(minutes=2)
    fresh = page.submit("Set up second factor", code=app.at(time.now))
    assert fresh.heading == "Confirm that it is you"
    page = fresh.submit(password=GOOD)
    assert page.heading == "Set up your second factor"


def test_setting_up_signs_other_browsers_out(desk, browse, dana, time):
    other = browse.another()
    other.keep_cookie("staff", make.desk(dana))
    app, page = set_up(desk)
    page.submit("Set up second factor", code=app.at(time.now))
    assert other.get("/admin/account/").heading == "Sign in to the desk"
    assert desk.get("/admin/account/").heading == "Your account"


def test_new_recovery_codes_are_shown_once(desk, dana, time):
    app, page = set_up(desk)
    first = page.submit("Set up second factor", code=app.at(time.now)).texts(".codes code")
    page = desk.get("/admin/account/").follow("Make new codes")
    assert "10 old ones" in page
    second = page.submit("Make new codes").texts(".codes code")
    assert len(second) == 10
    assert not set(first) & set(second)
    assert second_factor.recovery_codes_left(dana) == 10


def test_without_a_second_factor_there_are_no_recovery_codes(desk):
    page = desk.get("/admin/account/recovery-codes")
    assert "There is no second factor yet" in page
    token = page.find('input[name="csrf_token"]').attributes["value"]
    assert desk.post("/admin/account/recovery-codes", {"csrf_token": token}).status == 409


def test_the_password_is_changed_and_others_are_signed_out(desk, browse, dana):
    other = browse.another()
    other.keep_cookie("staff", make.desk(dana))
    page = desk.submit("/admin/account/password", password="Dana-Ortiz-2026!")
    assert page.status == 422
    assert "names that others know" in page.errors["password"]
    page = page.submit(password=BETTER)
    assert "Password changed" in page
    assert other.get("/admin/account/").heading == "Sign in to the desk"
    db.session.refresh(dana)
    assert passwords.verify(dana.password_hash, BETTER)


def test_browsers_are_listed_and_ended(desk, browse, dana):
    other = browse.another()
    other.keep_cookie("staff", make.desk(dana))
    page = desk.get("/admin/account/")
    assert len(page.texts("#sessions .rows > li")) == 2
    page = page.submit("#sessions form[action$='/sessions/end']")
    assert "That browser is signed out" in page
    assert other.get("/admin/account/").heading == "Sign in to the desk"
    assert len(page.texts("#sessions .rows > li")) == 1


def test_all_others_end_at_once(desk, browse, dana):
    make.desk(dana)
    make.desk(dana)
    page = desk.submit("/admin/account/", "End all others")
    assert len(page.texts("#sessions .rows > li")) == 1
    db.session.refresh(dana)
    assert len(staff_sign_in.sessions_of(dana)) == 1


@pytest.mark.parametrize("number", ["", "abc", "-1", "999999", "9" * 30, "1,2"])
def test_a_session_that_is_nobodys_cannot_be_ended(desk, number):
    token = desk.get("/admin/account/").find('input[name="csrf_token"]').attributes["value"]
    assert desk.post("/admin/account/sessions/end", {"csrf_token": token, "id": number}).status == 404


def test_the_session_of_a_colleague_is_not_ended_from_here(desk, browse):
    sam = cast.staff(cast.SAM)
    token = make.desk(sam)
    theirs = staff_sign_in.session_of(token, "Other", "Other")
    assert theirs
    number = theirs.id
    form = desk.get("/admin/account/").find('input[name="csrf_token"]').attributes["value"]
    assert desk.post("/admin/account/sessions/end", {"csrf_token": form, "id": number}).status == 403
    db.session.rollback()
    assert staff_sign_in.session_of(token, "Other", "Other")


def test_a_page_of_the_account_is_read_with_few_queries(desk, queries):
    with transaction():
        pass
    with queries() as log:
        desk.get("/admin/account/")
    assert len(log) <= 5, log
