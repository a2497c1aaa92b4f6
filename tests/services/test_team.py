"""A team: who changes whose role, overrides and place, and who never may."""

from datetime import timedelta
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import select

from models import (
    Affiliation,
    AuditEvent,
    Mail,
    PartnerRole,
    StaffRole,
    db,
)
from permissions import PARTNER_PERMISSIONS, Contact, Permission, Scope, decide, granted, held
from services import people
from services.errors import IllegalMove, NotAllowed, NotFound, Refusal
from services.transaction import transaction
from tests import cast, make
from tests.crowd import at_once

pytestmark = pytest.mark.usefixtures("app")
ROLE = PartnerRole
PROOF = {"reason": "Asked on the phone", "ticket": "T-12", "identity_verified": True}


def change_role(actor, contact: Contact, role, **proof) -> Affiliation:
    with transaction():
        return people.change_role(actor=actor, affiliation=contact.affiliation, role=role, **proof)


def override(actor, contact: Contact, overrides, reason: str = "Project", **proof) -> Affiliation:
    with transaction():
        return people.change_overrides(
            actor=actor, affiliation=contact.affiliation, overrides=overrides, reason=reason, **proof
        )


def end(actor, contact: Contact, **proof) -> Affiliation:
    with transaction():
        return people.end(actor=actor, affiliation=contact.affiliation, **proof)


def last_event() -> AuditEvent:
    return db.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1)).one()


# MARK: The team


def test_the_team_is_listed_by_name_without_a_query_a_row(queries):
    cast.actor(cast.AMARA)
    entity = make.entity()
    for number in range(3):
        make.contact(entity=entity, role=ROLE.VIEWER, full_name=f"Viewer {number}")
    counts = []
    for _round in range(2):
        db.session.rollback()
        db.session.expire_all()
        entity_id = entity.id
        with queries() as log:
            names = [row.person.name for row in people.contacts_of(entity)]
        counts.append(len(log))
        for number in range(20):
            make.contact(entity=entity, role=ROLE.VIEWER, full_name=f"More {number}")
        assert entity_id == entity.id
    assert names == sorted(names)
    assert counts[0] == counts[1] == 1


def test_who_left_is_listed_only_where_asked_for(time):
    amara = cast.contact(cast.AMARA)
    make.contact(role=ROLE.VIEWER, full_name="Gone", ended_at=time.now)
    make.contact(role=ROLE.VIEWER, full_name="Ran out", valid_until=time.now)
    assert [row.person.name for row in people.contacts_of(amara.entity)] == ["Amara Okafor"]
    everybody = people.contacts_of(amara.entity, with_ended=True)
    assert [row.person.name for row in everybody] == ["Amara Okafor", "Ran out", "Gone"]


def test_a_viewer_does_not_see_the_team():
    with pytest.raises(NotAllowed):
        people.team_of(cast.contact(cast.GRACE))


# MARK: Roles


def test_a_principal_changes_a_role_and_the_contact_is_told():
    amara, kofi = cast.contact(cast.AMARA), cast.contact(cast.KOFI)
    change_role(amara, kofi, "technical")
    assert kofi.affiliation.role is ROLE.TECHNICAL
    event = last_event()
    assert event.verb == "contact.role_changed"
    assert (event.facts["before"], event.facts["after"]) == ("salesperson", "technical")
    assert event.changes[f"partner_affiliations:{kofi.affiliation.id}"]["role"] == [
        "salesperson",
        "technical",
    ]
    assert db.session.scalars(select(Mail.email)).all() == [kofi.person.email]


def test_the_same_role_again_changes_nothing():
    amara, kofi = cast.contact(cast.AMARA), cast.contact(cast.KOFI)
    before = last_event().id
    change_role(amara, kofi, kofi.affiliation.role)
    assert last_event().id == before


@pytest.mark.parametrize("role", ["owner", "", "Principal", "prin", "admin"])
def test_a_role_is_one_of_the_five(role):
    with pytest.raises(Refusal) as caught:
        change_role(cast.actor(cast.DANA), cast.contact(cast.KOFI), role)
    assert caught.value.field == "role"


