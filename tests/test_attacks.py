"""What somebody with bad intentions tried, each once as a test: it has to stay refused."""

import pytest
from sqlalchemy import select, update

import clock
import logs
from models import AuthEvent, LinkPurpose, OnboardingStatus, Person, SignInLink, db
from services import audit, limits, sessions, sign_in
from services.errors import Gone, NotFound, TooMany
from services.transaction import transaction
from tests import cast, make
from tests.admin.desk import at_desk, fresh
from tests.visitor import Visitor
from web import cookie_name

LONG_AGO = {"minutes": 16}  # since they proved who they are


@pytest.fixture
def amara(app):
    return cast.contact(cast.AMARA)


def noted(kind: str) -> list[AuthEvent]:
    """The entries of that kind in the sign-in log."""
    db.session.expire_all()
    return list(db.session.scalars(select(AuthEvent).where(AuthEvent.kind == kind).order_by(AuthEvent.id)))


def portal_as(browse, who):
    """A browser of its own in which that contact is signed in."""
    visitor = browse.another()
    visitor.keep_cookie(cookie_name("pp"), make.session(who))
    return visitor


# MARK: What matters asks for a fresh sign-in


@pytest.mark.parametrize("what", ["people", "affiliations", "staff"])
def test_a_desk_left_open_changes_nobodys_address_role_or_rights(browse, amara, time, what):
    desk = at_desk(browse, cast.SAM)
    number = {
        "people": amara.person.id,
        "affiliations": amara.affiliation.id,
        "staff": cast.staff(cast.TOMAS).id,
    }[what]
    time.pass_(**LONG_AGO)
    for answer in (
        desk.get(f"/admin/records/{what}/{number}/edit", follow=False),
        desk.post(f"/admin/records/{what}/{number}/edit", {"step": "save"}, follow=False),
    ):
        assert answer.status in {303, 400}
        assert answer.status == 400 or "/admin/login/again" in (answer.location or "")


@pytest.mark.parametrize("page", ["role", "overrides"])
def test_a_desk_left_open_gives_no_contact_other_rights(browse, amara, time, page):
    desk = at_desk(browse, cast.DANA)
    time.pass_(**LONG_AGO)
    answer = desk.get(
        f"/admin/partners/{amara.entity.id}/contacts/{amara.affiliation.id}/{page}", follow=False
    )
    assert "/admin/login/again" in (answer.location or "")


def test_support_hands_nobodys_account_over_without_a_ticket(browse, amara):
    """Whoever receives the mails of a person is that person: a new address is a new owner."""
    desk = at_desk(browse, cast.PRIYA)
    page = desk.get(f"/admin/records/people/{amara.person.id}/edit")
    page = page.submit("Review changes", email="thief@evil.example")
    page = page.submit("Save changes", reason="They asked")
    assert page.status == 422
    assert fresh(amara.person).email == cast.AMARA.email


def test_who_waits_with_the_second_factor_is_not_sent_in_a_circle(app, app_with, settings, time):
    browse = Visitor(app_with(staff_second_factor="required"), base_url=settings.base_url)
    browse.keep_cookie(cookie_name("staff"), make.desk(cast.staff(cast.DANA)))
    time.pass_(**LONG_AGO)
    assert browse.get("/admin/account/second-factor").path == "/admin/login/again"


# MARK: One partner's people and another's


def test_a_principal_signs_nobody_out_who_left_the_team(browse, amara):
    """They may work for somebody else by now, where it would throw them out again and again."""
    left = make.contact(entity=amara.entity, email="left@unl.example", ended_at=clock.now())
    elsewhere = make.contact(entity=cast.contact(cast.RUTH).entity, email="left@unl.example")
    held = make.session(elsewhere)
    with pytest.raises(NotFound), transaction():
        sessions.end_all(actor=amara, person=left.person)
    portal_as(browse, amara).post(f"/partners/team/{left.affiliation.id}/sign-out")
    assert sessions.session_of(held, make.BROWSER, make.SYSTEM) is not None


def test_who_left_completes_no_onboarding_of_the_team(browse, amara):
    entity = make.entity(onboarding_status=OnboardingStatus.IN_PROGRESS, description="We admit students")
    gone = make.contact(entity=entity, email="gone@unl.example", ended_at=clock.now())
    portal_as(browse, gone).submit("/partners/profile", "Save and continue", full_name="Gone")
    assert fresh(entity).onboarding_status is OnboardingStatus.IN_PROGRESS


# MARK: Cookies


def test_a_browser_that_signs_in_anew_leaves_no_session_behind(browse, amara):
    """A copied cookie would else outlive the new sign-in by a month."""
    visitor = portal_as(browse, amara)
    copied = visitor.cookie(cookie_name("pp"))
    visitor.submit(f"/partners/login/{make.link(amara.person.email)[0]}", "Sign in")
    assert visitor.cookie(cookie_name("pp")) != copied
    assert sessions.session_of(copied, make.BROWSER, make.SYSTEM) is None
    assert visitor.get("/partners/sessions").status == 200


