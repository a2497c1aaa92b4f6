"""Direct editing at its pages: who may, what a save shows and asks, and what it refuses."""

import re

import pytest
from flask_admin import Admin
from sqlalchemy import select

from admin.table import TableView
from admin.table_forms import is_secret
from models import (
    Affiliation,
    AuditEvent,
    Mail,
    PartnerRole,
    School,
    Staff,
    StaffRole,
    db,
)
from services import audit, people, records
from services.errors import IllegalMove
from services.transaction import transaction
from tests import cast, make
from web import cookie_name

TABLES = ("organizations", "entities", "people", "affiliations", "invitations", "schools", "staff")
LOGS = ("sessions", "links", "auth-events", "mails")


def at_desk(browse, who):
    visitor = browse.another()
    visitor.keep_cookie(cookie_name("staff"), make.desk(cast.staff(who)))
    return visitor


@pytest.fixture
def sam(browse):
    return at_desk(browse, cast.SAM)


@pytest.fixture
def dana(browse):
    return at_desk(browse, cast.DANA)


@pytest.fixture
def priya(browse):
    return at_desk(browse, cast.PRIYA)


@pytest.fixture
def amara(app):
    return cast.contact(cast.AMARA)


def fresh(row):
    db.session.expire_all()
    return db.session.get(type(row), row.id)


def newest_event(verb: str | None = None) -> AuditEvent:
    db.session.expire_all()
    asked = select(AuditEvent).order_by(AuditEvent.id.desc())
    asked = asked.where(AuditEvent.verb == verb) if verb else asked
    return db.session.scalars(asked.limit(1)).one()


def review(visitor, path: str, **fields):
    """Fill the editing form and go to the page that shows what would change."""
    return visitor.submit(f"{path}/edit", "Review changes", **fields)


# MARK: Who may


@pytest.mark.parametrize(
    ("who", "open_tables"),
    [
        (cast.SAM, {*TABLES, *LOGS}),
        (cast.DANA, {*TABLES, *LOGS} - {"staff"}),
        (cast.PRIYA, {"people", "affiliations", "mails"}),
        (cast.TOMAS, set()),
        (cast.INGRID, {"staff", *LOGS}),
    ],
)
def test_each_role_opens_its_tables_and_no_others(browse, app, who, open_tables):
    visitor = at_desk(browse, who)
    opened = {name for name in (*TABLES, *LOGS) if visitor.get(f"/admin/records/{name}/").status == 200}
    assert opened == open_tables


def test_an_auditor_reads_staff_and_edits_none(browse, app):
    ingrid = at_desk(browse, cast.INGRID)
    sam = cast.staff(cast.SAM)
    assert "Edit" not in ingrid.get(f"/admin/records/staff/{sam.id}").texts("main a")
    assert ingrid.get(f"/admin/records/staff/{sam.id}/edit").status == 403


def test_a_stranger_is_led_to_sign_in(browse, app):
    page = browse.get("/admin/records/people/", follow=False)
    assert page.status == 303
    assert page.location.startswith("/admin/login")


def test_logs_have_no_page_to_change_them(app):
    for rule in app.url_map.iter_rules():
        if any(rule.rule.startswith(f"/admin/records/{name}/") for name in LOGS):
            changes = rule.methods - {"GET", "HEAD", "OPTIONS"}
            assert not changes or re.search(r"/(export|retry|views|remove)$", rule.rule), rule


