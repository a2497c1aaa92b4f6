"""The dashboard, the profile and the sessions of somebody who is in, and what closes to whom."""

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from models import EntityStatus, OnboardingStatus, OrganizationStatus, Session, db
from services import people, sessions, sign_in
from services.transaction import transaction
from tests import cast, make
from tests.visitor import Visitor


@pytest.fixture
def amara(app):
    return cast.contact(cast.AMARA)


@pytest.fixture
def principal(browse, amara):
    browse.keep_cookie("pp", make.session(amara))
    return browse


def signed_in(browse, who):
    visitor = browse.another()
    visitor.keep_cookie("pp", make.session(who))
    return visitor


def fresh(row):
    db.session.expire_all()
    return db.session.get(type(row), row.id)


# MARK: The door


PAGES = (
    "/partners/",
    "/partners/dashboard",
    "/partners/team",
    "/partners/team/invite",
    "/partners/profile",
    "/partners/profile/entity",
    "/partners/sessions",
)


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_is_led_to_sign_in_and_back(browse, app, path):
    page = browse.get(path, follow=False)
    assert page.status == 303
    assert page.location == f"/partners/login?next={path}"


def test_a_made_up_session_is_nobody(browse, app):
    browse.keep_cookie("pp", "m" * 43)
    page = browse.get("/partners/dashboard")
    assert page.path == "/partners/login"
    assert browse.cookie("pp") in {None, ""}


@pytest.mark.parametrize("who", cast.TEAM)
def test_everybody_of_a_team_gets_a_dashboard_without_links_that_fail(browse, amara, who):
    visitor = signed_in(browse, cast.contact(who))
    page = visitor.get("/partners/dashboard")
    assert page.heading == f"Hello, {who.name.split()[0]}"
    for node in page.html.css("a[href^='/']"):
        assert visitor.get(node.attributes["href"]).status == 200, node.attributes["href"]


def suspend(amara):
    make.entity(status=EntityStatus.SUSPENDED)


def suspend_organization(amara):
    make.organization(status=OrganizationStatus.SUSPENDED)


def offboard(amara):
    make.entity(status=EntityStatus.OFFBOARDED)


def deactivate(amara):
    make.person(amara.person.email, is_active=False)


CLOSED = [
    (suspend, "This partnership is paused"),
    (suspend_organization, "This partnership is paused"),
    (offboard, "This partnership has ended"),
    (deactivate, "Your access has ended"),
]


@pytest.mark.parametrize(("happens", "heading"), CLOSED)
def test_a_closed_partnership_says_so_on_the_next_click(principal, amara, happens, heading):
    assert principal.get("/partners/dashboard").status == 200
    happens(amara)
    page = principal.get("/partners/dashboard")
    assert (page.status, page.heading) == (403, heading)
    assert page.submit("Sign out").path == "/partners/login"


def test_who_has_another_team_goes_on_there_from_a_paused_one(principal, amara):
    other = make.entity("Raikes School of Computer Science")
    make.contact(entity=other, email=amara.person.email)
    raikes = next(one for one in sessions.affiliations_of(amara.person) if one.entity_id == other.id)
    make.entity(status=EntityStatus.SUSPENDED)
    assert principal.get("/partners/dashboard").submit(raikes.entity.name).path == "/partners/dashboard"


