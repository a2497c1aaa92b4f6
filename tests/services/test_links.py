"""Mailed links: random, kept as digests, spent once, and dead with what they were about."""

import string
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import func, select

from models import (
    EntityStatus,
    InvitationStatus,
    Mail,
    OrganizationStatus,
    PartnerRole,
    Session,
    SignInLink,
    db,
)
from services import keys, people, sessions, sign_in
from services.errors import Gone, Refusal
from services.transaction import transaction
from tests import cast, make
from tests.crowd import at_once
from tests.services.portal_door import log, mails, redeem, refused

pytestmark = pytest.mark.usefixtures("app")


# MARK: Tokens


def test_tokens_are_random_and_only_their_digests_are_kept():
    cast.actor(cast.AMARA)
    token, code = make.link(cast.AMARA.email)
    letters = set(string.ascii_letters + string.digits + "-_")
    minted = {keys.mint() for _time in range(1000)}

    assert len(minted) == 1000
    assert all(len(one) == 43 and set(one) <= letters for one in minted)
    for table in db.metadata.tables.values():
        for row in db.session.execute(select(table)).all():
            assert token not in str(row)
            assert code not in str(row)


def test_a_token_with_one_other_letter_is_none():
    cast.actor(cast.AMARA)
    token = make.link(cast.AMARA.email)[0]
    for place in range(0, len(token), 7):
        other = "x" if token[place] != "x" else "y"
        changed = token[:place] + other + token[place + 1 :]
        assert sign_in.look(changed).state == "unknown"
        assert refused(changed) == "unknown"
    for garbage in ("", "x", token + "a", "é" * 43, "\ud800" * 43, "a" * 10_000):
        assert sign_in.look(garbage).state == "unknown"
        assert refused(garbage) == "unknown"


@pytest.mark.parametrize(("after", "state"), [(-1, "ok"), (0, "expired"), (1, "expired")])
def test_a_sign_in_link_lives_thirty_minutes(time, after, state):
    cast.actor(cast.AMARA)
    token = make.link(cast.AMARA.email)[0]
    time.pass_(minutes=30, seconds=after)
    assert sign_in.look(token).state == state
    if state == "ok":
        redeem(token)
    else:
        assert refused(token) == "expired"


@pytest.mark.parametrize(("after", "state"), [(-1, "ok"), (0, "expired"), (1, "expired")])
def test_an_invitations_own_link_lives_as_long_as_the_invitation(time, after, state):
    token = make.mailed(make.invitation(days=60, send=True))
    time.pass_(days=60, seconds=after)
    assert sign_in.look(token).state == state
    if state == "ok":
        assert redeem(token).is_first
    else:
        assert refused(token) == "expired"


def test_a_clock_that_jumps_back_revives_nothing(time):
    cast.actor(cast.AMARA)
    token = make.link(cast.AMARA.email)[0]
    redeem(token)
    time.pass_(hours=-2)
    assert refused(token) == "used"


def test_looking_spends_nothing_however_often():
    cast.actor(cast.AMARA)
    token = make.link(cast.AMARA.email)[0]
    for _time in range(50):
        peek = sign_in.look(token)
    assert (peek.state, peek.masked, peek.entity_name) == ("ok", "a•••@unl.example", "Admissions Office")
    assert len(log("link_opened")) == 50
    redeem(token)


def test_a_link_that_does_not_work_tells_no_name():
    cast.actor(cast.AMARA)
    token = make.link(cast.AMARA.email)[0]
    redeem(token)
    peek = sign_in.look(token)
    assert (peek.state, str(peek.title), peek.masked, peek.entity_name) == (
        "used",
        "Link already used",
        "",
        "",
    )
    assert peek.person is not None
    assert log("link_refused") == []
    assert refused(token) == "used"
    assert log("link_refused") == [("refused", "used")]


def test_three_links_live_at_once_and_one_use_ends_them_all():
    cast.actor(cast.AMARA)
    tokens = [make.link(cast.AMARA.email)[0] for _time in range(4)]
    assert [sign_in.look(token).state for token in tokens] == ["superseded", "ok", "ok", "ok"]
    redeem(tokens[2])
    assert [sign_in.look(token).state for token in tokens] == [
        "superseded",
        "superseded",
        "used",
        "superseded",
    ]