@pytest.mark.parametrize("who", [cast.KOFI, cast.HANA, cast.LUIS, cast.GRACE])
def test_only_principals_change_the_team(who):
    contact, hana = cast.contact(who), make.contact(role=ROLE.TECHNICAL)
    for change in (
        lambda: change_role(contact, hana, ROLE.VIEWER),
        lambda: override(contact, hana, {"view_analytics": True}),
        lambda: end(contact, hana),
    ):
        with pytest.raises(NotAllowed):
            change()


def test_another_team_is_not_to_be_found():
    kofi = cast.contact(cast.KOFI)
    for who in (cast.ERIK, cast.RUTH):
        stranger = cast.contact(who)
        with pytest.raises(NotFound):
            people.find_affiliation(actor=stranger, affiliation_id=kofi.affiliation.id)
        for change in (
            lambda stranger=stranger: change_role(stranger, kofi, ROLE.VIEWER),
            lambda stranger=stranger: override(stranger, kofi, {}),
            lambda stranger=stranger: end(stranger, kofi),
        ):
            with pytest.raises(NotFound):
                change()


def test_nobody_changes_their_own_place():
    amara = cast.contact(cast.AMARA)
    make.contact(role=ROLE.PRINCIPAL)
    for change in (
        lambda: change_role(amara, amara, ROLE.VIEWER),
        lambda: override(amara, amara, {"view_deals": False}),
        lambda: end(amara, amara),
    ):
        with pytest.raises(NotAllowed):
            change()


def test_nobody_grants_what_they_lack():
    manager = make.contact(role=ROLE.VIEWER, overrides={"manage_team": True, "view_team": True})
    other = make.contact(role=ROLE.VIEWER)
    for role in (ROLE.PRINCIPAL, ROLE.SALESPERSON, ROLE.TECHNICAL, ROLE.FINANCE):
        with pytest.raises(NotAllowed):
            change_role(manager, other, role)
    with pytest.raises(NotAllowed):
        override(manager, other, {"view_amounts": True})
    override(manager, other, {"view_team": True})


def test_who_manages_may_leave_in_place_what_they_could_not_grant():
    manager = make.contact(role=ROLE.VIEWER, overrides={"manage_team": True})
    finance = make.contact(role=ROLE.FINANCE)
    override(manager, finance, {"open_tickets": False})
    assert Permission.VIEW_AMOUNTS in held(finance.affiliation)


def test_a_role_that_reaches_further_is_more():
    """A salesperson sees their own deals, a technical contact the team's: that is a permission they lack."""
    sales = make.contact(role=ROLE.SALESPERSON, overrides={"manage_team": True, "ask_questions": True})
    assert granted(sales.affiliation, Permission.VIEW_DEALS)[0] is Scope.OWN
    assert people.grantable_roles(sales) == [ROLE.SALESPERSON, ROLE.VIEWER]


# MARK: The last principal


def test_partners_keep_their_last_principal():
    amara = cast.contact(cast.AMARA)
    manager = make.contact(role=ROLE.VIEWER, overrides=dict.fromkeys(sorted(PARTNER_PERMISSIONS), True))
    for change in (
        lambda: change_role(manager, amara, ROLE.VIEWER),
        lambda: override(manager, amara, {"manage_team": False}),
        lambda: end(manager, amara),
    ):
        with pytest.raises(IllegalMove, match="last principal"):
            change()
    assert people.is_last_principal(amara.affiliation)


@pytest.mark.parametrize("state", ["deactivated", "ran out"])
def test_a_principal_who_cannot_act_does_not_count(time, state):
    amara = cast.contact(cast.AMARA)
    make.contact(
        role=ROLE.PRINCIPAL,
        is_active=state != "deactivated",
        valid_until=time.now - timedelta(days=1) if state == "ran out" else None,
    )
    manager = make.contact(role=ROLE.VIEWER, overrides={"manage_team": True})
    with pytest.raises(IllegalMove):
        end(manager, amara)


def test_we_may_end_the_last_principal():
    amara = cast.contact(cast.AMARA)
    end(cast.actor(cast.DANA), amara, reason="Left the university")
    assert amara.affiliation.ended_at is not None
    assert not decide(amara, Permission.VIEW_DASHBOARD)


