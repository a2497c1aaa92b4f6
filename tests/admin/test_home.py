"""The home page of the desk: what waits, and numbers that agree with the list they lead to."""

import pytest
from sqlalchemy import select

from models import EntityStatus, Mail, MailStatus, db
from services.transaction import transaction
from tests import cast, make
from tests.admin.desk import at_desk


def tell_a_story(time) -> None:
    make.entity("Old", status=EntityStatus.PENDING)
    time.pass_(days=8)
    for number in range(3):
        entity = make.entity(f"New {number}", status=EntityStatus.PENDING)
        make.invitation(entity=entity, email=f"p{number}@unl.example", days=1 + 2 * number, send=True)
    with transaction():
        mail = db.session.scalars(select(Mail).limit(1)).one()
        mail.status, mail.last_error = MailStatus.FAILED, "550 no such mailbox"
    cast.contact(cast.AMARA)


def test_everything_that_waits_is_counted_and_named(browse, time):
    tell_a_story(time)
    page = at_desk(browse, cast.DANA).get("/admin/")

    assert page.heading == "Good morning, Dana"
    labels = dict(zip(page.texts(".tile__label"), page.texts(".tile__value"), strict=True))
    assert labels == {
        "Invited, not accepted": "3",
        "Invitations expiring": "1",
        "Not activated": "1",
        "Emails not delivered": "1",
    }
    assert "p0@unl.example" in page
    assert "550 no such mailbox" in page
    assert any("invited p2@unl.example" in line for line in page.texts(".timeline__line"))


def test_each_number_is_that_of_the_list_it_leads_to(browse, time):
    tell_a_story(time)
    visitor = at_desk(browse, cast.DANA)
    page = visitor.get("/admin/")
    tiles = [node.attributes["href"] for node in page.html.css("a.tile")][:3]
    numbers = page.texts(".tile__value")[:3]
    statuses = page.html.css(".stack:last-child .rows__text a")
    tiles += [node.attributes["href"] for node in statuses]
    numbers += page.texts(".stack:last-child .rows__end")
    assert len(tiles) == len(numbers) == 7
    for address, number in zip(tiles, numbers, strict=True):
        assert len(visitor.get(address).texts("tbody tr")) == int(number), address


def test_nothing_waiting_says_so(browse):
    page = at_desk(browse, cast.DANA).get("/admin/")
    assert "No partner waits longer than 7 days" in page
    assert page.texts(".tile__value") == ["0", "0", "0", "0"]


def test_the_page_takes_a_fixed_number_of_statements(browse, time, queries):
    tell_a_story(time)
    visitor = at_desk(browse, cast.DANA)
    visitor.get("/admin/")
    with queries() as few:
        visitor.get("/admin/")
    for number in range(10):
        entity = make.entity(f"Office {number}", f"Organization {number}", status=EntityStatus.PENDING)
        make.invitation(entity=entity, days=1, send=True)
    with queries() as many:
        visitor.get("/admin/")
    assert len(many) == len(few) <= 12


@pytest.mark.parametrize(
    ("who", "tiles"), [(cast.SAM, 4), (cast.PRIYA, 4), (cast.INGRID, 4), (cast.TOMAS, 0)]
)
def test_each_role_sees_what_it_may_read(browse, who, tiles):
    page = at_desk(browse, who).get("/admin/")
    assert len(page.html.css(".tile")) == tiles


def test_a_stranger_signs_in_first(browse):
    assert browse.get("/admin/", follow=False).location.startswith("/admin/login")
