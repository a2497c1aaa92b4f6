"""Being invited, tested at the door: the mailed link, the copied URL, the code, and every end of them."""

import re

import pytest

from models import Affiliation, EntityStatus, Invitation, OnboardingStatus, PartnerRole, Person, Session, db
from services import invitations, people
from services.transaction import transaction
from tests import cast, make

PATH = "/partners/invitations"


@pytest.fixture
def entity(app):
    return make.entity(status=EntityStatus.PENDING)


@pytest.fixture
def invited(entity):
    dana = cast.staff(cast.DANA)
    return make.invitation(entity=entity, email="Noah.Becker@unl.example", by=dana, send=True)


def copied(invitation):
    """The path of the URL that staff copy."""
    return "/partners/" + people.invitation_url(invitation).partition("/partners/")[2]


def fresh(row):
    db.session.expire_all()
    return db.session.get(type(row), row.id)


# MARK: The mailed link


def test_the_mailed_link_makes_a_person_and_leads_through_the_profile_to_the_dashboard(
    browse, mailbox, invited, entity
):
    page = browse.get(mailbox.latest(to=invited.email).link("/partners/"))
    assert page.heading == "You are invited to Admissions Office"
    assert "Dana Ortiz" in page
    assert "n•••@unl.example" in page
    assert "Principal" in page
    assert db.session.query(Person).count() == 0

    page = page.submit("Accept and sign in")
    assert page.heading == "About you"
    page = page.submit(
        "Save and continue", full_name="Noah Becker", title="Dean", time_zone="America/Chicago"
    )
    assert page.heading == "About Admissions Office"
    page = page.submit("Save and finish", description="We admit people.", website="admissions.unl.example")
    assert (page.path, page.heading) == ("/partners/dashboard", "Hello, Noah")

    entity = fresh(entity)
    assert entity.status is EntityStatus.ACTIVE
    assert entity.onboarding_status is OnboardingStatus.COMPLETED
    assert fresh(invited).accepted_at is not None
    person = db.session.query(Person).one()
    assert (person.email, person.full_name, person.time_zone) == (
        invited.email,
        "Noah Becker",
        "America/Chicago",
    )


@pytest.mark.parametrize("base", ["/partners/login/", "/partners/invitations/"])
def test_both_addresses_of_a_mailed_invitation_open_it(browse, invited, base):
    assert browse.get(base + make.mailed(invited)).submit("Accept and sign in").heading == "About you"


def test_the_setup_can_be_finished_later(browse, invited):
    page = browse.get(PATH + "/" + make.mailed(invited)).submit("Accept and sign in")
    page = page.follow("Finish later")
    assert page.heading == "Hello"
    assert "0 of 3 done" in page


def test_two_clicks_on_the_same_invitation_make_one_person_and_one_place(browse, invited):
    token = make.mailed(invited)
    here, there = browse.get(f"{PATH}/{token}"), browse.another().get(f"{PATH}/{token}")
    here.submit("Accept and sign in")
    page = there.submit("Accept and sign in")
    assert (page.status, page.heading) == (410, "Link already used")
    assert db.session.query(Person).count() == 1
    assert db.session.query(Affiliation).count() == 1


def test_somebody_known_elsewhere_gets_one_more_team_and_switches(browse, app):
    ruth = cast.contact(cast.RUTH)
    invitation = make.invitation(email="RUTH.alvarez@lincolneast.example", role=PartnerRole.VIEWER, send=True)
    browse.keep_cookie("pp", make.session(ruth))
    browse.get(f"{PATH}/{make.mailed(invitation)}").submit("Accept and sign in")
    assert db.session.query(Person).count() == 1

    page = browse.get("/partners/dashboard")
    assert "Viewer, Admissions Office" in page
    page = page.submit("Counseling Center")
    assert "You now work for Counseling Center" in page
    assert "Principal, Counseling Center" in browse.get("/partners/dashboard")


def test_an_invitation_for_somebody_else_is_not_merged_into_who_is_signed_in(browse, invited):
    browse.keep_cookie("pp", make.session(cast.contact(cast.RUTH)))
    page = browse.get(f"{PATH}/{make.mailed(invited)}")
    assert page.heading == "Somebody else is signed in here"
    assert fresh(invited).accepted_at is None


# MARK: The copied URL and the code


def test_the_copied_url_asks_for_the_address_and_mails_a_link_to_it(browse, mailbox, invited):
    mailbox.collect()
    page = browse.get(copied(invited))
    assert page.heading == "You are invited to Admissions Office"
    assert invited.email not in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"

    page = page.submit("Email me a link", email=" noah.becker@UNL.example")
    assert page.heading == "Check your email"
    assert db.session.query(Session).count() == 0

    code = re.search(r"\b\d{4} ?\d{4}\b", mailbox.latest(to=invited.email).text).group()
    assert page.submit("Sign in with the code", code=code).heading == "About you"