def test_of_two_principals_who_end_each_other_at_once_one_stays(app: Flask):
    for round_ in range(4):
        entity = make.entity(f"Round {round_}")
        both = [make.contact(entity=entity, role=ROLE.PRINCIPAL) for _one in range(2)]
        numbers = [(one.person.id, one.affiliation.id) for one in both]

        def attack(me: tuple[int, int], other: tuple[int, int]) -> str:
            affiliation = db.session.get_one(Affiliation, me[1])
            actor = Contact(affiliation.person, affiliation)
            with transaction():
                people.end(actor=actor, affiliation=db.session.get_one(Affiliation, other[1]))
            return "ended"

        came = at_once(
            app,
            [partial(attack, numbers[0], numbers[1]), partial(attack, numbers[1], numbers[0])],
        )
        assert came.count("ended") == 1, came
        assert any(isinstance(one, NotAllowed | IllegalMove) for one in came), came
        assert len(people.principals_of(entity)) == 1


# MARK: Overrides


@pytest.mark.parametrize(
    "overrides",
    [
        {"all": True},
        {"fly": True},
        {"manage_team": "true"},
        {"manage_team": 1},
        {"manage_team": None},
        {"manage_team": {"x": True}},
        {"use_desk": True},
        {"edit_records": True},
        {"": True},
    ],
)
def test_overrides_are_known_permissions_with_true_or_false(overrides):
    kofi = cast.contact(cast.KOFI)
    with pytest.raises(Refusal) as caught:
        override(cast.actor(cast.DANA), kofi, overrides)
    assert (caught.value.field, caught.value.status) == ("overrides", 422)
    assert kofi.affiliation.permissions == {}


def test_overrides_take_away_and_grant():
    kofi = cast.contact(cast.KOFI)
    override(cast.actor(cast.DANA), kofi, {"view_amounts": False, "view_analytics": True})
    assert not decide(kofi, Permission.VIEW_AMOUNTS)
    assert decide(kofi, Permission.VIEW_ANALYTICS)
    event = last_event()
    assert (event.verb, event.reason) == ("contact.overrides_changed", "Project")


# MARK: Our own


def test_support_changes_the_team_with_reason_ticket_and_verified_identity():
    priya, kofi = cast.actor(cast.PRIYA), cast.contact(cast.KOFI)
    for missing in PROOF:
        proof = {**PROOF, missing: False if missing == "identity_verified" else " "}
        with pytest.raises(Refusal) as caught:
            change_role(priya, kofi, ROLE.VIEWER, **proof)
        assert caught.value.field == missing
    change_role(priya, kofi, ROLE.VIEWER, **PROOF)
    event = last_event()
    assert (event.reason, event.facts["ticket"]) == ("Asked on the phone", "T-12")


@pytest.mark.parametrize("role", [StaffRole.CONTENT, StaffRole.AUDITOR])
def test_the_rest_of_us_change_no_team(role):
    with pytest.raises(NotAllowed):
        change_role(make.staff(role), cast.contact(cast.KOFI), ROLE.VIEWER, **PROOF)


def test_somebody_who_left_is_not_changed_any_more():
    dana, kofi = cast.actor(cast.DANA), cast.contact(cast.KOFI)
    end(dana, kofi)
    for change in (lambda: end(dana, kofi), lambda: change_role(dana, kofi, ROLE.VIEWER)):
        with pytest.raises(IllegalMove):
            change()
    assert db.session.scalars(select(Mail.verb)).all() == ["contact.ended"]


def test_who_left_can_come_back():
    dana, kofi = cast.actor(cast.DANA), cast.contact(cast.KOFI)
    end(dana, kofi)
    invitation = make.invitation(email=kofi.person.email, role=ROLE.VIEWER)
    with transaction():
        back = people.accept(invitation=invitation, email_canonical=kofi.person.email_canonical)
    assert (back.person.id, back.affiliation.role, back.affiliation.is_primary) == (
        kofi.person.id,
        ROLE.VIEWER,
        True,
    )
