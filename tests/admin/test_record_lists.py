"""The lists of records: searched, filtered, saved, exported, and asked for what nobody asks for."""

import pytest
from sqlalchemy import select

from models import AuditEvent, Entity, Organization, Person, StaffRole, db
from tests import cast, make
from tests.admin.hostile import HOSTILE
from tests.admin.test_records import LOGS, TABLES, at_desk, fresh, newest_event


@pytest.fixture
def sam(browse):
    return at_desk(browse, cast.SAM)


@pytest.fixture
def dana(browse):
    return at_desk(browse, cast.DANA)


@pytest.fixture
def amara(app):
    return cast.contact(cast.AMARA)


def test_records_are_searched_filtered_and_sorted(dana, amara):
    cast.contact(cast.RUTH)
    assert dana.get("/admin/records/people/?q=amara").texts("tbody th") == ["Amara Okafor"]
    assert dana.get("/admin/records/people/?q=lincolneast").texts("tbody th") == ["Ruth Alvarez"]
    page = dana.get("/admin/records/people/?sort=full_name&active=yes")
    assert page.texts("tbody th") == ["Amara Okafor", "Ruth Alvarez"]
    assert page.texts(".chip") == ["Remove filter Status: Active"]
    page = dana.get("/admin/records/people/?q=nobody+at+all")
    assert "No people match" in page
    assert page.follow("Clear filters").texts("tbody th")


def test_a_view_of_the_list_is_saved_and_removed(dana, amara):
    page = dana.submit("/admin/records/people/?active=yes", "Save view", name="Mine", is_shared=True)
    assert page.texts(".tabs__link") == ["All", "Mine"]
    assert page.find(".tabs__link[aria-current]").text(strip=True) == "Mine"
    page = page.submit("Remove view")
    assert page.texts(".tabs__link") == []


def test_an_export_is_streamed_harmless_and_recorded(dana, amara):
    make.organization("=HYPERLINK(1)", domain="unl.edu")
    page = dana.submit("/admin/records/organizations/?q=hyperlink", "Export")
    assert page.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert page.body.decode().splitlines()[1].startswith('"\'=HYPERLINK(1)","active"')
    assert len(page.body.decode().splitlines()) == 2
    event = newest_event("record.exported")
    assert (event.facts["count"], event.facts["what"]) == (1, "organizations")


def test_an_export_takes_a_fresh_sign_in_and_leads_back_to_the_list(dana, amara, time):
    time.pass_(minutes=16)
    page = dana.get("/admin/records/people/?active=yes").submit("Export")
    assert page.heading == dana.get("/admin/login/again").heading
    assert "next=" in page.url
    exported = select(AuditEvent.id).where(AuditEvent.verb == "record.exported")
    assert db.session.scalars(exported).all() == []


@pytest.mark.parametrize("path", HOSTILE)
def test_made_up_addresses_never_break_anything(sam, amara, path):
    for name in ("people", "entities", "mails"):
        page = sam.get(path.replace("{}", f"/admin/records/{name}"), follow=False)
        assert page.status in {200, 303, 308, 400, 404, 405}, f"{path}: {page.status}"


def test_no_list_asks_more_with_ten_times_the_rows(sam, queries, amara):
    def counted() -> dict[str, int]:
        found = {}
        for name in (*TABLES, *LOGS):
            with queries() as log:
                assert sam.get(f"/admin/records/{name}/").status == 200
            found[name] = len(log)
        return found

    make.invitation(send=True)
    make.organization("One more")
    few = counted()
    for number in range(12):
        who = make.contact(entity=make.entity(f"Office {number}", f"College {number}"))
        make.session(who)
        make.invitation(send=True)
        make.staff(StaffRole.CONTENT)
    many = counted()
    assert many == few


def test_values_that_are_not_of_the_form_are_not_saved(dana, amara):
    path = f"/admin/records/people/{amara.person.id}/edit"
    page = dana.get(path)
    sent = {
        node.attributes["name"]: node.attributes.get("value") or "" for node in page.html.css("input[name]")
    }
    sent |= {
        "full_name": "X",
        "epoch": "99",
        "id": "7",
        "email_canonical": "x@x.test",
        "step": "save",
        "reason": "r",
    }
    sent["is_active"] = "y"
    dana.post(path, sent, headers={"Sec-Fetch-Site": "same-origin"})
    row = fresh(amara.person)
    assert (row.full_name, row.epoch, row.email_canonical) == ("X", 1, "amara.okafor@unl.example")
    assert db.session.get(Person, 7) is None
    assert db.session.scalars(select(Organization)).all()
    assert db.session.scalars(select(Entity)).all()
