"""The partners' way in, tested at the door: asking, the link, its code, and every link that ended."""

import re

import pytest

from models import (
    Affiliation,
    EntityStatus,
    OrganizationStatus,
    Session,
    SignInLink,
    SignInRequest,
    db,
)
from services import people
from services.transaction import transaction
from tests import cast, make
from tests.contexts import apart

LOGIN = "/partners/login"
SCANNER = {"User-Agent": "Mozilla/5.0 (compatible; SafeLinks; scanner)"}


@pytest.fixture
def amara(app):
    return cast.contact(cast.AMARA)


def sessions_alive():
    return db.session.query(Session).filter(Session.revoked_at.is_(None)).count()


# MARK: Asking


def test_somebody_signs_in_by_the_mailed_link(browse, mailbox, amara):
    page = browse.submit(LOGIN, email="  Amara.Okafor@UNL.example ")
    assert page.heading == "Check your email"

    link = mailbox.latest(to=amara.person.email).link("/partners/login/")
    page = browse.get(link).submit("Sign in")

    assert page.path == "/partners/profile"  # the first time
    assert browse.get("/partners/dashboard").heading == "Hello, Amara"


def test_the_code_signs_in_the_browser_that_asked_and_no_other(browse, mailbox, amara):
    browse.submit(LOGIN, email=amara.person.email)
    code = re.search(r"\b\d{4} ?\d{4}\b", mailbox.latest().text).group()

    other = browse.another().submit("/partners/login/check", "Sign in with the code", code=code)
    assert other.status == 422
    assert "in the browser that asked" in other.errors["code"]

    page = browse.submit("/partners/login/check", "Sign in with the code", code=code)
    assert page.path == "/partners/profile"


def test_a_wrong_code_is_refused_five_times_and_then_the_right_one_too(browse, mailbox, amara):
    browse.submit(LOGIN, email=amara.person.email)
    code = re.search(r"\b\d{4} ?\d{4}\b", mailbox.latest().text).group().replace(" ", "")
    wrong = "0000 0000" if code != "00000000" else "1111 1111"
    for _ in range(5):
        page = browse.submit("/partners/login/check", "Sign in with the code", code=wrong)
        assert page.status == 422
        assert page.find("[name=code]").attributes["value"] == wrong.replace(" ", "")
    assert browse.submit("/partners/login/check", "Sign in with the code", code=code).status == 422


ADDRESSES = ("nobody@unl.example", "no address at all", "ADMİN@unl.example", "a%@unl.example", "x" * 300)


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_answer_is_the_same_for_every_address(browse, amara, address):
    def answer(email):
        page = browse.another().submit(LOGIN, email=email)
        return page.status, page.path, re.sub(rb'value="[^"]+"', b"", page.body)

    assert answer(address) == answer(amara.person.email)


def test_asking_writes_one_request_whoever_it_is_for(browse, amara):
    for address in (amara.person.email, "nobody@unl.example", "no address"):
        browse.submit(LOGIN, email=address)
    assert db.session.query(SignInRequest).count() == 3


def test_asking_with_nothing_says_what_is_missing(browse, app):
    page = browse.submit(LOGIN, email=" ")
    assert page.status == 422
    assert page.errors == {"email": "Error: Enter your work email address"}
    assert page.title.startswith("Error: ")


def test_asking_too_often_from_one_place_has_to_wait(browse, app):
    for _ in range(20):
        assert browse.submit(LOGIN, email="nobody@unl.example").status == 200
    page = browse.submit(LOGIN, email="nobody@unl.example")
    assert page.status == 429
    assert int(page.headers["Retry-After"]) > 0


def test_the_email_can_be_sent_again_in_one_press(browse, mailbox, amara):
    page = browse.submit(LOGIN, email=amara.person.email)
    mailbox.collect()
    page = page.submit("Send the email again")
    assert page.heading == "Check your email"
    assert [mail.recipients for mail in mailbox.collect()] == [[amara.person.email]]


def test_who_was_sent_to_sign_in_comes_back_to_where_they_were(browse, mailbox, amara):
    with transaction():
        people.complete_profile(actor=amara, full_name="Amara Okafor")
    page = browse.get("/partners/team?from=mail")
    assert page.path == LOGIN
    page.submit("Email me a link", email=amara.person.email)
    page = browse.get(mailbox.latest().link("/partners/login/")).submit("Sign in")
    assert page.path == "/partners/team"


@pytest.mark.parametrize("target", ["https://evil.test/", "//evil.test", "http:evil.test", "/\\evil.test"])
def test_no_next_leads_off_the_site(browse, amara, target):
    browse.keep_cookie("pp", make.session(amara))
    page = browse.get(f"{LOGIN}?next={target}", follow=False)
    assert page.location == "/partners/dashboard"


# MARK: The link


def test_opening_a_link_any_number_of_times_spends_nothing(browse, amara):
    token, _code = make.link(amara.person.email)
    for _ in range(5):
        assert browse.get(f"{LOGIN}/{token}", headers=SCANNER).status == 200
        assert apart(lambda: browse.client.head(f"{LOGIN}/{token}", headers=SCANNER)).status_code == 200
    assert sessions_alive() == 0
    assert browse.submit(f"{LOGIN}/{token}", "Sign in").path == "/partners/profile"
    assert sessions_alive() == 1


def test_the_page_of_a_link_names_the_partner_and_masks_the_address(browse, amara):
    token, _code = make.link(amara.person.email)
    page = browse.get(f"{LOGIN}/{token}")
    assert "a•••@unl.example" in page
    assert "Admissions Office" in page
    assert amara.person.email not in page
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Robots-Tag"] == "noindex"


