"""Partner Management: the list with its bulk change, and Create New Partner."""

import pytest
from sqlalchemy import select

from models import (
    AuditEvent,
    Entity,
    EntityStatus,
    Invitation,
    Mail,
    Organization,
    OrganizationStatus,
    SavedView,
    School,
    db,
)
from services import audit, people
from services.transaction import transaction
from tests import cast, make
from tests.admin.desk import at_desk, count

UNL = "University of Nebraska–Lincoln"


@pytest.fixture
def dana(browse):
    return at_desk(browse, cast.DANA)


def school(name="Lincoln East High School") -> School:
    with transaction():
        row = School(name=name, name_key=name.lower(), city="Lincoln", region="NE")
        db.session.add(row)
        db.session.flush()
        audit.record(actor=make.PORTICO, verb="school.created", subject=row)
    return row


# MARK: The list


def rows(page) -> list[str]:
    return page.texts("tbody th a")


def test_the_list_shows_organization_type_status_contacts_and_last_activity(dana):
    amara = cast.contact(cast.AMARA)
    make.entity("Scholarships", "Bright Futures", status=EntityStatus.PENDING)
    page = dana.get("/admin/partners/")

    assert rows(page) == ["Scholarships", "Admissions Office"]
    row = page.texts("tbody tr")[1]
    for words in (amara.entity.organization.name, "Active", "University", "Office", " 1 ", "now"):
        assert words in f" {row} " or words == "now"
    assert "Pending" in page.texts("tbody tr")[0]


@pytest.mark.parametrize(
    "needle", ["admiss", "nebraska", "amara.okafor@unl", "Okafor", "noah.becker@unl.example"]
)
def test_partners_are_found_by_name_email_and_code(dana, needle):
    amara = cast.contact(cast.AMARA)
    make.entity("Scholarships", "Bright Futures")
    invitation = make.invitation(entity=amara.entity, email=cast.NOAH_EMAIL)
    assert rows(dana.get(f"/admin/partners/?q={needle}")) == ["Admissions Office"]
    assert rows(dana.get(f"/admin/partners/?q={invitation.invitation_code}")) == ["Admissions Office"]


def test_filters_narrow_by_status_needs_and_types(browse, time):
    make.entity("Old", status=EntityStatus.PENDING)
    time.pass_(days=8)
    new = make.entity("New", "Acme", status=EntityStatus.PENDING)
    make.invitation(entity=new, days=1)
    make.entity("Running")
    make.entity("Asleep", make.organization("Asleep", status=OrganizationStatus.SUSPENDED))
    dana = at_desk(browse, cast.DANA)

    assert set(rows(dana.get("/admin/partners/?status=pending"))) == {"Old", "New"}
    assert rows(dana.get("/admin/partners/?needs=stuck")) == ["Old"]
    assert rows(dana.get("/admin/partners/?needs=uninvited")) == ["Old"]
    assert rows(dana.get("/admin/partners/?needs=invited")) == ["New"]
    assert rows(dana.get("/admin/partners/?needs=expiring")) == ["New"]
    assert rows(dana.get("/admin/partners/?status=suspended")) == ["Asleep"]
    assert rows(dana.get("/admin/partners/?status=active")) == ["Running"]
    assert len(rows(dana.get("/admin/partners/?organization=university&status=nonsense&page=abc"))) == 4


def test_the_list_takes_as_many_statements_for_many_rows_as_for_one(dana, queries):
    cast.contact(cast.AMARA)
    dana.get("/admin/partners/")
    with queries() as few:
        dana.get("/admin/partners/")
    for number in range(12):
        make.contact(entity=make.entity(f"Office {number}", f"Organization {number}"))
    with queries() as many:
        dana.get("/admin/partners/")
    assert len(many) == len(few)


def test_what_is_filtered_is_exported_and_leaves_a_trace(dana):
    make.entity("=HYPERLINK(1)")
    make.entity("Waiting", status=EntityStatus.PENDING)
    page = dana.get("/admin/partners/?status=active").submit("Export")
    text = page.body.decode("utf-8-sig")
    assert "'=HYPERLINK(1)" in text
    assert "Waiting" not in text
    assert UNL in text
    assert "record.exported" in db.session.scalars(select(AuditEvent.verb)).all()


def test_a_view_is_saved_and_removed(dana):
    make.entity(status=EntityStatus.PENDING)
    page = dana.get("/admin/partners/?q=admissions&sort=name").submit("Save view", name="Mine by name")
    assert page.path == "/admin/partners/"
    assert "Mine by name" in page.texts(".tabs__link")
    view = db.session.scalars(select(SavedView)).one()
    dana.get(f"/admin/partners/?{view.query.removeprefix('?')}").submit("Remove view")
    assert count(SavedView) == 0


def test_bulk_says_first_what_will_and_will_not_be_done(dana):
    waiting = make.entity("Waiting", status=EntityStatus.PENDING)
    make.invitation(entity=waiting, email="noah@unl.example")
    active = cast.contact(cast.AMARA).entity
    asked = dana.get("/admin/partners/").submit("bulk", id=[str(waiting.id), str(active.id)], verb="resend")
    assert asked.heading == "Resend 1 invitation"
    assert "it is already active" in asked
    assert count(Mail) == 0

    done = asked.submit("Resend 1 invitation")
    assert done.heading == "Invitations resent"
    assert count(Mail) == 1
    assert count(Invitation) == 2
    asked.submit("Resend 1 invitation")  # pressed twice
    assert count(Mail) == 1


