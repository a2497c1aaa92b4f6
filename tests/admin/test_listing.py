"""The list engine: pages, the cap, what follows beyond it, and a fixed number of statements."""

from datetime import timedelta

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import joinedload
from werkzeug.datastructures import MultiDict

import clock
from admin import cells, listing
from admin.filters import Reference, choice, days
from admin.listing import Column, Listing, Tab
from admin.pages import page_of
from admin.suggestions import SUGGESTED
from models import Entity, EntityKind, EntityStatus, Organization, OrganizationKind, Person, db
from services.names import fold
from services.search import Source

LIST = Listing(
    name="test",
    nouns=("partner", "partners"),
    model=Entity,
    order="-created_at",
    columns=(
        Column("name", "Name", lambda row, _: cells.text(row.name), Entity.name, export=Entity.name),
        Column("organization", "Organization", lambda row, _: cells.text(row.organization.name)),
        Column("created_at", "Created", lambda row, _: cells.moment(row.created_at), Entity.created_at),
    ),
    filters=(
        choice("status", "Status", Entity.status, promoted=True),
        choice("shown", "Shown", Entity.show_in_app),
        Reference(
            "organization",
            "Organization",
            column=Entity.organization_id,
            suggested=SUGGESTED["organizations"],
        ),
        *days("Created", Entity.created_at),
    ),
    sources=(Source((Entity.name,)), Source((Organization.name,), parent=Entity.organization_id)),
    loads=(joinedload(Entity.organization),),
    tabs=(Tab("All", {}), Tab("Pending", {"status": "pending"})),
)
COUNT = 120


@pytest.fixture
def crowd(app, time):
    """120 entities, a day apart, every tenth pending."""
    fill(COUNT)
    with app.test_request_context("/"):
        yield


def fill(count: int) -> None:
    now = clock.now()
    shared = {"version": 1, "created_at": now}
    db.session.execute(
        insert(Organization),
        [
            {
                **shared,
                "id": 1,
                "name": "Prairie",
                "name_key": fold("Prairie"),
                "kind": OrganizationKind.COMPANY,
            }
            | {"status": "active"}
        ],
    )
    db.session.execute(
        insert(Entity),
        [
            {
                "id": number,
                "organization_id": 1,
                "name": f"Office {number:04}",
                "kind": EntityKind.OFFICE,
                "status": EntityStatus.ACTIVE if number % 10 else EntityStatus.PENDING,
                "created_at": now - timedelta(days=number),
                "last_activity_at": now,
            }
            for number in range(1, count + 1)
        ],
    )
    db.session.commit()


def page(**values):
    return page_of(LIST, LIST.read(MultiDict(values)))


def names(shown) -> list[str]:
    return [row.cells[0].text for row in shown.rows]


def test_a_list_opens_in_its_order_with_its_range(crowd):
    shown = page()
    assert names(shown)[:2] == ["Office 0001", "Office 0002"]
    assert (shown.summary, shown.next_url, shown.previous_url) == ("1–25 of 120", "?page=2", "")
    assert shown.caption == "Partners, by created, descending, 1–25 of 120"


def test_pages_follow_each_other_and_end(crowd):
    shown = page(page="5", size="25")
    assert (shown.summary, shown.next_url) == ("101–120 of 120", "")
    assert [link and link["label"] for link in shown.links] == ["1", None, "4", "5"]
    assert page(page="6").summary == "1–25 of 120"
    assert page(size="100").summary == "1–100 of 120"


def test_sorting_goes_both_ways_and_keeps_the_filter(crowd):
    shown = page(sort="-name", status="pending")
    assert names(shown)[0] == "Office 0120"
    assert shown.sort.url("name") == "?status=pending&sort=name"
    assert page(sort="name").sort.url("name") == "?sort=-name"


@pytest.mark.parametrize(
    "junk",
    [
        {"page": "-1"},
        {"page": "9" * 30},
        {"page": "٣"},
        {"size": "7"},
        {"sort": "organization"},
        {"sort": "password"},
        {"status": "nothing"},
        {"organization": "1,2"},
        {"organization": "9" * 19},
        {"from": "yesterday"},
        {"after": "x"},
        {"after": "99999999"},
    ],
)
def test_what_does_not_fit_counts_as_not_given(crowd, junk):
    assert page(**junk).summary == "1–25 of 120"


def test_filters_narrow_together_and_can_be_taken_off_one_by_one(crowd):
    shown = page(status="pending", organization="1", q="office")
    assert shown.summary == "1–12 of 12"
    assert [chip["label"] for chip in shown.chips] == ["“office”", "Status: Pending", "Organization: Prairie"]
    assert shown.chips[1]["url"] == "?q=office&organization=1"
    assert shown.clear_url == "."


def test_days_are_those_of_the_reader_and_include_both_ends(crowd):
    first = (clock.now().date()).isoformat()
    assert page(**{"from": first}).count == 0
    assert page(until=first).count == COUNT


def test_words_are_found_in_rows_and_in_their_organization(crowd):
    assert names(page(q="0042")) == ["Office 0042"]
    assert page(q="prairie").count == COUNT
    assert page(q="prairie 0042").count == 0
    assert names(page(q="of", sort="name"))[0] == "Office 0001"


def test_tabs_count_and_the_current_one_is_marked(crowd):
    tabs = page(status="pending").tabs
    assert [(tab["label"], tab["count"], tab["is_current"]) for tab in tabs] == [
        ("All", "120", False),
        ("Pending", "12", True),
    ]


def test_beyond_the_cap_pages_follow_by_the_last_row(crowd, monkeypatch):
    monkeypatch.setattr(listing, "CAP", 50)
    shown = page(page="2")
    assert (shown.summary, shown.next_url) == ("26–50 of 50+", "?after=50")
    shown = page(after="50")
    assert names(shown)[0] == "Office 0051"
    assert (shown.summary, shown.next_url) == ("25 more of 50+", "?after=75")
    seen, start = [], "50"
    while start:
        shown = page(after=start)
        seen += names(shown)
        start = shown.next_url.rpartition("=")[2]
    assert seen == [f"Office {number:04}" for number in range(51, COUNT + 1)]
    assert names(page(status="active", sort="name", after="50"))[0] == "Office 0051"
    assert page(page="3").summary == "1–25 of 50+"


def test_a_search_with_more_hits_than_the_cap_still_shows_the_newest(crowd, monkeypatch):
    monkeypatch.setattr(listing, "CAP", 50)
    assert names(page(q="office"))[:2] == ["Office 0001", "Office 0002"]
    assert page(q="office", status="pending").summary == "1–12 of 12"


@pytest.mark.parametrize("query", [{}, {"status": "pending"}, {"q": "office"}, {"sort": "name", "page": "2"}])
def test_ten_times_the_rows_take_the_same_statements(app, time, queries, query):
    counted = []
    for count in (30, 300):
        with app.test_request_context("/"):
            db.session.execute(Entity.__table__.delete())
            db.session.execute(Organization.__table__.delete())
            fill(count)
            page(**query)  # the company's time zone is asked once
            with queries() as log:
                page(**query)
            counted.append(len(log))
    assert counted[0] == counted[1] <= 4


def test_a_sort_without_an_index_is_refused_at_the_start():
    with pytest.raises(TypeError, match="needs an index"):
        Listing(
            name="x",
            nouns=("x", "x"),
            model=Person,
            order="title",
            columns=(Column("title", "Title", lambda row, _: cells.text(row.title), Person.title),),
        )
