"""The moves of a partner's state, and what its timeline tells to whom."""

import pytest

from models import (
    Entity,
    EntityStatus,
    Invitation,
    InvitationStatus,
    db,
)
from permissions import Permission, decide
from services import notes, partner_moves, timeline
from services.errors import IllegalMove, NotFound, Refusal
from services.transaction import transaction
from tests import cast, make


@pytest.fixture
def dana(app):
    return cast.staff(cast.DANA)


# MARK: Moves

LEGAL = {(status, name) for name in partner_moves.STAFF_MOVES for status in partner_moves.MOVES[name].sources}


@pytest.mark.parametrize("status", list(EntityStatus))
@pytest.mark.parametrize("name", partner_moves.STAFF_MOVES)
def test_a_partner_moves_as_the_table_says_and_no_other_way(dana, status, name):
    entity = make.entity(status=status)
    is_legal = (status, name) in LEGAL
    assert (name in partner_moves.moves_of(actor=dana, entity=entity)) is is_legal
    if is_legal:
        with transaction():
            partner_moves.move(actor=dana, entity=entity, name=name, reason="Agreement ended")
        assert db.session.get(Entity, entity.id).status is partner_moves.MOVES[name].target
    else:
        with pytest.raises(IllegalMove), transaction():
            partner_moves.move(actor=dana, entity=entity, name=name, reason="Agreement ended")


def test_a_move_needs_its_reason_and_a_known_name(dana):
    entity = make.entity()
    with pytest.raises(Refusal) as refusal, transaction():
        partner_moves.move(actor=dana, entity=entity, name="suspend", reason="  ")
    assert refusal.value.field == "reason"
    with pytest.raises(NotFound), transaction():
        partner_moves.move(actor=dana, entity=entity, name="activate", reason="because")


def test_a_suspended_partner_shuts_its_people_out_from_the_next_request_on(dana):
    amara = cast.contact(cast.AMARA)
    with transaction():
        partner_moves.move(actor=dana, entity=amara.entity, name="suspend", reason="Unpaid")
    assert not decide(amara, Permission.VIEW_DASHBOARD)


def test_a_suspended_organization_shuts_out_without_rewriting_its_entities(dana):
    amara = cast.contact(cast.AMARA)
    with transaction():
        partner_moves.move_organization(
            actor=dana, organization=amara.entity.organization, name="suspend", reason="Unpaid"
        )
    assert not decide(amara, Permission.VIEW_DASHBOARD)
    assert db.session.get(Entity, amara.entity.id).status is EntityStatus.ACTIVE


def test_offboarding_cancels_the_open_invitations(dana):
    entity = make.entity(status=EntityStatus.PENDING)
    invitation = make.invitation(entity=entity)
    entity = make.entity(status=EntityStatus.SUSPENDED)
    with transaction():
        partner_moves.move(actor=dana, entity=entity, name="offboard", reason="Merged")
    assert db.session.get(Entity, entity.id).status is EntityStatus.OFFBOARDED
    assert db.session.get(Invitation, invitation.id).status is InvitationStatus.REVOKED


# MARK: The timeline


def test_the_timeline_tells_reasons_notes_and_mails_to_staff(dana):
    entity = make.entity()
    with transaction():
        notes.add(actor=dana, entity=entity, body="Called Amara.")
    make.invitation(entity=entity, by=dana, email="kofi@unl.example", send=True)
    with transaction():
        partner_moves.move(actor=dana, entity=entity, name="suspend", reason="Unpaid")

    told = timeline.timeline_of(entity=entity)
    texts = [event.text for event in told]
    assert texts[0] == "Dana Ortiz suspended Admissions Office"
    assert told.events[0].reason == "Unpaid"
    assert "Dana Ortiz invited kofi@unl.example as principal" in texts
    assert any(event.mail_status == "queued" for event in told)
    assert [event.reason for event in timeline.timeline_of(entity=entity, kind="notes")] == ["Called Amara."]
    assert all(event.mail_status for event in timeline.timeline_of(entity=entity, kind="emails"))


def test_partners_read_their_timeline_without_reasons_notes_mails_and_sign_ins(dana):
    amara, grace = cast.contact(cast.AMARA), cast.contact(cast.GRACE)
    make.invitation(entity=amara.entity, by=dana, email="noah@unl.example", send=True)
    make.session(amara)
    with transaction():
        notes.add(actor=dana, entity=amara.entity, body="Difficult.")
    with transaction():
        partner_moves.move(actor=dana, entity=amara.entity, name="suspend", reason="Unpaid")
    with transaction():
        partner_moves.move(actor=dana, entity=amara.entity, name="resume", reason="Paid")

    told = timeline.timeline_of(entity=amara.entity, for_partner=True, viewer=amara)
    assert all(not (event.reason or event.changes or event.address or event.mail_status) for event in told)
    assert {event.verb for event in told} >= {"invitation.created", "entity.suspended", "entity.resumed"}
    assert not any(event.verb.startswith(("note", "session")) for event in told)
    less = timeline.timeline_of(entity=amara.entity, for_partner=True, viewer=grace)
    assert not any(event.verb.startswith(("invitation", "contact")) for event in less)


def test_a_timeline_pages_without_gap_or_repetition_and_in_a_fixed_number_of_statements(dana, time, queries):
    entity = make.entity()
    for number in range(30):
        time.pass_(minutes=1)
        make.invitation(entity=entity, by=dana, email=f"p{number}@unl.example", send=True)
    everything = timeline.timeline_of(entity=entity, limit=200)
    seen, before = [], None
    while True:
        with queries() as log:
            page = timeline.timeline_of(entity=entity, limit=7, before=before)
        assert len(log) == 2
        seen += [event.id for event in page]
        before = page.older
        if before is None:
            break
    assert seen == [event.id for event in everything]
    assert len(seen) == len(set(seen)) == 62


def test_nobody_reads_the_timeline_of_another_partner(dana):
    theirs, ours = cast.contact(cast.RUTH), cast.contact(cast.AMARA)
    make.invitation(entity=theirs.entity, by=dana, email="noah@lincolneast.example")
    told = timeline.timeline_of(entity=ours.entity, for_partner=True, viewer=ours)
    assert not any("lincolneast" in event.text for event in told)
