"""The whole stories in a real Chromium: both doors, the mails between them, the worker that sends these."""

import re

import pyotp
import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select

import clock
from models import Entity, Invitation, InvitationStatus, Person, Session, StaffRole, db
from services import company, passwords
from services.transaction import transaction
from tests import cast, make
from tests.contexts import apart
from web import families

GOOD = "a lantern under the wet bridge"
KEPT = passwords.hash_of(GOOD)
COMPANY = "Northwind Partner Desk"
NOAH = "noah.becker@unl.example"
MEI = "mei.tanaka@unl.example"


@pytest.fixture
def dana(app):
    """Somebody of operations, with a password."""
    return make.staff(
        StaffRole.OPERATIONS, email=cast.DANA.email, full_name=cast.DANA.name, password_hash=KEPT
    )


def heading(page):
    return page.get_by_role("heading", level=1).inner_text()


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def sign_in_to_the_desk(page):
    page.goto("/admin/login")
    page.get_by_label("Email address").fill(cast.DANA.email)
    page.get_by_label("Password").fill(GOOD)
    press(page, "Sign in")


def sit_down(page, live, who):
    """Somebody of ours who signed in with this window before."""
    token = make.desk(who, *families(page.evaluate("navigator.userAgent")))
    page.context.add_cookies([{"name": "staff", "value": token, "url": live.url}])


def walk_in(page, live, who):
    """Somebody at a partner who signed in with this window before."""
    token = make.session(who, *families(page.evaluate("navigator.userAgent")))
    page.context.add_cookies([{"name": "pp", "value": token, "url": live.url}])


def introduce(page, name):
    """Fill in the two pages of the profile, as far as this person gets to see them."""
    page.get_by_label("Full name").fill(name)
    page.get_by_label("Job title").fill("Director")
    page.get_by_label("Phone").fill("+1 402 472 2023")
    page.get_by_label("Time zone").select_option("America/Chicago")
    page.get_by_role("button", name=re.compile("^Save and (continue|finish)$")).click()


def describe(page):
    page.get_by_label("Description").fill("We admit people who ask questions.")
    page.get_by_label("Website").fill("https://admissions.unl.example")
    page.get_by_label("Postal address").fill("1410 Q Street\nLincoln")
    press(page, "Save and finish")


def brand():
    """Our portal has a name and a colour of its own; the colour is one that white cannot be read on."""
    sam = cast.staff(cast.SAM)
    with transaction():
        company.change(
            actor=sam,
            version=company.current().version,
            name="Northwind",
            portal_name=COMPANY,
            brand_colour="#ffd200",
            support_email="help@northwind.example",
            time_zone="America/Chicago",
        )


def number(model):
    db.session.expire_all()
    return db.session.scalar(select(func.count()).select_from(model))


def proven(app):
    """Whether `flask audit verify` finds everything as it was written."""
    answer = apart(lambda: app.test_cli_runner().invoke(args=["audit", "verify"]))
    return answer.exit_code == 0


# MARK: A partner is onboarded end to end


def create_partner(page):
    """Organization and entity on one page, from an empty desk."""
    page.get_by_role("link", name="Partners", exact=True).first.click()
    page.get_by_role("link", name="Create new partner").first.click()
    page.get_by_role("combobox", name="Organization name").fill("University of Nebraska–Lincoln")
    page.get_by_label("Organization type").select_option("University")
    page.get_by_label("Entity name").fill("Admissions Office")
    page.get_by_label("Entity type").select_option("Admissions")
    page.get_by_role("button", name="Create partner").last.click()


def generate_code(page, *, send):
    """From the partner page to the page that shows what to share."""
    page.get_by_role("link", name="Generate code").first.click()
    page.get_by_label("Work email address").fill(NOAH)
    page.get_by_label("Principal").check()
    page.get_by_label("Works for how many days").fill("14")
    page.get_by_label("Email the invitation now").set_checked(send)
    press(page, "Generate code")


