"""Partner Management at its pages: the list, the new partner, the partner's page, invitations, contacts."""

import re

import pytest
from sqlalchemy import func, select

from models import (
    Affiliation,
    AuditEvent,
    AuthEvent,
    Entity,
    EntityStatus,
    Invitation,
    InvitationStatus,
    Mail,
    MailStatus,
    Organization,
    OrganizationStatus,
    PartnerRole,
    Person,
    SavedView,
    School,
    Session,
    db,
)
from services import audit, people
from services.transaction import transaction
from tests import cast, make
from web import cookie_name

UNL = "University of Nebraska–Lincoln"


def at_desk(browse, who):
    visitor = browse.another()
    visitor.keep_cookie(cookie_name("staff"), make.desk(cast.staff(who)))
    return visitor


@pytest.fixture
def dana(browse):
    return at_desk(browse, cast.DANA)


@pytest.fixture
def priya(browse):
    return at_desk(browse, cast.PRIYA)


def count(model) -> int:
    db.session.expire_all()
    return db.session.scalar(select(func.count()).select_from(model))


def fresh(row):
    db.session.expire_all()
    return db.session.get(type(row), row.id)


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


# MARK: Invitations


def test_generate_code_makes_a_code_and_url_without_a_mail(dana):
    entity = make.entity(status=EntityStatus.PENDING)
    page = dana.get(f"/admin/partners/{entity.id}").follow("Generate code")
    page = page.submit("Generate code", email=" Amara@UNL.example ", role="principal", days="7", send=False)
    invitation = db.session.scalars(select(Invitation)).one()
    assert re.fullmatch(r"INV-[A-Z0-9]{5}", page.texts(".share__code code")[0])
    assert people.invitation_url(invitation) in page
    assert "Not emailed" in page
    assert count(Mail) == 0


def test_an_address_that_is_in_the_team_gets_told_so(dana):
    amara = cast.contact(cast.AMARA)
    page = dana.get(f"/admin/partners/{amara.entity.id}/contacts/new")
    page = page.submit("Generate code", email="AMARA.okafor@unl.example", role="viewer")
    assert page.status == 422
    assert "already" in page.errors["email"]


def test_two_presses_make_one_invitation(dana):
    entity = make.entity()
    page = dana.get(f"/admin/partners/{entity.id}/contacts/new")
    first = page.submit("Generate code", email="noah@unl.example", role="viewer")
    second = page.submit("Generate code", email="noah@unl.example", role="viewer")
    assert first.path == second.path
    assert count(Invitation) == count(Mail) == 1


def test_an_invitation_is_resent_renewed_and_cancelled(dana):
    entity = make.entity()
    invitation = make.invitation(entity=entity, email="noah@unl.example")
    where = f"/admin/partners/{entity.id}/invitations/{invitation.id}"
    page = dana.get(where).submit("Resend invitation")
    assert fresh(invitation).status is InvitationStatus.SUPERSEDED
    assert people.invitation_url(invitation) == ""
    assert "A newer invitation replaced this one" in dana.get(where)
    renewed = page.submit("Renew invitation", days="30")
    assert renewed.path != page.path
    assert page.submit("Renew invitation", days="30").path == renewed.path
    assert page.submit("Renew invitation", days="99").status == 422
    cancelled = renewed.follow("Cancel invitation").submit("Cancel invitation", reason="Wrong person")
    states = db.session.scalars(select(Invitation.status).order_by(Invitation.id)).all()
    assert states[-1] is InvitationStatus.REVOKED
    assert "Revoked" in cancelled


def test_the_contacts_table_resends_an_invite_in_one_press(dana):
    entity = make.entity()
    make.invitation(entity=entity, email="noah@unl.example")
    dana.get(f"/admin/partners/{entity.id}").submit("form[action$='/resend']")
    assert count(Mail) == 1


def test_the_fate_of_the_mail_is_told_from_queued_to_accepted(dana, mailbox):
    entity = make.entity()
    invitation = make.invitation(entity=entity, email="noah@unl.example", send=True)
    where = f"/admin/partners/{entity.id}/invitations"
    assert "Email queued" in dana.get(where).texts("tbody tr")[0]
    token = make.mailed(invitation)
    assert "Email sent" in dana.get(where).texts("tbody tr")[0]
    dana.another().get(f"/partners/login/{token}")
    assert db.session.scalar(select(func.count()).select_from(AuthEvent)) >= 1
    assert "Link opened" in dana.get(where).texts("tbody tr")[0]
    with transaction():
        people.accept(invitation=invitation, email_canonical="noah@unl.example")
    assert "Accepted" in dana.get(where).texts("tbody tr")[0]


# MARK: Contacts


def test_a_role_is_changed_with_a_reason(dana):
    kofi = cast.contact(cast.KOFI)
    where = f"/admin/partners/{kofi.entity.id}/contacts/{kofi.affiliation.id}/role"
    assert dana.get(where).submit("Change role", role="viewer").errors["reason"]
    page = dana.get(where).submit("Change role", role="viewer", reason="Moved to finance")
    assert page.path.endswith("/contacts")
    assert fresh(kofi.affiliation).role is PartnerRole.VIEWER
    event = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert (event.verb, event.reason) == ("contact.role_changed", "Moved to finance")


def test_overrides_are_given_taken_and_never_hidden(dana):
    kofi = cast.contact(cast.KOFI)
    where = f"/admin/partners/{kofi.entity.id}/contacts/{kofi.affiliation.id}/overrides"
    first, second = dana.get(where), dana.get(where)
    fields = {"may_manage_team": "yes", "may_view_amounts": "no", "reason": "Stands in"}
    page = first.submit("Save permissions", **fields)
    assert fresh(kofi.affiliation).permissions == {"manage_team": True, "view_amounts": False}
    assert "may not view amounts" in page
    assert second.submit("Save permissions", reason="Late").status == 422
    assert fresh(kofi.affiliation).permissions == {"manage_team": True, "view_amounts": False}


def test_support_names_reason_ticket_and_a_verified_identity(priya):
    kofi = cast.contact(cast.KOFI)
    cast.contact(cast.AMARA)
    where = f"/admin/partners/{kofi.entity.id}/contacts/{kofi.affiliation.id}"
    page = priya.get(f"{where}/role").submit("Change role", role="viewer", reason="Asked")
    assert set(page.errors) == {"ticket", "identity_verified"}
    page = page.submit("Change role", ticket="1042", identity_verified=True)
    assert fresh(kofi.affiliation).role is PartnerRole.VIEWER
    priya.get(f"{where}/end").submit("End access", reason="Left", ticket="1043", identity_verified=True)
    assert fresh(kofi.affiliation).ended_at is not None


def test_a_contact_is_signed_out_everywhere(dana):
    kofi = cast.contact(cast.KOFI)
    make.session(kofi)
    where = f"/admin/partners/{kofi.entity.id}/contacts/{kofi.affiliation.id}/sign-out"
    dana.get(where).submit("Sign out everywhere", reason="Lost laptop")
    assert fresh(kofi.person).epoch == 2
    assert db.session.scalars(select(Session.revoked_at).where(Session.person_id == kofi.person.id)).one()


def test_ending_the_last_principal_is_warned_of(dana):
    amara = cast.contact(cast.AMARA)
    where = f"/admin/partners/{amara.entity.id}/contacts/{amara.affiliation.id}/end"
    page = dana.get(where)
    assert "This is the last principal" in page
    shown = page.submit("End access", reason="Left")
    assert "Ended" in shown
    assert db.session.scalars(select(Affiliation.ended_at)).one() is not None
    assert count(Person) == 1


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
