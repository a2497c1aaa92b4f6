"""The portal in a real Chromium: with and without scripts, on a desk and on a phone, light and dark."""

import pytest

from tests import cast, make


@pytest.fixture
def amara(app):
    return cast.contact(cast.AMARA)


def signed_in(page, live, who):
    """Whoever has this window is signed in, as the browser that Chromium is."""
    agent = page.evaluate("navigator.userAgent")
    token = make.session(who, *_families(agent))
    page.context.add_cookies([{"name": "pp", "value": token, "url": live.url}])


def _families(agent):
    from web import families

    return families(agent)


@pytest.mark.parametrize("javascript", [True, False])
def test_somebody_invited_comes_in_and_fills_in_who_they_are(window, mailbox, app, javascript):
    make.invitation(email="noah.becker@unl.example", by=cast.staff(cast.DANA), send=True)
    page = window(javascript=javascript, width=360, height=740)
    page.goto(mailbox.latest(to="noah.becker@unl.example").link("/partners/"))
    page.get_by_role("button", name="Accept and sign in").click()

    page.get_by_label("Full name").fill("Noah Becker")
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_label("Description").fill("We admit people.")
    page.get_by_role("button", name="Save and finish").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Hello, Noah"


def test_opening_a_link_with_scripts_on_leaves_it_for_the_button(window, amara):
    token, _code = make.link(amara.person.email)
    scanner = window()
    scanner.goto(f"/partners/login/{token}")
    scanner.wait_for_timeout(500)

    page = window()
    page.goto(f"/partners/login/{token}")
    page.get_by_role("button", name="Sign in", exact=True).click()
    assert page.get_by_role("heading", level=1).inner_text() == "About you"
    assert token not in page.url


def test_a_wrong_form_says_so_first_and_keeps_what_was_typed(window, live, amara):
    page = window(dark=True)
    page.goto("/partners/login")
    signed_in(page, live, amara)
    page.goto("/partners/team/invite")
    page.get_by_label("Work email address").fill("noah@")
    page.get_by_label("Viewer").check()
    page.get_by_role("button", name="Send invitation").click()

    assert page.get_by_role("alert").inner_text().startswith("There is a problem")
    assert page.get_by_label("Work email address").input_value() == "noah@"
    assert page.get_by_label("Viewer").is_checked()


@pytest.mark.parametrize("javascript", [True, False])
def test_the_account_menu_switches_teams_on_a_phone(window, live, amara, javascript):
    make.contact(entity=make.entity("Raikes School of Computer Science"), email=amara.person.email)
    page = window(javascript=True, phone=True)
    page.goto("/partners/login")
    agent = page.evaluate("navigator.userAgent")
    page = window(javascript=javascript, phone=True)
    token = make.session(amara, *_families(agent))
    page.context.add_cookies([{"name": "pp", "value": token, "url": live.url}])
    page.goto("/partners/dashboard")
    page.get_by_role("button", name="Amara Okafor").click()
    page.get_by_role("button", name="Raikes School of Computer Science").click()
    assert "You now work for Raikes School of Computer Science" in page.inner_text("main")


def test_a_row_menu_is_reached_by_keyboard(window, live, amara):
    cast.contact(cast.KOFI)
    page = window()
    page.goto("/partners/login")
    signed_in(page, live, amara)
    page.goto("/partners/team")
    page.locator("summary", has_text="Kofi Mensah").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.get_by_role("heading", level=1).inner_text() == "Change the role of Kofi Mensah"
