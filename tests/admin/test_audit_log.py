"""The audit log at its pages: found by person, partner, verb and day; each event whole; proven on request."""

import pytest
from sqlalchemy import select, text

from models import AuditEvent, Mail, MailStatus, db
from services import people
from services.transaction import transaction
from tests import cast, make
from web import cookie_name


def at_desk(browse, who):
    visitor = browse.another()
    visitor.keep_cookie(cookie_name("staff"), make.desk(cast.staff(who)))
    return visitor


@pytest.fixture
def ingrid(browse):
    return at_desk(browse, cast.INGRID)


@pytest.fixture
def amara(app):
    return cast.contact(cast.AMARA)


def did(page) -> list[str]:
    """What the rows say was done, newest first."""
    return page.texts("tbody tr td:nth-of-type(2)")


@pytest.mark.parametrize(("who", "status"), [(cast.DANA, 200), (cast.PRIYA, 403), (cast.TOMAS, 403)])
def test_the_log_opens_to_those_who_read_it(browse, amara, who, status):
    visitor = at_desk(browse, who)
    assert visitor.get("/admin/audit/").status == status
    assert visitor.post("/admin/audit/verify", headers={"Sec-Fetch-Site": "same-origin"}).status in {400, 403}


def test_it_is_found_by_person_partner_verb_and_day(ingrid, amara):
    cast.contact(cast.RUTH)
    page = ingrid.get(f"/admin/audit/?person={amara.person.id}")
    assert all("Amara Okafor" in row for row in did(page))
    assert len(did(page)) == 2
    page = ingrid.get(f"/admin/audit/?entity={amara.entity.id}&verb=contact.added")
    assert did(page) == ["Contact added Amara Okafor"]
    assert page.texts(".chip") == [
        "Remove filter Partner: Admissions Office",
        "Remove filter Verb: Contact added",
    ]
    assert "No events match" in ingrid.get("/admin/audit/?until=1990-01-01")
    page = ingrid.get(f"/admin/audit/?record=partner_users:{amara.person.id}")
    assert did(page) == ["Person created Amara Okafor"]


def test_without_scripts_a_person_is_found_by_typing(ingrid, amara):
    page = ingrid.get("/admin/audit/?person_text=oka")
    assert page.texts(".typeahead__choices .choice__text") == ["Amara Okafor amara.okafor@unl.example"]


def test_an_event_shows_before_after_and_why(ingrid, amara):
    sam = cast.staff(cast.SAM)
    with transaction():
        people.change_role(actor=sam, affiliation=amara.affiliation, role="viewer", reason="She asked")
    event = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    page = ingrid.get(f"/admin/audit/{event.id}")
    assert page.texts("tbody tr") == ["Role principal viewer"]
    assert "She asked" in page
    assert "Hash fits" in page
    assert event.hash in page


def test_an_altered_event_says_so(ingrid, amara):
    if db.session.get_bind().dialect.name == "postgresql":
        db.session.execute(text("SET LOCAL session_replication_role = replica"))
    else:
        db.session.execute(text("DROP TRIGGER audit_events_no_update"))
    db.session.execute(text("UPDATE audit_events SET actor_label = 'Nobody' WHERE id = 2"))
    db.session.commit()
    assert "Altered" in ingrid.get("/admin/audit/2")
    page = ingrid.submit("/admin/audit/", "Verify now")
    assert page.heading == "The audit log was tampered with"
    assert "Event 2: was changed after it was written." in page


def test_a_whole_log_is_proven_on_request(ingrid, amara):
    page = ingrid.submit("/admin/audit/", "Verify now")
    assert page.heading == "The audit log is whole"


def test_the_log_costs_the_same_with_ten_times_the_events(ingrid, amara, queries):
    counted = []
    for number in (1, 12):
        for each in range(number):
            make.organization(f"College {number} {each}")
        with queries() as log:
            ingrid.get("/admin/audit/")
        counted.append(len(log))
    assert counted[0] == counted[1]


@pytest.mark.parametrize("path", ["/admin/audit/99999999999999999999", "/admin/audit/0", "/admin/audit/abc"])
def test_an_event_that_is_none_is_not_found(ingrid, path):
    assert ingrid.get(path).status == 404


def test_a_mail_that_was_given_up_is_sent_again(browse, amara):
    make.invitation(send=True)
    dana = at_desk(browse, cast.DANA)
    with transaction():
        letter = db.session.scalars(select(Mail)).first()
        letter.status, letter.last_error = MailStatus.FAILED, "550 no such mailbox"
    page = dana.get("/admin/records/mails/?status=failed").follow(letter.email)
    assert "550 no such mailbox" in page
    page = page.submit("Send again")
    assert page.status == 200
    db.session.expire_all()
    assert db.session.get(Mail, letter.id).status is MailStatus.QUEUED
    assert dana.post(f"/admin/records/mails/{letter.id}/retry").status in {400, 403}
