"""What somebody with bad intentions tried, each once as a test: it has to stay refused."""

import pytest
from sqlalchemy import select

from models import AuthEvent, db
from tests import cast, make
from tests.admin.desk import at_desk, fresh
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