def test_a_partner_is_onboarded_from_the_first_page_to_the_colleagues_phone(
    window, page, phone, mailbox, dana, app
):
    brand()
    sign_in_to_the_desk(page)
    create_partner(page)
    assert heading(page) == "Admissions Office"
    assert "Pending" in page.inner_text("main")
    partner = page.url
    generate_code(page, send=True)
    assert heading(page) == f"Invitation for {NOAH}"

    noah = window()
    mail = mailbox.latest(to=NOAH)
    assert COMPANY in mail.text
    noah.goto(mail.link("/partners/"))
    assert heading(noah) == "You are invited to Admissions Office"
    press(noah, "Accept and sign in")
    assert heading(noah) == "About you"
    introduce(noah, "Noah Becker")
    assert heading(noah) == "About Admissions Office"
    describe(noah)
    assert heading(noah) == "Hello, Noah"
    assert "Powered by Portico" in noah.inner_text("footer")
    assert COMPANY in noah.inner_text("header")
    assert COMPANY in noah.title()
    assert "help@northwind.example" in noah.inner_text("main")
    noah.goto("/partners/team/invite")
    filled = noah.get_by_role("button", name="Send invitation")
    assert filled.evaluate("one => getComputedStyle(one).backgroundColor") == "rgb(255, 210, 0)"
    assert filled.evaluate("one => getComputedStyle(one).color") == "rgb(0, 0, 0)"

    noah.goto("/partners/dashboard")
    noah.get_by_role("link", name="Team", exact=True).click()
    noah.get_by_role("link", name="Invite a person").click()
    noah.get_by_label("Work email address").fill(MEI)
    noah.get_by_label("Viewer").check()
    press(noah, "Send invitation")
    assert MEI in noah.inner_text("main")

    phone.goto(mailbox.latest(to=MEI).link("/partners/"))
    press(phone, "Accept and sign in")
    introduce(phone, "Mei Tanaka")
    assert heading(phone) == "Hello, Mei"
    mailbox.collect()

    page.goto(partner)
    told = page.inner_text("main")
    assert "Active" in told
    assert "Noah Becker" in told
    assert "Mei Tanaka" in told
    page.get_by_role("link", name="Full history").click()
    told = page.inner_text("main")
    assert f"{cast.DANA.name} invited {NOAH} as principal" in told
    assert f"{NOAH} accepted the invitation as principal" in told
    assert f"Noah Becker invited {MEI} as viewer" in told
    assert f"{MEI} accepted the invitation as viewer" in told
    page.goto("/admin/audit/")
    told = page.inner_text("main")
    for name in ("Noah Becker", "Mei Tanaka", cast.DANA.name):
        assert name in told
    assert proven(app)


@pytest.mark.parametrize("by_code", [False, True], ids=["copied URL", "code read out"])
def test_what_was_copied_opens_nothing_without_the_invited_mailbox(window, page, mailbox, dana, by_code):
    sign_in_to_the_desk(page)
    create_partner(page)
    generate_code(page, send=False)
    url, code = page.locator(".copy__value").all_inner_texts()[:2]
    assert mailbox.collect() == []

    noah = window()
    way, button = ("/partners/invitations", "Continue") if by_code else (url, "Email me a link")

    def knock(email):
        noah.goto(way)
        if by_code:
            noah.get_by_label("Invitation code").fill(code.lower().removeprefix("inv-"))
        noah.get_by_label("Work email address").fill(email)
        press(noah, button)

    knock("somebody.else@unl.example")
    assert "Use the address the invitation was sent to" in noah.inner_text("main")
    assert mailbox.collect() == []
    assert number(Session) == 1  # the desk's
    assert db.session.scalars(select(Invitation.status)).all() == [InvitationStatus.PENDING]

    knock(f"  {NOAH.title()} ")
    assert heading(noah) == "Check your email"
    mailed = mailbox.latest(to=NOAH)
    noah.get_by_label("code").fill(re.search(r"\b\d{4} ?\d{4}\b", mailed.text)[0])
    press(noah, "Sign in with the code")
    assert heading(noah) == "About you"
    assert db.session.scalars(select(Person.email_canonical)).all() == [NOAH]


def test_the_portals_story_needs_no_scripts(window, mailbox, app):
    make.invitation(email=NOAH, by=cast.staff(cast.DANA), send=True)
    noah = window(javascript=False, width=360, height=740)
    noah.goto(mailbox.latest(to=NOAH).link("/partners/"))
    press(noah, "Accept and sign in")
    introduce(noah, "Noah Becker")
    describe(noah)
    assert heading(noah) == "Hello, Noah"

    noah.goto("/partners/team/invite")
    noah.get_by_label("Work email address").fill(MEI)
    noah.get_by_label("Finance").check()
    press(noah, "Send invitation")
    mei = window(javascript=False, width=360, height=740)
    mei.goto(mailbox.latest(to=MEI).link("/partners/"))
    press(mei, "Accept and sign in")
    introduce(mei, "Mei Tanaka")

    noah.goto("/partners/team")
    noah.locator("summary", has_text="Mei Tanaka").click()
    noah.get_by_role("link", name="Change role").last.click()
    noah.get_by_label("Technical").check()
    noah.get_by_role("main").get_by_role("button", name="Change role").click()
    assert "Technical" in noah.inner_text("main")

    noah.goto("/partners/sessions")
    noah.get_by_role("main").get_by_role("button", name="Sign out").first.click()
    assert heading(noah) == "Sign in to the partner portal"
    noah.goto("/partners/dashboard")
    assert heading(noah) == "Sign in to the partner portal"


