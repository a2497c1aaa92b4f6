"""Accepting an invitation: one person, one place, whoever presses how often at the same moment."""

from datetime import timedelta
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import func, select

from models import (
    Affiliation,
    AuditEvent,
    Entity,
    EntityStatus,
    Invitation,
    InvitationStatus,
    Mail,
    OnboardingStatus,
    OrganizationStatus,
    PartnerRole,
    Person,
    db,
)
from permissions import Contact
from services import people, sign_in
from services.errors import Gone, Refusal
from services.transaction import transaction
from tests import cast, make
from tests.crowd import at_once

pytestmark = pytest.mark.usefixtures("app")
ROLE = PartnerRole


def invite(actor, entity: Entity, email: str = cast.NOAH_EMAIL, role=ROLE.VIEWER, **options) -> Invitation:
    with transaction():
        return people.invite(actor=actor, entity=entity, email=email, role=role, **options)


def accept(invitation: Invitation) -> Contact:
    with transaction():
        return people.accept(invitation=invitation, email_canonical=invitation.email_canonical)


def verbs() -> list[str]:
    return list(db.session.scalars(select(AuditEvent.verb).order_by(AuditEvent.id)))


# MARK: Accepting


def test_the_first_to_accept_becomes_a_person_and_opens_the_entity():
    entity = make.entity(status=EntityStatus.PENDING)
    dana = cast.staff(cast.DANA)
    invitation = invite(dana, entity, role=ROLE.PRINCIPAL)
    contact = accept(invitation)

    assert (contact.person.email_canonical, contact.affiliation.role) == (cast.NOAH_EMAIL, ROLE.PRINCIPAL)
    assert contact.affiliation.is_primary
    assert invitation.status is InvitationStatus.ACCEPTED
    assert (entity.status, entity.onboarding_status) == (EntityStatus.ACTIVE, OnboardingStatus.IN_PROGRESS)
    assert verbs()[-4:] == ["invitation.accepted", "person.created", "contact.added", "entity.activated"]
    told = db.session.scalars(select(Mail).where(Mail.verb == "invitation.accepted")).all()
    assert [mail.email for mail in told] == [dana.email]


def test_somebody_known_elsewhere_gets_the_place_added():
    ruth = cast.contact(cast.RUTH)
    contact = accept(make.invitation(email=ruth.person.email, role=ROLE.TECHNICAL))

    assert contact.person is ruth.person
    assert not contact.affiliation.is_primary
    assert db.session.scalar(select(func.count()).select_from(Affiliation)) == 2


def test_the_principals_are_told_that_somebody_joined():
    amara = cast.contact(cast.AMARA)
    accept(make.invitation(entity=amara.entity, by=amara))
    told = db.session.scalars(select(Mail).where(Mail.verb == "invitation.accepted")).all()
    assert [mail.email for mail in told] == [amara.person.email]


def test_accepting_again_gives_the_same_place():
    invitation = make.invitation()
    first = accept(invitation)
    again = accept(invitation)
    assert (again.person.id, again.affiliation.id) == (first.person.id, first.affiliation.id)


def test_another_address_accepts_nothing():
    invitation = make.invitation()
    with pytest.raises(Refusal, match="Use the address the invitation was sent to"), transaction():
        people.accept(invitation=invitation, email_canonical="other@unl.example")
    assert invitation.status is InvitationStatus.PENDING


def test_a_place_that_ran_out_gives_way_to_a_new_one(time):
    old = make.contact(role=ROLE.VIEWER, valid_until=time.now + timedelta(days=1))
    time.pass_(days=2)
    new = accept(make.invitation(email=old.person.email, role=ROLE.PRINCIPAL))
    assert new.affiliation.id != old.affiliation.id
    assert new.affiliation.role is ROLE.PRINCIPAL


@pytest.mark.parametrize("what", ["entity", "organization", "offboarded", "person"])
def test_nothing_is_accepted_while_partner_or_person_is_out(what):
    person = make.person(cast.NOAH_EMAIL)
    invitation = make.invitation(email=cast.NOAH_EMAIL)
    if what == "person":
        make.person(cast.NOAH_EMAIL, is_active=False)
    elif what == "organization":
        make.organization(status=OrganizationStatus.SUSPENDED)
    else:
        make.entity(status=EntityStatus.SUSPENDED if what == "entity" else EntityStatus.OFFBOARDED)
    with pytest.raises(Gone):
        accept(invitation)
    assert person.affiliations == []


# MARK: At the same moment


def test_two_acceptances_at_once_make_one_person_and_one_place(app: Flask):
    for round_ in range(5):
        invitation = make.invitation(email=f"round-{round_}@unl.example")
        number, email = invitation.id, invitation.email_canonical

        def take(number=number, email=email) -> tuple[int, int]:
            with transaction():
                found = db.session.get_one(Invitation, number)
                contact = people.accept(invitation=found, email_canonical=email)
                return contact.person.id, contact.affiliation.id

        came = at_once(app, [take] * 4)
        assert len(came) == 4
        assert len(set(came)) == 1, came


def test_two_links_of_one_invitation_at_once_let_one_in(app: Flask):
    invitation = make.invitation(email=cast.NOAH_EMAIL, send=True)
    tokens = [make.mailed(invitation), make.link(cast.NOAH_EMAIL, invitation=invitation)[0]]

    def redeem(token: str) -> str:
        with transaction():
            return sign_in.redeem(token=token, browser="Firefox", system="Linux").session_token

    came = at_once(app, [partial(redeem, token) for token in tokens])
    assert sorted(type(one).__name__ for one in came) == ["Spent", "str"], came
    assert db.session.scalar(select(func.count()).select_from(Person)) == 1
    assert db.session.scalar(select(func.count()).select_from(Affiliation)) == 1


def test_two_invitations_of_one_newcomer_at_once_make_one_person(app: Flask):
    """At two entities, so no row of theirs is locked by both; the person is made under either."""
    for round_ in range(5):
        email = f"round-{round_}@unl.example"
        numbers = [
            make.invitation(entity=make.entity(name=name), email=email).id for name in ("First", "Second")
        ]

        def take(number: int, email=email) -> int:
            with transaction():
                found = db.session.get_one(Invitation, number)
                return people.accept(invitation=found, email_canonical=email).person.id

        came = at_once(app, [partial(take, number) for number in numbers])
        assert len(set(came)) == 1, came
        primary = select(func.count()).where(
            Affiliation.partner_user_id == came[0], Affiliation.is_primary.is_(True)
        )
        assert db.session.scalar(primary) == 1