def test_nothing_of_flask_admins_own_is_served(app):
    served = {rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/admin")}
    assert not [rule for rule in served if re.search(r"/(static|ajax|action|delete|details)/", rule)]


def test_no_list_page_form_or_export_names_a_secret(app):
    (admin,) = (each for each in app.extensions["admin"] if isinstance(each, Admin))
    tables = [view for view in admin._views if isinstance(view, TableView)]
    assert len(tables) == len(TABLES) + len(LOGS)
    for view in tables:
        named = {*view.details, *view.column_list, *(view.form_columns or ())}
        assert not {name for name in named if is_secret(name)}
        assert not {"id", "version", "status"} & set(view.form_columns or ())


# MARK: Editing


def test_a_save_shows_first_what_it_changes_and_leaves_before_and_after(dana, amara):
    organization = amara.entity.organization
    path = f"/admin/records/organizations/{organization.id}"

    page = review(dana, path, name="Nebraska  State University", domain="https://www.Nebraska.edu/apply")
    assert page.status == 200
    assert page.heading == "Review changes"
    assert page.texts("tbody tr") == [
        "Name University of Nebraska–Lincoln Nebraska State University",
        "Domain – nebraska.edu",
    ]
    assert fresh(organization).name == "University of Nebraska–Lincoln"

    page = page.submit("Save changes", reason="They renamed themselves")
    assert page.path == path
    assert "Nebraska State University saved" in page
    row = fresh(organization)
    assert (row.name, row.name_key, row.domain) == (
        "Nebraska State University",
        "nebraska state university",
        "nebraska.edu",
    )
    event = newest_event()
    assert (event.verb, event.reason) == ("organization.changed", "They renamed themselves")
    assert event.changes[f"partner_organizations:{row.id}"]["domain"] == [None, "nebraska.edu"]


def test_back_to_editing_keeps_what_was_typed(dana, amara):
    page = review(dana, f"/admin/records/organizations/{amara.entity.organization_id}", name="Half a thought")
    page = page.submit("Back to editing", reason="not yet")
    assert page.find("input[name=name]").attributes["value"] == "Half a thought"


def test_a_save_without_a_change_changes_nothing(dana, amara):
    before = newest_event().id
    page = review(dana, f"/admin/records/entities/{amara.entity.id}")
    assert "Nothing was changed." in page
    assert newest_event().id == before


def test_people_need_a_reason(dana, amara):
    page = review(dana, f"/admin/records/people/{amara.person.id}", title="Director")
    page = page.submit("Save changes")
    assert page.status == 422
    assert page.errors == {"reason": "Error: Enter the reason for this change"}
    assert fresh(amara.person).title == ""
    page = page.submit("Save changes", reason="She was promoted")
    assert fresh(amara.person).title == "Director"
    assert newest_event("person.changed").reason == "She was promoted"


def test_another_address_ends_sessions_and_is_matched_in_its_canonical_form(dana, browse, amara):
    visitor = browse.another()
    visitor.keep_cookie(cookie_name("pp"), make.session(amara))
    assert visitor.get("/partners/dashboard").path == "/partners/dashboard"

    page = review(dana, f"/admin/records/people/{amara.person.id}", email=" Amara@Nebraska.example ")
    assert "signed out of every browser" in page
    page.submit("Save changes", reason="New address")

    person = fresh(amara.person)
    assert (person.email, person.email_canonical) == ("Amara@Nebraska.example", "amara@nebraska.example")
    assert person.epoch == 2
    assert visitor.get("/partners/dashboard").path == "/partners/login"


def test_a_taken_address_is_told_at_its_field(dana, amara):
    kofi = cast.contact(cast.KOFI)
    page = review(dana, f"/admin/records/people/{amara.person.id}", email=kofi.person.email.upper())
    assert page.status == 422
    assert page.errors == {"email": "Error: Kofi Mensah has this address already"}


def test_look_alike_addresses_are_refused_at_their_field(dana, amara):
    page = review(dana, f"/admin/records/people/{amara.person.id}", email="аmara@unl.example")
    assert page.status == 422
    assert "email" in page.errors


def test_a_role_changed_here_is_told_like_any_other(dana, amara):
    kofi = cast.contact(cast.KOFI)
    page = review(dana, f"/admin/records/affiliations/{kofi.affiliation.id}", role="finance")
    page.submit("Save changes", reason="He moved")
    assert fresh(kofi.affiliation).role is PartnerRole.FINANCE
    event = newest_event("contact.role_changed")
    assert (event.facts["before"], event.facts["after"], event.reason) == (
        "salesperson",
        "finance",
        "He moved",
    )
    assert db.session.scalar(select(Mail.id).where(Mail.verb == "contact.role_changed"))


def test_overrides_are_granted_and_taken_away_one_by_one(dana, amara):
    kofi = cast.contact(cast.KOFI)
    path = f"/admin/records/affiliations/{kofi.affiliation.id}"
    fields = {"permissions-manage_team": "yes", "permissions-view_amounts": "no"}
    review(dana, path, **fields).submit("Save changes", reason="Covers for Amara")
    assert fresh(kofi.affiliation).permissions == {"manage_team": True, "view_amounts": False}
    review(dana, path, **{"permissions-manage_team": ""}).submit("Save changes", reason="She is back")
    assert fresh(kofi.affiliation).permissions == {"view_amounts": False}


def test_support_names_ticket_and_identity_for_affiliations(priya, amara):
    page = review(priya, f"/admin/records/affiliations/{amara.affiliation.id}", role="viewer")
    page = page.submit("Save changes", reason="Asked by phone")
    assert page.status == 422
    assert "ticket" in page.errors
    page = page.submit("Save changes", reason="Asked by phone", ticket="1042", identity_verified=True)
    assert fresh(amara.affiliation).role is PartnerRole.VIEWER
    assert newest_event("contact.role_changed").facts["ticket"] == "1042"


def test_an_ended_affiliation_is_history(dana, amara):
    sam = cast.staff(cast.SAM)
    with transaction():
        people.end(actor=sam, affiliation=db.session.get(Affiliation, amara.affiliation.id))
    page = dana.get(f"/admin/records/affiliations/{amara.affiliation.id}/edit")
    assert page.path == f"/admin/records/affiliations/{amara.affiliation.id}"
    assert "has ended" in page


def test_a_school_is_made_and_found_for_an_entity_without_scripts(dana, amara):
    page = dana.submit(
        "/admin/records/schools/new", name="Lincoln East", city="Lincoln", country="us", code="LE1"
    )
    assert page.status == 200
    school = db.session.scalar(select(School))
    assert (school.country, school.name_key) == ("US", "lincoln east")

    entity = amara.entity
    page = review(dana, f"/admin/records/entities/{entity.id}", school_id_text="linc")
    assert page.status == 422
    assert page.texts(".typeahead__choices .choice") == ["Lincoln East Lincoln"]
    page = page.submit("Review changes", school_id=school.id)
    assert page.texts("tbody tr") == ["Linked school – Lincoln East"]
    page.submit("Save changes")
    assert fresh(entity).school_id == school.id
    assert newest_event().facts["school_id"] == [None, "Lincoln East"]


def test_suggestions_need_two_letters_and_end_at_twenty(dana, app):
    for number in range(30):
        make.organization(f"Prairie College {number}")
    assert dana.get("/admin/records/organizations/lookup?q=p").json == []
    found = dana.get("/admin/records/organizations/lookup?q=prai").json
    assert len(found) == 20
    assert set(found[0]) == {"id", "label", "hint"}


# MARK: Two at once


def test_an_older_version_is_refused_with_both_shown_and_nothing_lost(dana, sam, amara):
    entity = amara.entity
    path = f"/admin/records/entities/{entity.id}"
    opened = dana.get(f"{path}/edit")
    review(sam, path, website="unl.example", address="1410 Q Street").submit("Save changes")

    page = opened.submit("Review changes", name="Office of Admissions", address="313 N 13th Street")
    assert page.status == 409
    assert "Sam Whitfield saved this record" in page
    assert page.texts("tbody tr") == [
        "Name Admissions Office Office of Admissions",
        "Website https://unl.example not changed by you",
        "Address 1410 Q Street 313 N 13th Street",
    ]
    assert fresh(entity).name == "Admissions Office"

    page.submit("Review changes").submit("Save changes")
    row = fresh(entity)
    assert (row.name, row.website, row.address) == (
        "Office of Admissions",
        "https://unl.example",
        "313 N 13th Street",
    )


def test_a_save_after_the_review_is_refused_as_well(dana, sam, amara):
    path = f"/admin/records/entities/{amara.entity.id}"
    page = review(dana, path, address="313 N 13th Street")
    review(sam, path, address="1410 Q Street").submit("Save changes")
    assert page.submit("Save changes").status == 409
    assert fresh(amara.entity).address == "1410 Q Street"


def test_pressing_save_twice_is_no_conflict(dana, amara):
    page = review(dana, f"/admin/records/entities/{amara.entity.id}", address="313 N 13th Street")
    page.submit("Save changes")
    again = page.submit("Save changes")
    assert again.status == 200
    assert fresh(amara.entity).address == "313 N 13th Street"


# MARK: Staff


def other_admin() -> Staff:
    """An administrator whose account was closed a moment ago, while their request was on its way."""
    return Staff(id=9999, full_name="Elsewhere", email="e@x.test", role=StaffRole.ADMIN, is_active=True)


def test_nobody_changes_their_own_role(sam, app):
    make.staff(StaffRole.ADMIN)
    me = cast.staff(cast.SAM)
    page = review(sam, f"/admin/records/staff/{me.id}", role="auditor")
    assert page.status == 403
    assert "Another administrator" in page


@pytest.mark.usefixtures("app")
def test_the_last_administrator_stays():
    sam, other = cast.staff(cast.SAM), make.staff(StaffRole.ADMIN)
    values = {"full_name": sam.full_name, "email": sam.email, "is_active": True, "time_zone": None}
    with transaction():  # the other one was demoted between the guard and the save
        row = db.session.get(Staff, other.id)
        row.role = StaffRole.CONTENT
        audit.record(actor=sam, verb="staff.changed", subject=row)
    with pytest.raises(IllegalMove, match="only administrator"), transaction():
        records.save(
            actor=other_admin(),
            model=Staff,
            record_id=sam.id,
            version=sam.version,
            values={**values, "role": StaffRole.AUDITOR},
        )


def test_another_role_ends_the_sessions_of_a_colleague(sam, browse, app):
    dana = at_desk(browse, cast.DANA)
    assert dana.get("/admin/").path == "/admin/"
    review(sam, f"/admin/records/staff/{cast.staff(cast.DANA).id}", role="support").submit("Save changes")
    assert dana.get("/admin/").path == "/admin/login"