# MARK: Coming in again


def test_the_code_works_in_the_browser_that_asked_and_in_no_other(window, mailbox, app):
    amara = cast.contact(cast.AMARA)
    asking, other = window(), window()
    for page in (asking, other):  # the other one asked as well, for somebody else's address
        page.goto("/partners/login")
        page.get_by_label("Work email address").fill(
            amara.person.email if page is asking else "who@unl.example"
        )
        press(page, "Email me a link")
        assert heading(page) == "Check your email"
    code = re.search(r"\b\d{4} ?\d{4}\b", mailbox.latest(to=amara.person.email).text)[0]

    other.get_by_label("code").fill(code)
    press(other, "Sign in with the code")
    assert heading(other) == "Check your email"
    assert other.get_by_label("code").get_attribute("aria-invalid") == "true"
    assert number(Session) == 0

    asking.get_by_label("code").fill(code)
    press(asking, "Sign in with the code")
    assert heading(asking) == "About you"
    assert number(Session) == 1


def test_two_browsers_press_the_same_invitation_at_once_and_one_is_in(window, mailbox, app):
    make.invitation(email=NOAH, by=cast.staff(cast.DANA), send=True)
    path = mailbox.latest(to=NOAH).link("/partners/")
    both = [window(), window()]
    for page in both:
        page.goto(path)
    press_at = "at => { setTimeout(() => document.querySelector('form').requestSubmit(), at - Date.now()) }"
    moment = both[0].evaluate("Date.now()") + 300  # milliseconds; neither waits for the other
    for page in both:
        page.evaluate(press_at, moment)
    for page in both:
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("About you|Link already used"))
    assert sorted(heading(page) for page in both) == ["About you", "Link already used"]
    assert (number(Person), number(Session), number(Entity)) == (1, 1, 1)


# MARK: At the desk


def test_staff_without_a_second_factor_set_it_up_before_the_desk_opens(page, app_with, dana):
    app_with(staff_second_factor="required")
    sign_in_to_the_desk(page)
    assert heading(page) == "Set up your second factor"
    page.goto("/admin/partners/")
    assert heading(page) == "Set up your second factor"

    secret = page.locator(".copy__value").inner_text().replace(" ", "")
    page.get_by_label("6-digit code").fill(pyotp.TOTP(secret).at(clock.now()))
    press(page, "Set up second factor")
    spare = page.locator("main li, main code").all_inner_texts()
    assert len(spare) >= 8  # the recovery codes, shown once
    page.goto("/admin/partners/")
    assert heading(page) == "Partners"


def test_two_who_edit_one_record_both_keep_their_text(window, live, dana):
    who = cast.contact(cast.AMARA).person
    pages = [window(), window()]
    for page, staff in zip(pages, (dana, cast.staff(cast.SAM)), strict=True):
        sit_down(page, live, staff)
        page.goto(f"/admin/records/people/{who.id}/edit")
    first, second = pages

    first.get_by_label("Full name").fill("Amara Okafor-Lind")
    press(first, "Review changes")
    assert "Amara Okafor-Lind" in first.inner_text("table")
    press(first, "Save changes")
    assert first.get_by_label("Reason").get_attribute("aria-invalid") == "true"
    first.get_by_label("Reason").fill("She married")
    press(first, "Save changes")
    assert heading(first) == "Amara Okafor-Lind"

    second.get_by_label("Full name").fill("Amara B. Okafor")
    second.get_by_label("Title").fill("Director of Admissions")
    press(second, "Review changes")
    assert "changed in the meantime" in heading(second)
    compared = second.inner_text("table")
    assert "Amara Okafor-Lind" in compared
    assert "Amara B. Okafor" in compared
    assert second.get_by_label("Full name").input_value() == "Amara B. Okafor"
    second.get_by_label("Full name").fill("Amara Okafor-Lind")
    press(second, "Review changes")
    second.get_by_label("Reason").fill("As on her card")
    press(second, "Save changes")
    db.session.refresh(who)
    assert (who.full_name, who.title) == ("Amara Okafor-Lind", "Director of Admissions")


def test_a_principal_ends_a_colleague_who_is_out_at_the_next_click(window, live, app):
    amara, kofi = cast.contact(cast.AMARA), cast.contact(cast.KOFI)
    hers, his = window(), window(phone=True, width=390, height=844)
    walk_in(hers, live, amara)
    walk_in(his, live, kofi)
    his.goto("/partners/team")
    assert heading(his) == "Team"

    hers.goto(f"/partners/team/{kofi.affiliation.id}/end")
    hers.get_by_role("main").get_by_role("button").first.click()
    his.reload()
    assert heading(his) in {"Your access has ended", "Sign in to the partner portal"}
