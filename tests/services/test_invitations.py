"""Invitations: who may make them, how long they live, and that accepting makes one person and one place."""

import re
import threading
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

import clock
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
from services import keys, people, sign_in
from services.errors import Gone, IllegalMove, NotAllowed, NotFound, Refusal
from services.transaction import transaction
from tests import cast, make
from tests.contexts import apart

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


# MARK: Making one


def test_an_invitation_has_a_code_to_read_out_and_a_url_to_copy():
    invitation = invite(cast.actor(cast.DANA), make.entity(), email=" Noah.Becker@UNL.example ")

    assert re.fullmatch(r"INV-[2-9A-HJKMNP-TW-Z]{5}", invitation.invitation_code)
    secret = people.invitation_url(invitation).rpartition("/partners/invitations/")[2]
    assert len(secret) == keys.TOKEN_LENGTH
    assert invitation.email == "Noah.Becker@UNL.example"
    assert invitation.email_canonical == "noah.becker@unl.example"
    assert invitation.invited_by == "Dana Ortiz"
    assert invitation.expires_at - clock.now() == timedelta(days=7)
    assert people.invitation_by_secret(secret) is invitation
    assert secret not in f"{invitation.url_digest} {invitation.url_secret}"


def test_it_is_mailed_unless_it_is_only_to_be_shared():
    invite(cast.actor(cast.DANA), make.entity(), send=False)
    assert db.session.scalars(select(Mail)).all() == []
    invite(cast.actor(cast.DANA), make.entity(), email="second@unl.example")
    assert [(mail.verb, mail.email) for mail in db.session.scalars(select(Mail))] == [
        ("invitation.created", "second@unl.example")
    ]


@pytest.mark.parametrize("typed", ["{code}", "{bare}", " {lower} ", "inv {bare}", "INV–{spaced}"])
def test_a_code_is_found_however_it_is_typed(typed):
    invitation = make.invitation()
    bare = invitation.invitation_code[4:]
    forms = {
        "code": invitation.invitation_code,
        "bare": bare,
        "lower": invitation.invitation_code.lower(),
        "spaced": " ".join(bare),
    }
    assert people.invitation_by_code(typed.format(**forms)) is invitation


@pytest.mark.parametrize("typed", ["", "INV-", "INV-AAAAAA", "%", "INV-ÀÀÀÀÀ", "1" * 500])
def test_what_is_no_code_finds_nothing(typed):
    make.invitation()
    assert people.invitation_by_code(typed) is None


@pytest.mark.parametrize("days", [0, 61, -1, 10**9, 1.5, True])
def test_it_lives_from_one_to_sixty_days(days):
    with pytest.raises(Refusal) as caught:
        invite(cast.actor(cast.DANA), make.entity(), days=days)
    assert caught.value.field == "days"


@pytest.mark.parametrize(
    "email",
    [
        "",
        "noah",
        "noah@unl",
        "@unl.example",
        "noah@@unl.example",
        "nоah@unl.example",  # a Cyrillic о
        "\u212aim@unl.example",
        "noah@unl.example\u200b",
        "noah@unl.example\x00",
        "no ah@unl.example",
        '"noah"@unl.example',
        "noah@unl.example, x@y.example",
        "noah@unl.example\nBcc: x@y.example",
        "n" * 65 + "@unl.example",
        f"n@{'u' * 60}.{'u' * 60}.{'u' * 60}.{'u' * 60}.{'u' * 20}.example",
        "noah@-unl.example",
        "noah@127.0.0.1",
    ],
)
def test_what_is_no_address_is_refused_at_its_field(email):
    with pytest.raises(Refusal) as caught:
        invite(cast.actor(cast.DANA), make.entity(), email=email)
    assert caught.value.field == "email"


def test_an_unknown_role_is_refused_at_its_field():
    with pytest.raises(Refusal) as caught:
        invite(cast.actor(cast.DANA), make.entity(), role="owner")
    assert caught.value.field == "role"


def test_somebody_who_is_in_the_team_is_said_to_be():
    kofi = cast.contact(cast.KOFI)
    with pytest.raises(Refusal, match="in this team already, as salesperson") as caught:
        invite(cast.actor(cast.DANA), kofi.entity, email="KOFI.mensah@unl.example")
    assert caught.value.field == "email"


def test_a_second_invitation_to_the_same_address_replaces_the_first():
    first = make.invitation(email=cast.NOAH_EMAIL)
    second = invite(cast.actor(cast.DANA), first.entity)

    assert first.status is InvitationStatus.SUPERSEDED
    assert second.replaces_id == first.id
    assert people.invitation_url(first) == ""
    assert people.invitation_url(second) != ""


def test_nobody_is_invited_to_a_partner_that_is_paused():
    with pytest.raises(IllegalMove):
        invite(cast.actor(cast.DANA), make.entity(status=EntityStatus.SUSPENDED))


@pytest.mark.parametrize("who", [cast.SAM, cast.DANA])
def test_administrators_and_operations_invite(who):
    assert invite(cast.actor(who), make.entity()).id


@pytest.mark.parametrize("who", [cast.PRIYA, cast.TOMAS, cast.INGRID])
def test_the_rest_of_us_do_not(who):
    with pytest.raises(NotAllowed):
        invite(cast.actor(who), make.entity())


