"""Invitations: who may make them, how long they live, and what ends them."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

import clock
from models import (
    AuditEvent,
    Entity,
    EntityStatus,
    Invitation,
    InvitationStatus,
    Mail,
    PartnerRole,
    db,
)
from permissions import Contact
from services import keys, people
from services.errors import Gone, IllegalMove, NotAllowed, NotFound, Refusal
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


def test_inviting_the_same_address_at_once_leaves_one_open_invitation(app: Flask):
    make.entity()

    def ask() -> int:
        return make.invitation(email=cast.NOAH_EMAIL).id

    came = at_once(app, [ask] * 4)
    assert all(isinstance(one, int) for one in came), came
    states = db.session.scalars(select(Invitation.status)).all()
    assert sorted(states) == ["pending", "superseded", "superseded", "superseded"]