def test_the_copied_url_refuses_another_address_and_stays_usable(browse, mailbox, invited):
    mailbox.collect()
    page = browse.submit(copied(invited), "Email me a link", email="mallory@unl.example")
    assert page.status == 422
    assert page.errors == {"email": "Error: Use the address the invitation was sent to"}
    assert page.find("[name=email]").attributes["value"] == "mallory@unl.example"
    assert mailbox.collect() == []
    assert page.submit("Email me a link", email=invited.email).heading == "Check your email"


@pytest.mark.parametrize(
    "typing", [str, str.lower, lambda code: f" {code[4:]} ", lambda code: code.replace("-", " ")]
)
def test_the_code_is_read_however_it_was_typed(browse, mailbox, invited, typing):
    mailbox.collect()
    page = browse.submit(PATH, code=typing(invited.invitation_code), email=invited.email)
    assert page.heading == "Check your email"
    link = mailbox.latest(to=invited.email).link("/partners/")
    assert browse.get(link).submit("Accept and sign in").heading == "About you"


def test_a_code_that_is_none_is_refused_and_after_ten_has_to_wait(browse, invited):
    for _ in range(10):
        page = browse.submit(PATH, code="INV-22222", email=invited.email)
        assert page.status == 422
        assert "There is no such code" in page.errors["code"]
    assert browse.submit(PATH, code="INV-22222", email=invited.email).status == 429


def test_a_code_with_another_address_is_refused(browse, invited):
    page = browse.submit(PATH, code=invited.invitation_code, email="mallory@unl.example")
    assert page.errors == {"email": "Error: Use the address the invitation was sent to"}


# MARK: Ends


def expire(invitation, time):
    time.pass_(days=7)


def revoke(invitation, time):
    with transaction():
        invitations.revoke(
            actor=cast.staff(cast.DANA), invitation=db.session.get_one(Invitation, invitation.id)
        )


def resend(invitation, time):
    with transaction():
        invitations.resend(
            actor=cast.staff(cast.DANA), invitation=db.session.get_one(Invitation, invitation.id)
        )


def pause(invitation, time):
    make.entity(status=EntityStatus.SUSPENDED)


ENDS = [
    (expire, "This invitation has expired", "Link expired"),
    (revoke, "This invitation was cancelled", "Link not valid"),
    (resend, "Use the newest email", "Link not valid"),
    (pause, "This invitation was cancelled", "Link not valid"),
]


@pytest.mark.parametrize(("happens", "heading", "label"), ENDS)
def test_every_end_of_an_invitation_has_its_own_page(browse, invited, time, happens, heading, label):
    mailed, url, code = make.mailed(invited), copied(invited), invited.invitation_code
    happens(invited, time)
    for page in (
        browse.get(f"{PATH}/{mailed}"),
        browse.get(url),
        browse.submit(PATH, code=code, email=invited.email),
    ):
        assert (page.status, page.heading) == (410, heading)
        assert label in page
        assert invited.email not in page.text
    assert db.session.query(Person).count() == 0


def test_a_new_invitation_is_asked_for_in_one_press_and_once(browse, mailbox, invited, time):
    url = copied(invited)
    expire(invited, time)
    mailbox.collect()
    page = browse.get(url).submit("Ask for a new invitation")
    assert (page.status, page.heading) == (410, "This invitation has expired")
    assert "Your request is on its way" in page
    (mail,) = mailbox.collect()
    assert mail.recipients == [cast.DANA.email]
    assert mail.subject == "noah.becker@unl.example asks for a new invitation".replace("noah.b", "Noah.B")
    assert f"/admin/partners/{invited.entity_id}/invitations" in mail.text
    assert "Your request is on its way" in page.submit("Ask for a new invitation")
    assert mailbox.collect() == [], "asked twice, told once"


def test_asking_with_a_token_that_is_none_of_ours_is_answered_alike(browse, mailbox, invited, time):
    url, is_open = copied(invited), make.mailed(make.invitation(email="olga@unl.example", days=60, send=True))
    expire(invited, time)
    mailbox.collect()
    for token in ("x" * 43, "", is_open):
        answer = browse.get(url).submit("Ask for a new invitation", token=token)
        assert "Your request is on its way" in answer
    assert mailbox.collect() == []


def test_an_accepted_invitation_leads_to_signing_in(browse, mailbox, invited):
    token, url = make.mailed(invited), copied(invited)
    browse.get(f"{PATH}/{token}").submit("Accept and sign in")
    mailbox.collect()
    page = browse.another().get(url)
    assert (page.status, page.heading) == (410, "Link already used")
    page.submit("Email me a new link")
    assert [mail.recipients for mail in mailbox.collect()] == [[invited.email]]
    assert browse.get(url).follow("Continue to dashboard").path == "/partners/dashboard"


def test_an_invitation_works_until_its_last_second(browse, invited, time):
    token = make.mailed(invited)
    page = browse.get(f"{PATH}/{token}")
    time.pass_(days=6, hours=23, minutes=59, seconds=59)
    assert browse.get(f"{PATH}/{token}").status == 200
    time.pass_(seconds=1)
    assert page.submit("Accept and sign in").heading == "This invitation has expired"
