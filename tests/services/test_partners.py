"""Partners: creating them whole, other spellings, and changes behind a version."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from models import (
    AuditEvent,
    Entity,
    EntityKind,
    EntityStatus,
    Invitation,
    OnboardingStatus,
    Organization,
    OrganizationKind,
    OrganizationStatus,
    PartnerRole,
    School,
    db,
)
from services import audit, names, onboarding, partner_moves, partners, people, timeline
from services.errors import NotAllowed, Refusal, Stale
from services.transaction import transaction
from tests import cast, make

UNL = "University of Nebraska–Lincoln"


@pytest.fixture
def dana(app):
    return cast.staff(cast.DANA)


def create(actor, **values) -> Entity:
    given = {
        "organization": None,
        "organization_name": UNL,
        "organization_kind": OrganizationKind.UNIVERSITY,
        "entity_name": "Admissions Office",
        "entity_kind": EntityKind.ADMISSIONS,
    }
    with transaction():
        return partners.create(actor=actor, **{**given, **values})


def count(model) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def details(entity, **values):
    given = {
        "name": entity.name,
        "kind": entity.kind,
        "school_id": entity.school_id,
        "show_in_app": entity.show_in_app,
        "deal_visibility": entity.deal_visibility,
    }
    return {**given, **values}


# MARK: Creating one


def test_a_new_partner_is_pending_and_both_its_rows_are_in_the_audit(dana):
    entity = create(dana)

    assert entity.status is EntityStatus.PENDING
    assert entity.organization.name == UNL
    verbs = db.session.scalars(select(AuditEvent.verb).where(AuditEvent.actor_kind == "staff")).all()
    assert verbs == ["organization.created", "entity.created"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"organization_name": " "}, "organization_name"),
        ({"organization_name": "x" * 201}, "organization_name"),
        ({"organization_kind": None}, "organization_kind"),
        ({"organization_domain": "not a domain"}, "organization_domain"),
        ({"entity_name": ""}, "entity_name"),
        ({"school_id": 4711}, "school_id"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_half_made(dana, values, field):
    with pytest.raises(Refusal) as refusal:
        create(dana, **values)
    assert refusal.value.field == field
    assert count(Organization) == count(Entity) == 0


def test_another_spelling_needs_a_word_before_it_makes_a_second_organization(dana):
    create(dana)
    with pytest.raises(Refusal) as refusal:
        create(dana, organization_name="The university of nebraska - lincoln")
    assert refusal.value.field == "organization_name"

    create(dana, organization_name="University of Nebraska Lincoln", is_separate=True)
    assert count(Organization) == 2


def test_an_organization_holds_each_entity_once(dana):
    first = create(dana)
    with pytest.raises(Refusal) as refusal:
        create(dana, organization=first.organization, entity_name="  ADMISSIONS office ")
    assert refusal.value.field == "entity_name"


def test_a_suspended_organization_takes_no_new_entity(dana):
    organization = make.organization(status=OrganizationStatus.SUSPENDED)
    with pytest.raises(Refusal) as refusal:
        create(dana, organization=organization)
    assert refusal.value.field == "organization_id"


def test_partner_and_first_administrator_are_made_both_or_neither(dana):
    values = {
        "organization": None,
        "organization_name": UNL,
        "organization_kind": OrganizationKind.UNIVERSITY,
        "entity_name": "Admissions Office",
        "entity_kind": EntityKind.ADMISSIONS,
    }
    with pytest.raises(Refusal) as refusal, transaction():
        onboarding.onboard(actor=dana, admin_email="amara@@unl", **values)
    assert refusal.value.field == "admin_email"
    assert count(Organization) == count(Entity) == count(Invitation) == 0

    with transaction():
        entity, invitation = onboarding.onboard(
            actor=dana, admin_email=" Amara@unl.example ", days=60, send=False, **values
        )
    assert invitation.entity_id == entity.id
    assert invitation.role is PartnerRole.PRINCIPAL


@pytest.mark.parametrize("who", [cast.PRIYA, cast.TOMAS, cast.INGRID, cast.AMARA])
def test_only_admin_and_operations_create_and_change_partners(app, who):
    actor = cast.actor(who)
    entity = make.entity()
    with pytest.raises(NotAllowed):
        create(actor, entity_name="Other")
    with pytest.raises(NotAllowed), transaction():
        partners.change_entity(actor=actor, entity=entity, version=1, **details(entity))
    with pytest.raises(NotAllowed), transaction():
        partner_moves.move(actor=actor, entity=entity, name="suspend", reason="because")


# MARK: Other spellings


@pytest.mark.parametrize(
    "other",
    [
        "University of Nebraska-Lincoln",
        "the UNIVERSITY of Nebraska Lincoln",
        "Univ. of Nebraska, Lincoln",
        "  University  of Nebraska–Lincoln ",
    ],
)
def test_case_accents_dashes_and_short_forms_make_no_other_name(other):
    assert names.fold(other) == names.fold(UNL)


@given(st.text(max_size=300))
def test_a_folded_name_stays_as_it_is_when_folded_again(text):
    key = names.fold(text)
    assert len(key) <= names.LONGEST_KEY
    assert key == key.strip()


@pytest.mark.parametrize(
    "typed",
    ["Universty of Nebraska Lincoln", "University of Nebraska–Lincon", "Nebraska Lincoln University of"],
)
def test_typing_errors_and_another_order_find_the_organization(dana, typed):
    organization = make.organization(UNL)
    make.organization("University of Nevada")
    found = names.similar_organizations(typed)
    assert [one.id for one in found] == [organization.id]


def test_a_legal_form_more_or_less_is_the_same_company_but_another_campus_is_not(dana):
    acme = make.organization("Acme Labs", kind=OrganizationKind.COMPANY)
    make.organization("University of Nebraska Omaha")
    assert [one.id for one in names.similar_organizations("ACME Labs, Inc.")] == [acme.id]
    assert names.similar_organizations("University of Oklahoma") == []


def test_organizations_are_found_by_beginning_part_and_domain(dana):
    organization = make.organization(UNL, domain="unl.example")
    for needle in ("un", "univ", "nebraska", "unl.example"):
        assert [one.id for one in names.search_organizations(needle)] == [organization.id], needle
    assert names.search_organizations("  ") == []


def test_searches_take_the_same_number_of_statements_among_many(dana, queries):
    make.organization(UNL)
    with queries() as few:
        names.similar_organizations("University of Nebrasca Lincoln")
    for number in range(60):
        make.organization(f"University of Town {number}")
    with queries() as many:
        names.similar_organizations("University of Nebrasca Lincoln")
    assert len(many) == len(few)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("https://www.UNL.edu/admissions", "unl.edu"),
        ("amara@unl.edu", "unl.edu"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("", None),
    ],
)
def test_a_domain_is_kept_in_one_form(typed, kept):
    assert names.read_domain(typed, field="domain") == kept


@pytest.mark.parametrize(
    "typed",
    [
        "javascript:alert(1)",
        "https://evil.test@unl.edu",
        "ftp://unl.edu",
        "http://127.0.0.1/",
        "a b",
        "//unl",
    ],
)
def test_a_website_is_a_plain_address(app, typed):
    with pytest.raises(Refusal):
        names.read_website(typed, field="website")


# MARK: Changing


def test_a_change_says_what_was_and_what_is(dana):
    entity = make.entity()
    with transaction():
        partners.change_entity(
            actor=dana, entity=entity, version=entity.version, **details(entity, name="Admissions")
        )
    event = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert event.verb == "entity.changed"
    assert event.changes[f"partner_entities:{entity.id}"]["name"] == ["Admissions Office", "Admissions"]


def test_a_save_on_an_older_reading_is_refused(dana):
    entity = make.entity()
    old = entity.version
    with transaction():
        partners.change_entity(actor=dana, entity=entity, version=old, **details(entity, show_in_app=False))
    with pytest.raises(Stale), transaction():
        partners.change_entity(actor=dana, entity=entity, version=old, **details(entity, name="Other"))
    assert db.session.get(Entity, entity.id).name == "Admissions Office"


def test_saving_without_a_change_leaves_no_event(dana):
    entity = make.entity()
    before = count(AuditEvent)
    with transaction():
        partners.change_entity(actor=dana, entity=entity, version=entity.version, **details(entity))
        partners.change_organization(
            actor=dana,
            organization=entity.organization,
            version=entity.organization.version,
            name=entity.organization.name,
            kind=entity.organization.kind,
        )
    assert count(AuditEvent) == before


def test_a_linked_school_is_named_in_the_history(dana):
    with transaction():
        school = School(name="Lincoln High", name_key="lincoln high")
        db.session.add(school)
        db.session.flush()
        audit.record(actor=make.PORTICO, verb="school.created", subject=school)
    entity = make.entity()
    with transaction():
        partners.change_entity(
            actor=dana, entity=entity, version=entity.version, **details(entity, school_id=school.id)
        )
    change = timeline.timeline_of(entity=entity).events[0].changes[0]
    assert (change.label, change.old, change.new) == ("School", "–", "Lincoln High")


def test_the_principal_completes_the_profile_and_with_it_the_onboarding(app, time):
    amara = cast.contact(cast.AMARA)
    make.entity(onboarding_status=OnboardingStatus.IN_PROGRESS)
    with transaction():
        people.complete_profile(actor=amara, full_name="Amara Okafor")
    with transaction():
        entity = partners.complete_entity_profile(
            actor=amara, description="We admit.", website="unl.example", address="", show_in_app=True
        )
    assert entity.onboarding_status is OnboardingStatus.COMPLETED
    assert entity.website == "https://unl.example"


def test_nobody_else_of_the_team_edits_the_entity(app):
    kofi = cast.contact(cast.KOFI)
    with pytest.raises(NotAllowed), transaction():
        partners.complete_entity_profile(
            actor=kofi, description="x", website="", address="", show_in_app=True
        )