def test_the_same_mail_sent_again_ends_its_earlier_link():
    cast.actor(cast.AMARA)
    asked = make.request(cast.AMARA.email)
    mail = db.session.scalars(select(Mail).where(Mail.sign_in_request_id == asked.id)).one()
    first, second = make.minted(mail)[0], make.minted(mail)[0]
    assert [sign_in.look(token).state for token in (first, second)] == ["superseded", "ok"]


def test_a_changed_address_ends_the_links_to_the_old_one():
    amara = cast.contact(cast.AMARA)
    token = make.link(cast.AMARA.email)[0]
    make.person(cast.AMARA.email, email_canonical="amara@unl.example")
    assert refused(token) == "revoked"
    assert amara.person.email_canonical == "amara@unl.example"


def test_signing_out_everywhere_ends_the_links_on_their_way():
    amara = cast.contact(cast.AMARA)
    token = make.link(cast.AMARA.email)[0]
    with transaction():
        sessions.end_all(actor=amara, person=amara.person)
    assert refused(token) == "revoked"


def test_of_twenty_presses_at_once_one_signs_in(app: Flask):
    cast.actor(cast.AMARA)
    for round_ in range(4):
        token = make.link(cast.AMARA.email)[0]
        came = at_once(app, [partial(redeem, token)] * 10)
        outcomes = sorted(one.cause if isinstance(one, Gone) else type(one).__name__ for one in came)
        assert outcomes == ["SignedIn", *["used"] * 9], came
        assert db.session.scalar(select(func.count()).select_from(Session)) == round_ + 1


# MARK: Invitations


def test_the_mailed_link_of_an_invitation_signs_a_newcomer_in():
    invitation = make.invitation(email=cast.NOAH_EMAIL, role=PartnerRole.PRINCIPAL, send=True)
    token = make.mailed(invitation)
    peek = sign_in.look(token)
    assert (peek.state, peek.masked, peek.entity_name) == ("ok", "n•••@unl.example", "Admissions Office")
    signed_in = redeem(token)
    assert signed_in.is_first
    assert signed_in.contact.affiliation.role is PartnerRole.PRINCIPAL
    assert invitation.status is InvitationStatus.ACCEPTED
    assert refused(token) == "used"


def test_a_copied_url_only_leads_to_a_mail_which_accepts():
    invitation = make.invitation(email=cast.NOAH_EMAIL)
    url = people.invitation_url(invitation)
    assert sign_in.look(url.rpartition("/")[2]).state == "unknown"

    with pytest.raises(Refusal, match="Use the address the invitation was sent to") as caught:
        make.request("other@unl.example", invitation=invitation)
    assert caught.value.field == "email"
    token, _code = make.link(" NOAH.becker@unl.example", invitation=invitation)
    assert mails("sign_in.link") == [cast.NOAH_EMAIL]
    assert redeem(token).contact.entity.name == "Admissions Office"
    assert invitation.status is InvitationStatus.ACCEPTED


def test_who_is_invited_and_only_knows_the_sign_in_page_gets_in_too():
    make.invitation(email=cast.NOAH_EMAIL)
    token, _code = make.link(cast.NOAH_EMAIL)
    assert redeem(token).is_first


@pytest.mark.parametrize(
    ("change", "cause"),
    [(people.revoke, "revoked"), (people.resend, "superseded"), (people.renew, "superseded")],
)
def test_the_links_of_an_invitation_that_ended_say_why(change, cause):
    invitation = make.invitation(email=cast.NOAH_EMAIL, send=True)
    tokens = [make.mailed(invitation), make.link(cast.NOAH_EMAIL, invitation=invitation)[0]]
    with transaction():
        change(actor=make.PORTICO, invitation=invitation)
    assert [refused(token) for token in tokens] == [cause, cause]


@pytest.mark.parametrize("what", ["entity", "organization"])
def test_the_links_of_an_invitation_are_dead_while_the_partner_is_paused(what):
    token = make.mailed(make.invitation(send=True))
    if what == "entity":
        make.entity(status=EntityStatus.SUSPENDED)
    else:
        make.organization(status=OrganizationStatus.SUSPENDED)
    assert sign_in.look(token).state == "revoked"
    assert refused(token) == "revoked"
    assert db.session.scalars(select(SignInLink.used_at)).all() == [None]


def test_the_mail_of_an_invitation_that_ended_gets_no_link():
    invitation = make.invitation(send=True)
    with transaction():
        people.revoke(actor=make.PORTICO, invitation=invitation)
    with pytest.raises(Gone):
        make.mailed(invitation)
