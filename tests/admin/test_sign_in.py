"""The desk's door, as a browser meets it."""

import re

import pyotp
import pytest
from sqlalchemy import select

from models import Mail, Session, Staff, StaffRole, db
from services import keys, passwords, second_factor, staff
from services.transaction import transaction
from tests import cast, make
from tests.visitor import Visitor

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


def enrol(who: Staff) -> tuple[pyotp.TOTP, list[str]]:
    setup = second_factor.begin(who)
    app = pyotp.TOTP(setup.secret)
    with transaction():
        codes = second_factor.confirm(staff=who, setup=setup, code=app.at(make.clock.now()))
    return app, codes


def sign_in(browse, path: str = "/admin/login", password: str = GOOD, **given: object):
    return browse.submit(path, email=cast.DANA.email, password=password, **given)


def link_for(who: Staff) -> str:
    letter = db.session.scalars(
        select(Mail)
        .where(Mail.verb == "staff.password_link", Mail.staff_id == who.id)
        .order_by(Mail.id.desc())
        .limit(1)
    ).one()
    number = letter.id
    with transaction():
        return staff.mint_staff_link(db.session.get_one(Mail, number))


# MARK: Password


def test_the_desk_asks_who_it_is_and_goes_on_to_what_was_wanted(browse, dana):
    page = browse.get("/admin/account/")
    assert page.heading == "Sign in to the desk"

    page = browse.submit(page, email=cast.DANA.email, password=GOOD)
    assert page.path == "/admin/account/"
    assert page.heading == "Your account"
    assert browse.get("/admin/login", follow=False).location == "/admin/"


@pytest.mark.parametrize(
    ("email", "password"),
    [(cast.DANA.email, "wrong"), ("nobody@northwind.example", GOOD), ("no address", GOOD)],
)
def test_wrong_is_answered_the_same_and_the_address_is_kept(browse, dana, email, password):
    page = browse.submit("/admin/login", email=email, password=password)

    assert page.status == 422
    assert "Email or password is wrong." in page
    assert page.find("#email").attributes["value"] == email
    assert not page.find("#password").attributes.get("value")
    assert browse.cookie("staff") is None


def test_nothing_typed_is_told_at_the_fields(browse, dana):
    page = browse.submit("/admin/login")
    assert page.status == 422
    assert page.errors == {
        "email": "Error: Enter your email address",
        "password": "Error: Enter your password",
    }


def test_the_eleventh_failure_is_asked_to_wait(browse, dana):
    for _ in range(10):
        assert sign_in(browse, password="wrong").status == 422
    page = sign_in(browse)
    assert page.status == 429
    assert int(page.headers["Retry-After"]) > 0
    assert page.heading == "Sign in to the desk"


def test_another_address_is_no_way_around_the_limit_of_an_account(browse, dana):
    for number in range(10):
        sign_in(browse.another(f"10.0.0.{number}"), password="wrong")
    assert sign_in(browse.another("10.0.1.1")).status == 429


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.test",
        "https:evil.test",
        "http:evil.test",
        "/\\evil.test",
        "/%2f/evil.test",
        "/partners/login",
        "x",
    ],
)
def test_after_signing_in_nobody_is_led_away(browse, dana, wanted):
    page = sign_in(browse, f"/admin/login?next={wanted}", follow=False)
    assert page.location == "/admin/"


