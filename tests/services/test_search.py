"""Finding rows by words: parts, cases, several words, short ones, and marks that databases read."""

import pytest
from sqlalchemy import select

from models import Entity, Organization, Person, School, db
from services import exports, search
from services.transaction import transaction
from tests import cast, make

pytestmark = pytest.mark.usefixtures("app")


def found(needle: str, model=Organization, columns=None) -> set[str]:
    columns = columns or (Organization.name, Organization.domain)
    return set(db.session.scalars(select(columns[0]).where(search.matching(model, columns, needle))))


@pytest.fixture
def colleges():
    for name, domain in (
        ("Nebraska Wesleyan", "nwu.example"),
        ("University of Nebraska", "unl.example"),
        ('Union 100%_ "Quoted" O\'Neill', None),
    ):
        make.organization(name, domain=domain)


@pytest.mark.parametrize(
    ("needle", "expected"),
    [
        ("nebraska", {"Nebraska Wesleyan", "University of Nebraska"}),
        ("NEBRASKA", {"Nebraska Wesleyan", "University of Nebraska"}),
        ("nebraska wesley", {"Nebraska Wesleyan"}),
        ("wesleyan nebraska", {"Nebraska Wesleyan"}),
        ("nwu.ex", {"Nebraska Wesleyan"}),
        ("unl nebraska", {"University of Nebraska"}),
        ("ne", {"Nebraska Wesleyan"}),
        ("", set()),
        ("   ", set()),
        ("xyzzy", set()),
    ],
)
def test_words_are_found_wherever_they_stand(colleges, needle, expected):
    assert found(needle) == expected


@pytest.mark.parametrize("needle", ["100%_", '"Quoted"', "O'Neill", "100%_ union"])
def test_marks_of_a_database_are_letters_like_any_other(colleges, needle):
    assert found(needle) == {'Union 100%_ "Quoted" O\'Neill'}


@pytest.mark.parametrize(
    "needle",
    [
        "%%%",
        "___",
        '"',
        '""" OR 1',
        "a* NEAR(b)",
        "{name} : x",
        "\\\\\\",
        "NOT AND OR",
        "\x00abc",
        "x" * 5000,
    ],
)
def test_no_needle_breaks_a_search(colleges, needle):
    assert found(needle) == set()


def test_an_index_follows_every_change(colleges):
    row = db.session.scalar(select(Organization).where(Organization.domain == "nwu.example"))
    make.organization(row.name, domain="other.example")
    assert found("nwu.ex") == set()
    assert found("other.exam") == {"Nebraska Wesleyan"}


def test_a_list_finds_by_what_belongs_to_its_rows():
    cast.contact(cast.AMARA)
    cast.contact(cast.RUTH)
    sources = (
        search.Source((Entity.name,)),
        search.Source((Organization.name, Organization.domain), parent=Entity.organization_id),
    )
    for needle, names in (("admissions", {"Admissions Office"}), ("lincoln east", {"Counseling Center"})):
        (own, parents) = search.hits(Entity, sources, needle)
        numbers = {*db.session.scalars(own), *db.session.scalars(parents)}
        assert set(db.session.scalars(select(Entity.name).where(Entity.id.in_(numbers)))) == names
        rowwise = select(Entity.name).where(search.meets(Entity, sources, needle))
        assert set(db.session.scalars(rowwise)) == names


def test_people_and_schools_are_found_by_their_columns():
    cast.contact(cast.AMARA)
    assert found("okafor unl", Person, (Person.full_name, Person.email_canonical)) == {"Amara Okafor"}
    assert found("lincoln", School, (School.name, School.city, School.code)) == set()


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        (" =1", "' =1"),
        ("+49 30", "'+49 30"),
        ("-5", "-5"),
        ("-5.25", "-5.25"),
        ("-cmd", "'-cmd"),
        ("@x", "'@x"),
        ('"=1', "'\"=1"),
        ("＝1", "'＝1"),
        ("\tx", "'\tx"),
        ("|x", "'|x"),
        ("a=b", "a=b"),
        (None, ""),
        (True, "yes"),
        (12, "12"),
    ],
)
def test_no_cell_of_an_export_is_a_formula(value, cell):
    assert exports.neutral(value) == cell


def test_every_field_is_quoted():
    lines = "".join(exports.as_csv(["A", "=B"], [["x,y", 'say "hi"']]))
    assert lines == '"A","\'=B"\r\n"x,y","say ""hi"""\r\n'


def test_an_export_is_recorded_with_its_filters():
    sam = cast.staff(cast.SAM)
    with transaction():
        exports.record(actor=sam, what="people", count=3, filters="?q=x")