def test_a_used_link_says_so_and_leads_on(browse, amara):
    token, _code = make.link(amara.person.email)
    browse.submit(f"{LOGIN}/{token}", "Sign in")

    here = browse.get(f"{LOGIN}/{token}")
    assert (here.status, here.heading) == (410, "Link already used")
    assert here.follow("Continue to dashboard").path == "/partners/dashboard"

    elsewhere = browse.another().get(f"{LOGIN}/{token}")
    assert elsewhere.status == 410
    assert "Continue to dashboard" not in elsewhere
    assert amara.person.email not in elsewhere.text
    assert elsewhere.submit("Email me a new link").heading == "Check your email"


def test_a_new_link_goes_to_the_address_of_the_old_one(browse, mailbox, amara):
    token, _code = make.link(amara.person.email)
    browse.another().submit(f"{LOGIN}/{token}", "Sign in")
    mailbox.collect()
    browse.get(f"{LOGIN}/{token}").submit("Email me a new link")
    assert [mail.recipients for mail in mailbox.collect()] == [[amara.person.email]]


def test_a_link_works_up_to_its_thirtieth_minute(browse, amara, time):
    token, _code = make.link(amara.person.email)
    time.pass_(minutes=29, seconds=59)
    page = browse.get(f"{LOGIN}/{token}")
    assert page.status == 200
    time.pass_(seconds=1)
    page = page.submit("Sign in")
    assert (page.status, page.heading) == (410, "This link has expired")
    assert "Link expired" in page
    assert page.submit("Email me a new link").heading == "Check your email"


def test_an_older_link_gives_way_to_the_newer_ones(browse, amara):
    tokens = [make.link(amara.person.email)[0] for _ in range(4)]
    page = browse.get(f"{LOGIN}/{tokens[0]}")
    assert (page.status, page.heading) == (410, "Use the newest email")
    for token in tokens[1:]:
        assert browse.get(f"{LOGIN}/{token}").status == 200


@pytest.mark.parametrize("token", ["x", "y" * 43, "../../etc", "%F0%9F%98%80", "a" * 500])
def test_a_link_that_is_none_says_so(browse, app, token):
    page = browse.get(f"{LOGIN}/{token}")
    assert page.status in {404, 410}
    if page.status == 410:
        assert page.heading == "Link not valid"
        assert page.link("Get a new link") == LOGIN


def test_guessing_links_too_often_has_to_wait(browse, app):
    browse.get(LOGIN)
    form = browse.get(LOGIN).find("[name=csrf_token]").attributes["value"]
    statuses = [
        browse.post(
            f"{LOGIN}/{'g' * 43}", {"csrf_token": form}, headers={"Sec-Fetch-Site": "same-origin"}
        ).status
        for _ in range(31)
    ]
    assert statuses == [410] * 30 + [429]


def test_a_link_is_not_used_by_somebody_else_who_is_signed_in(browse, amara):
    kofi = cast.contact(cast.KOFI)
    browse.keep_cookie("pp", make.session(kofi))
    token, _code = make.link(amara.person.email)
    page = browse.get(f"{LOGIN}/{token}")
    assert page.heading == "Somebody else is signed in here"
    assert sessions_alive() == 1

    page = page.submit("Sign out and use the link")
    assert page.path == f"{LOGIN}/{token}"
    page.submit("Sign in")
    assert browse.get("/partners/dashboard").heading == "Hello, Amara"


def pause_entity(amara):
    make.entity(status=EntityStatus.SUSPENDED)


def pause_organization(amara):
    make.organization(status=OrganizationStatus.SUSPENDED)


def deactivate(amara):
    make.person(amara.person.email, is_active=False)


def leave(amara):
    cast.contact(cast.RUTH)
    with transaction():
        people.end(actor=make.PORTICO, affiliation=db.session.get_one(Affiliation, amara.affiliation.id))


@pytest.mark.parametrize("happens", [pause_entity, pause_organization, deactivate, leave])
def test_a_link_dies_with_the_access_it_was_for(browse, amara, happens):
    token, _code = make.link(amara.person.email)
    page = browse.get(f"{LOGIN}/{token}")
    happens(amara)
    for answer in (browse.get(f"{LOGIN}/{token}"), page.submit("Sign in")):
        assert (answer.status, answer.heading) == (410, "Link not valid")
    assert sessions_alive() == 0


def test_no_page_or_row_keeps_the_token(browse, amara):
    token, _code = make.link(amara.person.email)
    page = browse.submit(f"{LOGIN}/{token}", "Sign in", follow=False)
    assert page.status == 303
    assert token not in page.location
    assert db.session.query(SignInLink).filter(SignInLink.token_digest == token).count() == 0


def test_the_session_cookie_is_closed_to_scripts_and_lasts_thirty_days(browse, amara, time):
    token, _code = make.link(amara.person.email)
    page = browse.submit(f"{LOGIN}/{token}", "Sign in", follow=False)
    cookie = next(one for one in page.headers.getlist("Set-Cookie") if one.startswith("pp="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Max-Age=2592000" in cookie
    time.pass_(days=29, hours=23, minutes=59)
    assert browse.get("/partners/dashboard").path == "/partners/dashboard"
    time.pass_(minutes=1)
    page = browse.get("/partners/dashboard")
    assert page.path == LOGIN
    assert "You are signed out" in page