def test_the_cookie_is_out_of_reach_of_scripts_and_its_token_is_not_kept(browse, dana):
    page = sign_in(browse, follow=False)
    cookie = next(value for value in page.headers.getlist("Set-Cookie") if value.startswith("staff="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    token = re.findall(r"staff=([^;]+)", cookie)[0]
    assert db.session.scalars(select(Session.token_digest)).all() == [keys.digest(token)]


def test_a_token_that_was_there_before_is_never_adopted(browse, dana):
    browse.keep_cookie("staff", "f" * 43)
    sign_in(browse)
    first = browse.cookie("staff")
    assert first != "f" * 43
    browse.post("/admin/logout")  # without its token: nothing happens
    browse.keep_cookie("staff", "f" * 43)
    assert browse.get("/admin/account/").heading == "Sign in to the desk"


def test_in_production_the_cookie_is_bound_to_host_and_tls(app_with, dana):
    app = app_with(base_url="https://partners.example.org", staff_second_factor="optional")
    client = app.test_client()
    at = {"base_url": "https://partners.example.org"}
    form = client.get("/admin/login", **at).text
    token = re.findall(r'name="csrf_token" value="([^"]+)"', form)[0]
    answer = client.post(
        "/admin/login",
        data={"csrf_token": token, "email": cast.DANA.email, "password": GOOD, "next": ""},
        headers={"Origin": "https://partners.example.org"},
        **at,
    )
    cookie = next(value for value in answer.headers.getlist("Set-Cookie") if "staff=" in value)
    assert cookie.startswith("__Host-staff=")
    assert "Secure" in cookie


def test_a_form_without_its_token_signs_nobody_in(browse, dana):
    page = browse.post("/admin/login", {"email": cast.DANA.email, "password": GOOD})
    assert page.status == 400
    assert browse.cookie("staff") is None
    assert GOOD not in page.body.decode()


# MARK: Second factor


def test_the_code_of_the_app_is_asked_for_after_the_password(browse, dana, time):
    app, _codes = enrol(dana)
    time.pass_(minutes=1)
    page = sign_in(browse, "/admin/login?next=/admin/account/")
    assert page.heading == "Enter the code of your app"
    assert browse.cookie("staff") is None
    assert browse.get("/admin/account/").heading == "Sign in to the desk"

    page = browse.submit("/admin/login/second-factor?next=/admin/account/", code="000000")
    assert page.status == 422
    assert "does not match" in page.errors["code"]
    assert page.submit(code=app.at(time.now)).heading == "Your account"


def test_without_a_password_there_is_no_second_factor_to_type(browse, dana):
    for path in ("/admin/login/second-factor", "/admin/login/recovery"):
        page = browse.get(path)
        assert page.heading == "Sign in to the desk"
        assert "took too long" in page


def test_the_second_factor_waits_ten_minutes(browse, dana, time):
    app, _codes = enrol(dana)
    page = sign_in(browse)
    time.pass_(minutes=11)
    page = page.submit(code=app.at(time.now))
    assert page.heading == "Sign in to the desk"
    assert browse.cookie("staff") is None


def test_a_recovery_code_stands_in_once_and_is_mailed(browse, dana, mailbox):
    _app, codes = enrol(dana)
    page = sign_in(browse).follow("Use a recovery code")
    page = page.submit(code=codes[0].lower())
    assert page.path == "/admin/"

    letters = [letter for letter in mailbox.collect() if "recovery code" in letter.subject]
    assert [letter.recipients for letter in letters] == [[dana.email]]

    other = browse.another()
    page = sign_in(other).follow("Use a recovery code").submit(code=codes[0])
    assert page.status == 422


def test_nothing_but_setting_up_opens_where_the_second_factor_is_required(app_with, settings, dana):
    app = app_with(staff_second_factor="required")
    browse = Visitor(app, base_url=settings.base_url)
    page = sign_in(browse, "/admin/login?next=/admin/partners/")
    assert page.path == "/admin/account/second-factor"
    assert "The desk opens when yours is set up" in page
    for path in ("/admin/", "/admin/account/", "/admin/account/recovery-codes", "/admin/settings/brand/"):
        assert browse.get(path).path == "/admin/account/second-factor"

    secret = page.find(".copy__value").text().replace(" ", "")
    before = browse.cookie("staff")
    page = page.submit("Set up second factor", code=pyotp.TOTP(secret).at(make.clock.now()))
    assert page.heading == "Your recovery codes"
    assert len(page.texts(".codes code")) == 10
    assert browse.cookie("staff") != before
    assert browse.get("/admin/account/").heading == "Your account"


# MARK: Leaving


def test_signing_out_is_a_press_that_ends_the_session(browse, dana):
    sign_in(browse)
    token = browse.cookie("staff")
    assert browse.get("/admin/logout", follow=False).status == 405
    assert browse.get("/admin/account/").heading == "Your account"

    page = browse.submit("/admin/account/", "#account form", follow=False)
    assert page.headers["Clear-Site-Data"] == '"cache"'
    assert browse.cookie("staff") is None
    browse.keep_cookie("staff", token)
    assert browse.get("/admin/account/").heading == "Sign in to the desk"


def test_pages_behind_the_door_are_kept_by_no_cache(browse, dana):
    sign_in(browse)
    page = browse.get("/admin/account/")
    assert page.headers["Cache-Control"] == "no-store"


# MARK: Coming in anew


def test_what_matters_asks_once_more_after_a_quarter_of_an_hour(browse, dana, time):
    sign_in(browse)
    assert browse.get("/admin/account/password").heading == "Change your password"
    time.pass_(minutes=16)
    page = browse.get("/admin/account/password")
    assert page.heading == "Confirm that it is you"

    before = browse.cookie("staff")
    assert page.submit(password="wrong").status == 422
    page = page.submit(password=GOOD)
    assert page.heading == "Change your password"
    assert browse.cookie("staff") != before


def test_an_old_sign_in_changes_nothing(browse, dana, time):
    sign_in(browse)
    page = browse.get("/admin/account/password")
    time.pass_(minutes=16)
    page = page.submit(password=BETTER)
    assert page.heading == "Confirm that it is you"
    db.session.refresh(dana)
    assert passwords.verify(dana.password_hash, GOOD)


# MARK: A forgotten password


def test_a_forgotten_password_is_chosen_anew_by_a_mailed_link(browse, dana, mailbox):
    page = browse.get("/admin/login").follow("Forgot your password?")
    page = page.submit(email=" DANA@northwind.example")
    assert page.heading == "Check your email"

    letter = next(letter for letter in mailbox.collect() if "password" in letter.subject)
    assert letter.recipients == [dana.email]
    path = letter.link("/admin/password/")
    assert browse.get(path).heading == browse.get(path).heading == "Choose your password"

    page = browse.submit(path, password="password1234")
    assert page.status == 422
    assert "known from other places" in page.errors["password"]
    page = page.submit(password=BETTER)
    assert page.heading == "Sign in to the desk"  # a new password signs nobody in
    assert browse.cookie("staff") is None
    assert sign_in(browse, password=BETTER).path == "/admin/"

    page = browse.get(path)
    assert (page.status, page.heading) == (410, "Link already used")
    assert page.headers["Referrer-Policy"] == "no-referrer"


def test_a_new_password_is_no_way_around_the_second_factor(browse, dana, time):
    enrol(dana)
    browse.submit("/admin/password", email=dana.email)
    path = f"/admin/password/{link_for(dana)}"
    browse.submit(path, password=BETTER)
    assert sign_in(browse, password=BETTER).heading == "Enter the code of your app"


def test_asking_looks_the_same_for_every_address(browse, dana):
    pages = [
        browse.submit("/admin/password", email=email)
        for email in (dana.email, "nobody@northwind.example", "no address")
    ]
    assert len({(page.status, page.path, page.text) for page in pages}) == 1


@pytest.mark.parametrize(
    ("change", "heading"),
    [
        ("expired", "This link has expired"),
        ("newer", "Use the newest email"),
        ("unknown", "This link is not complete"),
    ],
)
def test_a_link_that_no_longer_works_says_why_and_offers_another(browse, dana, time, change, heading):
    browse.submit("/admin/password", email=dana.email)
    token = link_for(dana)
    if change == "expired":
        time.pass_(minutes=61)
    elif change == "newer":
        link_for(dana)
    else:
        token = token[:-3]
    page = browse.get(f"/admin/password/{token}")
    assert (page.status, page.heading) == (410, heading)
    assert page.follow("Email me a new link").heading == "Choose a new password"


@pytest.mark.parametrize("token", ["x", "%00", "%ff%fe", "a" * 5000, "%ED%A0%80"])
def test_junk_for_a_token_is_no_failure(browse, dana, token):
    assert browse.get(f"/admin/password/{token}").status in {400, 404, 410}
