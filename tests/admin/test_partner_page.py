"""The partner's page: what it shows, how the partner is changed, and who may what."""

import pytest
from sqlalchemy import select

from models import (
    EntityStatus,
    Mail,
    MailStatus,
    OrganizationStatus,
    PartnerRole,
    db,
)
from services.transaction import transaction
from tests import cast, make
from tests.admin.desk import at_desk, fresh


@pytest.fixture
def dana(browse):
    return at_desk(browse, cast.DANA)


# MARK: The partner's page


def test_the_page_shows_summary_tree_contacts_invitations_and_history(dana):
    amara = cast.contact(cast.AMARA)
    make.contact(entity=amara.entity, role=PartnerRole.SALESPERSON, overrides={"manage_team": True})
    make.entity("Raikes School", amara.entity.organization, status=EntityStatus.PENDING)
    make.invitation(entity=amara.entity, email=cast.NOAH_EMAIL)
    page = dana.get(f"/admin/partners/{amara.entity.id}")

    assert page.heading == "Admissions Office"
    assert "Amara Okafor" in page
    assert "may manage team" in page
    assert "Raikes School" in page.texts(".tree__one a")
    assert cast.NOAH_EMAIL in page
    assert page.texts(".facts dd")[0] == "2"
    for tab in ("contacts", "invitations", "history"):
        assert dana.get(f"/admin/partners/{amara.entity.id}/{tab}").status == 200


def test_tabs_take_a_fixed_number_of_statements(dana, queries):
    entity = cast.contact(cast.AMARA).entity
    tabs = [f"/admin/partners/{entity.id}{tab}" for tab in ("", "/contacts", "/invitations", "/history")]

    def counted() -> list[int]:
        numbers = []
        for tab in tabs:
            dana.get(tab)
            with queries() as log:
                dana.get(tab)
            numbers.append(len(log))
        return numbers

    make.invitation(entity=entity, email="first@unl.example", send=True)
    few = counted()
    for number in range(8):
        make.contact(entity=entity)
        make.invitation(entity=entity, email=f"p{number}@unl.example", send=True)
        make.entity(f"Office {number}", entity.organization)
    assert counted() == few


def test_what_needs_someone_stands_first(dana, time):
    entity = make.entity(status=EntityStatus.PENDING)
    invitation = make.invitation(entity=entity, email="noah@unl.example", days=3, send=True)
    with transaction():
        mail = db.session.scalars(select(Mail)).one()
        mail.status, mail.last_error = MailStatus.FAILED, "550 no such mailbox"
    page = dana.get(f"/admin/partners/{entity.id}")
    assert "The email to noah@unl.example was not delivered" in page.texts(".todo__one a")
    shown = dana.get(f"/admin/partners/{entity.id}/invitations/{invitation.id}")
    assert "550 no such mailbox" in shown
    time.pass_(days=9)
    dana = at_desk(dana, cast.DANA)
    page = dana.get(f"/admin/partners/{entity.id}")
    assert any("Not activated since" in words for words in page.texts(".todo__one"))


def test_a_note_is_kept_once_and_shown_in_the_activity(dana):
    entity = make.entity()
    page = dana.get(f"/admin/partners/{entity.id}")
    page.submit("Save note", text="Called Amara.\n<b>bold</b>")
    shown = page.submit("Save note", text="Called Amara.\n<b>bold</b>")
    assert shown.texts(".timeline__reason") == ["Called Amara. <b>bold</b>"]
    assert dana.get(f"/admin/partners/{entity.id}").submit("Save note", text=" ").status == 422


def test_editing_shows_both_versions_when_somebody_else_saved_first(dana):
    entity = make.entity()
    first, second = (dana.get(f"/admin/partners/{entity.id}/edit") for _ in range(2))
    first.submit("Save partner", name="Admissions")
    page = second.submit("Save partner", name="Undergraduate Admissions")

    assert page.status == 409
    assert "Admissions" in page.texts("tbody td")
    assert page.find("[name=name]").attributes["value"] == "Undergraduate Admissions"
    assert fresh(entity).name == "Admissions"
    page.submit("Save partner")
    assert fresh(entity).name == "Undergraduate Admissions"


def test_the_organization_is_edited_with_its_own_version(dana):
    entity = make.entity()
    first, second = (dana.get(f"/admin/partners/{entity.id}/organization") for _ in range(2))
    first.submit("Save organization", domain="https://www.unl.edu/")
    assert fresh(entity.organization).domain == "unl.edu"
    assert second.submit("Save organization", name="Nebraska").status == 409