def test_somebody_elses_place_is_not_a_team_to_switch_to(principal, amara):
    ruth = cast.contact(cast.RUTH)
    token = principal.get("/partners/profile").find("[name=csrf_token]").attributes["value"]
    page = principal.post(
        f"/partners/switch/{ruth.affiliation.id}",
        {"csrf_token": token},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert page.status == 404


def test_every_page_carries_the_tenants_name_and_help(principal):
    for path in ("/partners/dashboard", "/partners/login/check", "/partners/no-such-page"):
        page = principal.get(path)
        assert page.texts(".foot")[0].endswith("Powered by Portico")
        assert "mailto:" in (page.find(".foot a").attributes["href"] or "")


# MARK: The dashboard


def test_the_first_steps_disappear_when_they_are_done(principal, amara):
    page = principal.get("/partners/dashboard")
    assert "Get started: 0 of 3 done" in page
    page = page.follow("Complete your profile")
    page = page.submit("Save and continue", full_name="Amara Okafor")
    page.submit("Save and finish", description="We admit people.")
    assert "Get started: 2 of 3 done" in principal.get("/partners/dashboard")
    cast.contact(cast.KOFI)
    page = principal.get("/partners/dashboard")
    assert "Get started" not in page
    assert "You are the only principal" in page


def test_a_role_that_manages_nothing_has_one_step_and_learns_who_helps(browse, amara):
    page = signed_in(browse, cast.contact(cast.GRACE)).get("/partners/dashboard")
    assert "Get started: 0 of 1 done" in page
    assert "Cannot see amounts, submit deals, or manage the team." in page
    assert "Amara Okafor can change it." in page


def test_recent_activity_names_no_address_of_ours(principal, amara):
    dana = cast.staff(cast.DANA)
    make.invitation(email="noah@unl.example", by=dana)
    page = principal.get("/partners/dashboard")
    assert "Dana Ortiz invited noah@unl.example" in page
    assert dana.email not in page.text
    assert "127.0.0.1" not in page


# MARK: The profile


def test_a_wrong_profile_comes_back_as_it_was_typed(principal, amara):
    page = principal.submit(
        "/partners/profile", "Save and continue", full_name=" ", phone="call me", title="Dean"
    )
    assert page.status == 422
    assert page.errors["full_name"] == "Error: Enter your full name"
    assert page.find("[name=phone]").attributes["value"] == "call me"
    assert page.find("[name=title]").attributes["value"] == "Dean"
    page = page.submit("Save and continue", full_name="Amara Okafor")
    assert "Phone must be a number with its country code" in page.errors["phone"]
    assert fresh(amara.person).profile_completed_at is None


def test_the_profile_keeps_what_it_was_given(principal, amara):
    with transaction():
        people.complete_profile(actor=amara, full_name="Amara Okafor")
    page = principal.submit(
        "/partners/profile",
        "Save profile",
        full_name="  Amara  Okafor-Li ",
        title="Dean",
        phone="(402) 555-0142",
        time_zone="Europe/Berlin",
    )
    assert "Profile saved" in page
    person = fresh(amara.person)
    assert (person.full_name, person.phone, person.time_zone) == (
        "Amara Okafor-Li",
        "+14025550142",
        "Europe/Berlin",
    )
    assert page.find("[name=time_zone] option[selected]").attributes["value"] == "Europe/Berlin"


def test_only_a_principal_edits_what_the_public_reads(browse, principal, amara):
    assert signed_in(browse, cast.contact(cast.KOFI)).get("/partners/profile/entity").status == 403
    page = principal.submit("/partners/profile/entity", description=" ", website="not a site")
    assert page.status == 422
    assert page.find("[name=website]").attributes["value"] == "not a site"
    page = page.submit(description="We admit people.")
    assert page.status == 422
    assert "website" in page.errors
    page.submit(website="admissions.unl.example", show_in_app=False)
    entity = fresh(amara.entity)
    assert entity.description == "We admit people."
    assert entity.show_in_app is False
    assert entity.onboarding_status is not OnboardingStatus.NOT_STARTED


def test_markup_that_was_typed_is_only_text(principal, amara):
    principal.submit("/partners/profile", "Save and continue", full_name="<script>alert(1)</script> O'Neil")
    page = principal.get("/partners/dashboard")
    assert "<script>alert" in page.heading or "<script>alert(1)</script>" in page.text
    assert b"<script>alert" not in page.body


# MARK: Looks


@pytest.mark.parametrize(("label", "theme"), [("Dark", "dark"), ("Light", "light")])
def test_a_theme_is_kept_and_let_go_again(principal, amara, label, theme):
    with transaction():
        people.complete_profile(actor=amara, full_name="Amara Okafor")
    page = principal.get("/partners/profile").submit(label)
    assert page.html.root.attributes["data-theme"] == theme
    page = page.submit("System")
    assert "data-theme" not in page.html.root.attributes


# MARK: Sessions


def test_somebody_sees_where_they_are_signed_in_and_ends_one(principal, browse, amara):
    other = signed_in(browse, amara)
    page = principal.get("/partners/sessions")
    assert page.text.count("an unknown browser on an unknown system") >= 2
    assert "This browser" in page
    page = page.submit("End an unknown browser on an unknown system")
    assert "That browser is signed out" in page
    assert other.get("/partners/dashboard").path == "/partners/login"
    assert principal.get("/partners/dashboard").status == 200


def test_every_other_browser_is_ended_at_once(principal, browse, amara):
    others = [signed_in(browse, amara) for _ in range(3)]
    page = principal.get("/partners/sessions").submit("End all others")
    assert "Every other browser is signed out" in page
    for other in others:
        assert other.get("/partners/dashboard").path == "/partners/login"
    assert principal.get("/partners/dashboard").path == "/partners/dashboard"


def test_nobody_ends_the_session_of_another(principal, amara):
    make.session(cast.contact(cast.KOFI))
    theirs = db.session.query(Session).order_by(Session.id.desc()).first()
    token = principal.get("/partners/profile").find("[name=csrf_token]").attributes["value"]
    page = principal.post(
        f"/partners/sessions/{theirs.id}/end",
        {"csrf_token": token},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert page.status == 404
    assert fresh(theirs).revoked_at is None


def test_leaving_ends_the_session_and_what_the_browser_kept(principal):
    token = principal.cookie("pp")
    page = principal.get("/partners/dashboard").submit("Sign out", follow=False)
    assert page.status == 303
    assert page.headers["Clear-Site-Data"] == '"cache"'
    assert principal.cookie("pp") in {None, ""}
    principal.keep_cookie("pp", token)
    assert principal.get("/partners/dashboard").path == "/partners/login"


def test_leaving_takes_a_press(principal):
    assert principal.get("/partners/logout").status == 405
    assert principal.get("/partners/dashboard").path == "/partners/dashboard"


def test_the_reader_of_a_notice_ends_a_session_that_was_not_theirs(principal, browse, amara, mailbox):
    token, _code = make.link(amara.person.email)
    with transaction():
        sign_in.redeem(token=token, browser="Firefox", system="Windows")
    path = mailbox.latest(to=amara.person.email).link("not-me")
    page = browse.another().get(path)
    assert page.heading == "Was that not you?"
    assert principal.get("/partners/dashboard").path == "/partners/dashboard"
    page = page.submit()
    assert page.path == "/partners/login"
    assert principal.get("/partners/dashboard").path == "/partners/login"
    assert browse.get(path + "x").status == 410


def test_a_changed_browser_ends_the_session(principal):
    firefox = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/140.0"}
    assert principal.get("/partners/dashboard", headers=firefox).path == "/partners/login"


# MARK: Languages


def test_there_is_no_question_about_the_one_language(principal):
    assert principal.get("/partners/profile").html.css("[name=locale]") == []


def test_a_language_with_a_catalogue_can_be_chosen_and_is_kept(app_with, settings, amara, tmp_path):
    catalogue = tmp_path / "de" / "LC_MESSAGES" / "messages.mo"
    catalogue.parent.mkdir(parents=True)
    with catalogue.open("wb") as file:
        write_mo(file, Catalog(locale="de"))
    visitor = Visitor(app_with(translations=tmp_path), settings.base_url)
    visitor.keep_cookie("pp", make.session(amara))

    page = visitor.get("/partners/profile")
    page = page.submit("Save and continue", full_name="Amara Okafor", locale="Deutsch")
    assert fresh(amara.person).locale == "de"
    assert page.html.root.attributes["lang"] == "de"
