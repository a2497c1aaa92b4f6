"""The main pages of both doors under axe-core: nothing that WCAG 2 at level AA would call a barrier.

On a desk and on a phone, in light and dark. What axe cannot see (order, wording, sense) is for
people to look at.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from models import PartnerRole
from services import notes, people
from services.transaction import transaction
from tests import cast, make
from web import cookie_name, families

LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
#: By colour scheme: whatever is wrong is wrong in both, but for colours.
RULES = {"light": LEVELS, "dark": ["color-contrast"]}
SIZES = {"desk": {}, "phone": {"phone": True, "width": 390, "height": 844}}


@pytest.fixture(scope="module")
def axe() -> Any:
    """The engine, which its package carries along; loaded when a browser is open anyway."""
    from axe_playwright_python.sync_playwright import Axe

    return Axe()


def violations(axe: Any, page) -> Iterator[str]:
    """What axe finds on the page that is open, a line for each element."""
    for scheme, rules in RULES.items():
        page.emulate_media(color_scheme=scheme)
        options = {"runOnly": rules, "resultTypes": ["violations"]}
        for rule in axe.run(page, options=options).response["violations"]:
            for node in rule["nodes"]:
                told = " ".join(node["failureSummary"].split())
                yield f"{page.url} in {scheme}, {rule['id']}: {node['html'][:200]} ({told[:300]})"


def look_at(axe: Any, page, paths) -> None:
    wrong: list[str] = []
    for path in paths:
        page.goto(path)
        wrong += violations(axe, page)
    assert not wrong, "\n".join(wrong)


def come_in(page, live, name: str, make_session, who) -> None:
    token = make_session(who, *families(page.evaluate("navigator.userAgent")))
    page.context.add_cookies([{"name": cookie_name(name), "value": token, "url": live.url}])


def test_a_barrier_is_seen_in_each_colour_scheme(page, live, axe):
    page.goto("/partners/login")
    page.evaluate(
        """() => {
            document.querySelector("label").htmlFor = "nothing";
            document.querySelector("h1").style.color = "#ff6666";
            document.querySelector("h1").style.backgroundColor = "#ff0000";
        }"""
    )
    found = "\n".join(violations(axe, page))
    assert "in light, label" in found
    assert "in light, color-contrast" in found
    assert "in dark, color-contrast" in found


@pytest.mark.parametrize("size", SIZES)
def test_nothing_of_the_portal_is_a_barrier(window, live, axe, size, app):
    amara = cast.contact(cast.AMARA)
    cast.contact(cast.KOFI)
    make.contact(entity=amara.entity, role=PartnerRole.VIEWER, overrides={"manage_team": True})
    make.contact(entity=make.entity("Raikes School"), email=amara.person.email)
    invitation = make.invitation(entity=amara.entity, by=cast.staff(cast.DANA), send=True)
    token, _code = make.link(amara.person.email)
    page = window(**SIZES[size])
    look_at(
        axe,
        page,
        (
            "/partners/login",
            "/partners/login/check",
            f"/partners/login/{token}",
            "/partners/login/nothing",
            "/partners/invitations",
            f"/partners/login/{make.mailed(invitation)}",
            people.invitation_url(invitation),
            "/partners/nowhere",
        ),
    )
    come_in(page, live, "pp", make.session, amara)
    look_at(
        axe,
        page,
        (
            "/partners/dashboard",
            "/partners/profile",
            "/partners/profile/entity",
            "/partners/team",
            "/partners/team/invite",
            "/partners/sessions",
        ),
    )
    page.goto("/partners/team/invite")
    page.get_by_role("button", name="Send invitation").click()
    wrong = list(violations(axe, page))
    page.get_by_role("button", name="account").click()
    assert wrong + list(violations(axe, page)) == []


@pytest.mark.parametrize("size", SIZES)
def test_nothing_of_the_desk_is_a_barrier(window, live, axe, size, app):
    amara, dana = cast.contact(cast.AMARA), cast.staff(cast.SAM)
    cast.contact(cast.KOFI)
    invitation = make.invitation(entity=amara.entity, by=dana, send=True)
    with transaction():
        notes.add(actor=dana, entity=amara.entity, body="They like to be called in the morning.")
    partner = f"/admin/partners/{amara.entity.id}"
    page = window(**SIZES[size])
    look_at(axe, page, ("/admin/login", "/admin/password"))
    come_in(page, live, "staff", make.desk, dana)
    look_at(
        axe,
        page,
        (
            "/admin/",
            "/admin/partners/",
            "/admin/partners/new",
            partner,
            f"{partner}/contacts",
            f"{partner}/contacts/new",
            f"{partner}/contacts/{amara.affiliation.id}/overrides",
            f"{partner}/history",
            f"{partner}/invitations/{invitation.id}",
            "/admin/records/people/",
            f"/admin/records/people/{amara.person.id}",
            f"/admin/records/affiliations/{amara.affiliation.id}/edit",
            "/admin/records/mails/",
            "/admin/audit/",
            "/admin/settings/staff/",
            "/admin/settings/brand/",
            "/admin/account/",
            "/admin/account/second-factor",
            "/admin/nowhere",
        ),
    )
    page.goto("/admin/partners/new")
    page.get_by_role("button", name="Create partner").last.click()
    assert list(violations(axe, page)) == []