def test_a_partner_is_suspended_resumed_and_offboarded_with_a_reason(dana):
    entity = make.entity()
    where = f"/admin/partners/{entity.id}"
    assert dana.get(f"{where}/suspend").submit(reason="").status == 422
    dana.get(f"{where}/suspend").submit(reason="Unpaid")
    assert fresh(entity).status is EntityStatus.SUSPENDED
    dana.get(f"{where}/resume").submit(reason="Paid")
    assert fresh(entity).status is EntityStatus.ACTIVE
    assert dana.get(f"{where}/offboard").submit(reason="Over").status == 422
    dana.get(f"{where}/suspend").submit(reason="Over")
    page = dana.get(f"{where}/offboard").submit(reason="Over")
    assert fresh(entity).status is EntityStatus.OFFBOARDED
    assert "Generate code" not in page
    dana.get(f"{where}/organization/suspend").submit(reason="Over")
    assert fresh(entity.organization).status is OrganizationStatus.SUSPENDED


@pytest.mark.parametrize("path", ["4711", "4711/edit", "4711/contacts/1/end", "99999999999999999999"])
def test_a_partner_that_is_not_there_is_not_found(dana, path):
    assert dana.get(f"/admin/partners/{path}").status in {400, 404}


def test_a_contact_or_invitation_of_another_partner_is_not_found_here(dana):
    ruth, amara = cast.contact(cast.RUTH), cast.contact(cast.AMARA)
    invitation = make.invitation(entity=ruth.entity)
    assert dana.get(f"/admin/partners/{amara.entity.id}/contacts/{ruth.affiliation.id}/end").status == 404
    assert dana.get(f"/admin/partners/{amara.entity.id}/invitations/{invitation.id}").status == 404


# MARK: Who may what

CHANGES = (
    "new",
    "{e}/edit",
    "{e}/organization",
    "{e}/suspend",
    "{e}/contacts/new",
    "{e}/invitations/{i}/revoke",
)
READS = ("", "{e}", "{e}/contacts", "{e}/invitations", "{e}/history", "{e}/invitations/{i}")
HANDS = (
    "{e}/contacts/{c}/role",
    "{e}/contacts/{c}/overrides",
    "{e}/contacts/{c}/end",
    "{e}/contacts/{c}/sign-out",
)


@pytest.mark.parametrize(
    ("who", "reads", "hands", "changes"),
    [
        (cast.SAM, 200, 200, 200),
        (cast.DANA, 200, 200, 200),
        (cast.PRIYA, 200, 200, 403),
        (cast.INGRID, 200, 403, 403),
        (cast.TOMAS, 403, 403, 403),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_each_role_opens_what_the_table_says(browse, who, reads, hands, changes):
    amara = cast.contact(cast.AMARA)
    invitation = make.invitation(entity=amara.entity)
    visitor = at_desk(browse, who)
    numbers = {"e": amara.entity.id, "i": invitation.id, "c": amara.affiliation.id}
    for paths, status in ((READS, reads), (HANDS, hands), (CHANGES, changes)):
        for path in paths:
            assert visitor.get(f"/admin/partners/{path.format(**numbers)}").status == status, path


def test_no_button_leads_where_the_reader_may_not_go(browse):
    amara = cast.contact(cast.AMARA)
    invitation = make.invitation(entity=amara.entity)
    for who in (cast.DANA, cast.PRIYA, cast.INGRID):
        visitor = at_desk(browse, who)
        for path in (
            "",
            str(amara.entity.id),
            f"{amara.entity.id}/contacts",
            f"{amara.entity.id}/invitations/{invitation.id}",
        ):
            page = visitor.get(f"/admin/partners/{path}")
            links = {node.attributes.get("href") or "" for node in page.html.css("main a[href]")}
            for link in sorted(links):
                if link.startswith("/admin"):
                    assert visitor.get(link).status == 200, (who.name, path, link)


def test_an_auditor_reads_the_invitation_but_not_its_url(browse):
    invitation = make.invitation()
    page = at_desk(browse, cast.INGRID).get(
        f"/admin/partners/{invitation.entity_id}/invitations/{invitation.id}"
    )
    assert "/partners/invitations/" not in page
    assert page.html.css("main form") == []