def test_a_principal_invites_to_their_own_team_only():
    amara = cast.contact(cast.AMARA)
    assert invite(amara, amara.entity).invited_by == "Amara Okafor"
    with pytest.raises(NotFound):
        invite(amara, cast.contact(cast.ERIK).entity)


@pytest.mark.parametrize("who", [cast.KOFI, cast.HANA, cast.LUIS, cast.GRACE])
def test_no_other_role_invites(who):
    contact = cast.contact(who)
    with pytest.raises(NotAllowed):
        invite(contact, contact.entity)


def test_nobody_grants_a_role_that_may_more_than_they_do():
    manager = make.contact(role=ROLE.FINANCE, overrides={"manage_team": True})
    assert invite(manager, manager.entity, role=ROLE.VIEWER).role is ROLE.VIEWER
    with pytest.raises(NotAllowed):
        invite(manager, manager.entity, email="b@unl.example", role=ROLE.SALESPERSON)
    assert people.grantable_roles(manager) == [ROLE.FINANCE, ROLE.VIEWER]


# MARK: Sending again, renewing, revoking


def test_resending_keeps_the_expiry_and_makes_a_new_code(time):
    old = make.invitation()
    time.pass_(days=2)
    priya = cast.actor(cast.PRIYA)
    with transaction():
        new = people.resend(actor=priya, invitation=old)

    assert new.expires_at == old.expires_at
    assert new.invitation_code != old.invitation_code
    assert (old.status, new.status) == (InvitationStatus.SUPERSEDED, InvitationStatus.PENDING)


def test_resending_one_that_expired_gives_it_seven_days(time):
    old = make.invitation()
    time.pass_(days=8)
    priya = cast.actor(cast.PRIYA)
    with transaction():
        new = people.resend(actor=priya, invitation=old)
    assert new.expires_at == time.now + timedelta(days=7)


def test_renewing_counts_its_days_from_now(time):
    old = make.invitation()
    time.pass_(days=8)
    assert people.expire_due() == 1
    priya = cast.actor(cast.PRIYA)
    with transaction():
        new = people.renew(actor=priya, invitation=old, days=30)
    assert new.expires_at == time.now + timedelta(days=30)
    assert verbs()[-2:] == ["staff.created", "invitation.renewed"]


def test_a_revoked_invitation_stays_revoked():
    invitation = make.invitation()
    dana = cast.actor(cast.DANA)
    with transaction():
        people.revoke(actor=dana, invitation=invitation)

    assert people.invitation_url(invitation) == ""
    for change in (people.revoke, people.resend, people.renew):
        with pytest.raises(IllegalMove), transaction():
            change(actor=dana, invitation=invitation)
    with pytest.raises(Gone):
        accept(invitation)


def test_support_resends_and_renews_but_does_not_revoke():
    priya = cast.actor(cast.PRIYA)
    invitation = make.invitation()
    assert people.moves_of(actor=priya, invitation=invitation) == ["resend", "renew"]
    with pytest.raises(NotAllowed), transaction():
        people.revoke(actor=priya, invitation=invitation)


def test_another_team_cannot_touch_an_invitation():
    invitation = make.invitation()
    ruth = cast.contact(cast.RUTH)
    with pytest.raises(NotFound):
        people.find_invitation(actor=ruth, invitation_id=invitation.id)
    for change in (people.revoke, people.resend, people.renew):
        with pytest.raises(NotFound), transaction():
            change(actor=ruth, invitation=invitation)


def test_an_overdue_invitation_is_expired_before_the_sweep_says_so(time):
    invitation = make.invitation(days=1)
    time.pass_(days=1, seconds=-1)
    people.check_open(invitation)
    time.pass_(seconds=1)
    with pytest.raises(Gone) as caught:
        people.check_open(invitation)
    assert caught.value.cause == "expired"
    assert people.expire_due() == 1
    assert people.expire_due() == 0
    assert verbs()[-1] == "invitation.expired"


# MARK: Accepting


def test_the_first_to_accept_becomes_a_person_and_opens_the_entity():
    entity = make.entity(status=EntityStatus.PENDING)
    dana = cast.actor(cast.DANA)
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


def at_once(app: Flask, works) -> list[object]:
    """Each work in a thread and an application context of its own; what came back, errors included."""
    came: list[object] = []
    start = threading.Barrier(len(works))

    def run(work) -> None:
        with app.app_context():
            start.wait()
            try:
                came.append(work())
            except Exception as error:
                came.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]

    def all_of_them() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    apart(all_of_them)
    return came


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

    came = at_once(app, [lambda token=token: redeem(token) for token in tokens])
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

        came = at_once(app, [lambda number=number: take(number) for number in numbers])
        assert len(set(came)) == 1, came
        primary = select(func.count()).where(
            Affiliation.partner_user_id == came[0], Affiliation.is_primary.is_(True)
        )
        assert db.session.scalar(primary) == 1


def test_inviting_the_same_address_at_once_leaves_one_open_invitation(app: Flask):
    make.entity()

    def ask() -> int:
        return make.invitation(email=cast.NOAH_EMAIL).id

    came = at_once(app, [ask] * 4)
    assert all(isinstance(one, int) for one in came), came
    states = db.session.scalars(select(Invitation.status)).all()
    assert sorted(states) == ["pending", "superseded", "superseded", "superseded"]