def test_the_forms_token_of_before_does_not_hold_after_signing_in_or_out(browse, amara):
    visitor = browse.another()
    before = token_of(visitor.get("/partners/login"))
    visitor.submit(f"/partners/login/{make.link(amara.person.email)[0]}", "Sign in")
    inside = token_of(visitor.get("/partners/profile"))
    assert inside != before
    assert visitor.post("/partners/theme", {"csrf_token": before}).status == 400
    visitor.submit("/partners/sessions", "Sign out")
    assert token_of(visitor.get("/partners/login")) != inside


def token_of(page) -> str:
    """What the tokens of a page's forms are made from: the same from sign-in to sign-out."""
    with page.visitor.client.session_transaction(base_url=page.visitor.base_url) as kept:
        return kept["csrf_token"]


# MARK: Links


def test_a_link_is_spent_only_for_what_it_was_made_for(amara):
    token, _code = make.link(amara.person.email)
    with transaction():
        db.session.execute(update(SignInLink).values(purpose=LinkPurpose.EMAIL_CHANGE))
    assert sign_in.look(token).state == "unknown"
    with pytest.raises(Gone), transaction():
        sign_in.redeem(token=token, browser=make.BROWSER, system=make.SYSTEM)


def test_the_secret_of_a_notice_stands_in_no_log(amara):
    with transaction():
        session, _token = sessions.start(contact=amara, browser="Firefox", system="Linux")
    secret = sessions.notice_secret(session.id)
    assert secret[-40:] not in logs.redact(f"GET /partners/sessions/not-me/{secret} 200")


# MARK: Limits


def test_one_network_is_one_visitor_however_many_addresses_it_has(app):
    """A household has 2^64 addresses of IPv6."""
    for number in range(20):
        audit.origin.set(audit.Origin(address=f"2001:db8:1:2::{number:x}"))
        sign_in.allow_asking()
    audit.origin.set(audit.Origin(address="2001:db8:1:2:ffff::1"))
    with pytest.raises(TooMany):
        sign_in.allow_asking()
    audit.origin.set(audit.Origin(address="2001:db8:1:3::1"))
    sign_in.allow_asking()
    audit.origin.set(audit.Origin())


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_the_network_of_an_address(address, network):
    assert limits.network(address) == network


# MARK: Mail


def test_a_mailbox_that_takes_mail_again_is_no_longer_flagged(amara, mailbox):
    with transaction():
        person = db.session.get_one(Person, amara.person.id)
        person.bounced_at = clock.now()
        audit.record(actor=make.PORTICO, verb="person.bounced", subject=person)
    make.request(amara.person.email)
    assert mailbox.collect()
    assert fresh(amara.person).bounced_at is None


# MARK: Who tries doors is seen


def test_what_is_refused_at_the_desk_is_noted(browse, amara):
    at_desk(browse, cast.TOMAS).get("/admin/partners/")
    (entry,) = noted("access_denied")
    assert (entry.staff_id, entry.outcome, entry.cause) == (
        cast.staff(cast.TOMAS).id,
        "refused",
        "partners.index",
    )


def test_what_is_refused_at_the_portal_is_noted(browse, amara):
    grace, ruth = cast.contact(cast.GRACE), cast.contact(cast.RUTH)
    portal_as(browse, grace).get("/partners/team")
    portal_as(browse, ruth).get(f"/partners/team/{amara.affiliation.id}/role")  # another partner's
    entries = noted("access_denied")
    assert [(entry.person_id, entry.cause) for entry in entries] == [
        (grace.person.id, "portal.list_team"),
        (ruth.person.id, "portal.change_role"),
    ]
    assert all(entry.request_id for entry in entries)


def test_what_another_site_sends_is_noted(browse, amara):
    visitor = portal_as(browse, amara)
    visitor.post("/partners/logout", headers={"Sec-Fetch-Site": "cross-site"})
    visitor.post("/partners/logout", {"csrf_token": "made up"}, headers={"Sec-Fetch-Site": "same-origin"})
    assert [(entry.cause, entry.person_id) for entry in noted("forgery_refused")] == [
        ("other_site", amara.person.id),
        ("token", amara.person.id),
    ]


def test_hammering_fills_no_log(browse):
    for _time in range(70):
        browse.post("/partners/login", headers={"Sec-Fetch-Site": "cross-site"})
    assert len(noted("forgery_refused")) == 60


def test_an_address_that_nobody_has_is_not_worth_noting(browse, amara):
    portal_as(browse, amara).get("/partners/nowhere")
    at_desk(browse, cast.SAM).get("/admin/nowhere")
    assert not noted("access_denied")