def test_bulk_with_nothing_selected_changes_nothing(dana):
    make.entity()
    page = dana.get("/admin/partners/").submit("bulk", verb="resend")
    assert page.path == "/admin/partners/"
    assert "Select the partners first" in page


# MARK: A new partner


def new_partner(visitor, **fields):
    given = {
        "organization_id_text": UNL,
        "organization_kind": "university",
        "entity_name": "Admissions Office",
        "entity_kind": "admissions",
    }
    return visitor.get("/admin/partners/new").submit("Create partner", **{**given, **fields})


def test_one_page_makes_organization_entity_and_invitation(dana):
    page = new_partner(dana, admin_email="amara@unl.example", days="14")
    invitation = db.session.scalars(select(Invitation)).one()
    entity = db.session.scalars(select(Entity)).one()

    assert page.path == f"/admin/partners/{entity.id}/invitations/{invitation.id}"
    assert entity.status is EntityStatus.PENDING
    assert invitation.invitation_code in page
    assert people.invitation_url(invitation) in page
    for way in ("Secure email", "Scheduled call", "Partner portal"):
        assert way in page
    assert count(Mail) == 1
    assert "Pending" in dana.get("/admin/partners/").texts("tbody tr")[0]


def test_without_an_administrator_it_leads_to_the_partner(dana):
    page = new_partner(dana)
    assert page.heading == "Admissions Office"
    assert "Nobody is invited yet" in page


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"organization_id_text": ""}, "organization_id_text"),
        ({"organization_kind": ""}, "organization_kind"),
        ({"entity_name": ""}, "entity_name"),
        ({"entity_kind": ""}, "entity_kind"),
        ({"admin_email": "amara at unl"}, "admin_email"),
        ({"admin_email": "amara@unl.example", "days": "61"}, "days"),
        ({"admin_email": "amara@unl.example", "days": "0"}, "days"),
        ({"organization_domain": "x x"}, "organization_domain"),
    ],
)
def test_what_is_wrong_is_shown_at_its_field_and_what_was_typed_stays(dana, fields, wrong):
    page = new_partner(dana, **fields)
    assert page.status == 422
    assert wrong in page.errors
    if "entity_name" not in fields:
        assert page.find("[name=entity_name]").attributes["value"] == "Admissions Office"
    assert count(Organization) == count(Entity) == count(Mail) == 0


def test_another_spelling_warns_and_the_one_that_is_there_can_be_used(dana):
    there = make.organization(UNL)
    page = new_partner(dana, organization_id_text="University of Nebraska - Lincoln", entity_name="Raikes")
    assert page.status == 422
    assert "A similar organization exists" in page
    assert count(Entity) == 0

    page = page.submit("form.stack", button=f"Use this one: {UNL}")
    assert page.find("[name=entity_name]").attributes["value"] == "Raikes"
    page.submit("Create partner", button="Create partner")
    assert db.session.scalars(select(Entity)).one().organization_id == there.id
    assert count(Organization) == 1


def test_a_different_organization_of_a_similar_name_is_made_when_somebody_says_so(dana):
    make.organization(UNL)
    page = new_partner(dana, organization_id_text="University of Nebraska at Lincoln")
    assert page.status == 422
    page.submit("Create partner", button="Create partner", is_separate=True)
    assert count(Organization) == 2


def test_a_chosen_organization_needs_no_type(dana):
    there = make.organization(UNL)
    page = dana.get(f"/admin/partners/new?organization={there.id}")
    assert UNL in page
    page = page.submit("Create partner", button="Create partner", entity_name="Raikes", entity_kind="program")
    assert page.heading == "Raikes"


def test_a_school_is_searched_and_chosen_without_a_script(dana):
    wanted = school()
    page = new_partner(dana, school_id_text="lincoln")
    assert page.status == 422
    page.submit("Create partner", button="Create partner", school_id=str(wanted.id))
    assert db.session.scalars(select(Entity)).one().school_id == wanted.id


def test_two_presses_make_one_partner(dana):
    page = dana.get("/admin/partners/new")
    fields = {
        "organization_id_text": UNL,
        "organization_kind": "university",
        "entity_name": "Admissions Office",
        "entity_kind": "admissions",
        "admin_email": "amara@unl.example",
    }
    first = page.submit("Create partner", **fields)
    second = page.submit("Create partner", **fields)
    assert first.path == second.path
    assert count(Organization) == count(Entity) == count(Invitation) == count(Mail) == 1


def test_the_searching_fields_answer_at_most_twenty(dana):
    for number in range(25):
        make.organization(f"University of Town {number}")
        school(f"High School {number}")
    assert len(dana.get("/admin/partners/organizations.json?q=university").json) == 20
    assert len(dana.get("/admin/partners/schools.json?q=high").json) == 20
    assert dana.get("/admin/partners/schools.json?q=%25_").json == []
