"""The tabs of a partner with more rows than a page holds: nobody falls off the end."""

import pytest

from admin import partner_page
from tests import cast, make
from tests.admin.desk import at_desk


@pytest.fixture(autouse=True)
def short_pages(monkeypatch):
    monkeypatch.setattr(partner_page, "TAB_SIZE", 2)


@pytest.fixture
def dana(browse):
    return at_desk(browse, cast.DANA)


def test_contacts_are_paged_and_the_invited_come_last(dana):
    entity = make.entity()
    for number in range(5):
        make.contact(entity=entity, email=f"person{number}@unl.example")
    make.invitation(entity=entity, email="noah@unl.example", by=cast.staff(cast.DANA))
    path, seen = f"/admin/partners/{entity.id}/contacts", []
    page = dana.get(path)
    assert "noah@unl.example" not in page
    for _ in range(2):
        seen += page.texts("tbody th")
        page = page.follow("Next")
    seen += page.texts("tbody th")
    assert len(seen) == 6
    assert "noah@unl.example" in page
    assert dana.get(f"{path}?page=99").text == dana.get(path).text


def test_invitations_are_paged(dana):
    entity = make.entity()
    for number in range(3):
        make.invitation(entity=entity, email=f"noah{number}@unl.example", by=cast.staff(cast.DANA))
    page = dana.get(f"/admin/partners/{entity.id}/invitations")
    assert "1–2" in page
    assert "noah0@unl.example" in page.follow("Next")
    for odd in ("0", "-1", "x", "99999999999", "²"):
        assert "1–2" in dana.get(f"/admin/partners/{entity.id}/invitations?page={odd}")
