"""Saving a record: who may, on which version, with which reason, and what it takes along."""

from datetime import timedelta

import pytest
from sqlalchemy import select

import clock
from models import (
    Affiliation,
    AuditEvent,
    Entity,
    Invitation,
    Mail,
    Organization,
    OrganizationKind,
    PartnerRole,
    Person,
    School,
    Session,
    Staff,
    StaffRole,
    db,
)
from services import records
from services.errors import IllegalMove, NotAllowed, NotFound, Refusal
from services.record_rules import RULES
from services.transaction import transaction
from tests import cast, make

pytestmark = pytest.mark.usefixtures("app")


def values_of(row, **changes):
    return {name: getattr(row, name) for name in RULES[type(row)].fields} | changes


def save(row, *, by=cast.SAM, version=None, reason="", **changes):
    actor = cast.staff(by)
    row = db.session.get(type(row), row.id, populate_existing=True)
    values = values_of(row, **changes)
    with transaction():
        return records.save(
            actor=actor,
            model=type(row),
            record_id=row.id,
            version=row.version if version is None else version,
            values=values,
            reason=reason,
        )


def events() -> list[str]:
    return list(db.session.scalars(select(AuditEvent.verb).order_by(AuditEvent.id)))


@pytest.mark.parametrize(
    ("who", "tables"),
    [
        (cast.SAM, {Organization, Entity, School, Person, Affiliation, Invitation, Staff}),
        (cast.DANA, {Organization, Entity, School, Person, Affiliation, Invitation}),
        (cast.PRIYA, {Person, Affiliation}),
        (cast.TOMAS, set()),
        (cast.INGRID, set()),
    ],
)
def test_each_role_edits_its_tables(who, tables):
    assert {model for model in RULES if records.may_edit(cast.staff(who), model)} == tables


def test_a_role_without_the_right_saves_nothing():
    with pytest.raises(NotAllowed):
        save(make.organization(), by=cast.INGRID, name="X")


def test_an_older_version_is_refused_and_names_who_saved():
    row = make.organization()
    save(row, by=cast.DANA, domain="unl.edu")
    with pytest.raises(records.Conflict) as refused:
        save(row, version=1, domain="other.edu")
    assert refused.value.by == "Dana Ortiz"
    assert db.session.get(Organization, row.id, populate_existing=True).domain == "unl.edu"


def test_a_save_that_changes_nothing_leaves_no_trace():
    row = make.organization()
    cast.staff(cast.SAM)
    before = events()
    save(row)
    assert events() == before


def test_columns_outside_of_the_form_are_a_bug_not_a_save():
    with pytest.raises(KeyError, match="status"):
        save(make.organization(), status="suspended")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"domain": "no domain"}, "domain"),
    ],
)
def test_an_organization_that_cannot_be_is_told_at_its_field(changes, field):
    with pytest.raises(Refusal) as refused:
        save(make.organization(), **changes)
    assert refused.value.field == field


def test_an_entity_moves_only_to_an_organization_that_is_there():
    entity = make.entity()
    with pytest.raises(Refusal) as refused:
        save(entity, organization_id=987654)
    assert refused.value.field == "organization_id"
    other = make.organization("College of St. Mary", kind=OrganizationKind.COLLEGE)
    make.entity("Registrar", other)
    assert save(entity, organization_id=other.id).organization_id == other.id
    with pytest.raises(Refusal) as refused:
        save(entity, name="registrar")
    assert refused.value.field == "name"


def test_a_code_of_a_school_is_unique():
    sam = cast.staff(cast.SAM)
    shared = {"city": "", "region": "", "country": "us", "code": "LE1"}
    with transaction():
        records.create(actor=sam, model=School, values={"name": "Lincoln East", **shared})
    with pytest.raises(Refusal) as refused, transaction():
        records.create(actor=sam, model=School, values={"name": "Lincoln West", **shared})
    assert refused.value.field == "code"
    with pytest.raises(NotFound), transaction():
        records.create(actor=sam, model=Organization, values={})


def test_a_person_needs_a_reason_and_loses_their_sessions_with_the_address():
    amara = cast.contact(cast.AMARA)
    make.session(amara)
    with pytest.raises(Refusal) as refused:
        save(amara.person, title="Dean")
    assert refused.value.field == "reason"
    save(amara.person, reason="Moved", email="amara@other.example")
    person = db.session.get(Person, amara.person.id, populate_existing=True)
    assert (person.email_canonical, person.epoch) == ("amara@other.example", 2)
    assert db.session.scalars(select(Session.revoked_at)).one() is not None
    assert events()[-2:] == ["person.changed", "session.all_revoked"]


def test_closing_a_person_ends_their_sessions():
    amara = cast.contact(cast.AMARA)
    make.session(amara)
    save(amara.person, reason="Left", is_active=False)
    assert db.session.scalars(select(Session.revoked_at)).one() is not None


def test_support_proves_who_asked_before_a_role_changes():
    amara = cast.contact(cast.AMARA)
    with pytest.raises(Refusal) as refused:
        save(amara.affiliation, by=cast.PRIYA, reason="Phone", role=PartnerRole.VIEWER)
    assert refused.value.field == "ticket"


def test_an_affiliation_keeps_all_where_it_once_had_it_and_never_gains_it():
    amara = cast.contact(cast.AMARA)
    with pytest.raises(Refusal):
        save(amara.affiliation, reason="x", permissions={"sudo": True})
    assert save(amara.affiliation, reason="x", permissions={"all": True}).permissions == {}
    with pytest.raises(Refusal) as refused:
        save(amara.affiliation, reason="x", valid_until=clock.now() - timedelta(days=1))
    assert refused.value.field == "valid_until"


def test_only_an_open_invitation_is_changed_and_within_sixty_days(time):
    row = make.invitation()
    assert save(row, role=PartnerRole.VIEWER).role is PartnerRole.VIEWER
    with pytest.raises(Refusal) as refused:
        save(row, expires_at=clock.now() + timedelta(days=61))
    assert refused.value.field == "expires_at"
    time.pass_(days=8)
    with pytest.raises(IllegalMove):
        save(row, role=PartnerRole.FINANCE)


def test_an_administrator_is_neither_demoted_nor_closed_by_themselves():
    sam = cast.staff(cast.SAM)
    make.staff(StaffRole.ADMIN)
    for changes in ({"role": StaffRole.CONTENT}, {"is_active": False}):
        with pytest.raises(NotAllowed):
            save(sam, **changes)


def test_a_colleague_who_returns_chooses_a_new_password():
    dana = cast.staff(cast.DANA)
    save(dana, is_active=False)
    closed = db.session.get(Staff, dana.id, populate_existing=True)
    assert closed.epoch == 2
    save(dana, is_active=True)
    assert db.session.scalar(select(Mail.verb).where(Mail.staff_id == dana.id)) == "staff.password_link"


def test_what_a_save_would_do_is_told_without_doing_it():
    amara = cast.contact(cast.AMARA)
    row = db.session.get(Person, amara.person.id, populate_existing=True)
    planned = records.plan(
        actor=cast.staff(cast.SAM),
        model=Person,
        record_id=row.id,
        version=row.version,
        values=values_of(row, is_active=False),
    )
    assert [change.name for change in planned.changes] == ["is_active"]
    assert len(planned.effects) == 2
    assert db.session.get(Person, row.id, populate_existing=True).is_active
