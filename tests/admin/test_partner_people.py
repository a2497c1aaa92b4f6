"""The people of a partner at the desk: invitations and contacts."""

import re

import pytest
from sqlalchemy import func, select

from models import (
    Affiliation,
    AuditEvent,
    AuthEvent,
    EntityStatus,
    Invitation,
    InvitationStatus,
    Mail,
    PartnerRole,
    Person,
    Session,
    db,
)
from services import people
from services.transaction import transaction
from tests import cast, make
from tests.admin.desk import at_desk, count, fresh

UNL = "University of Nebraska–Lincoln"


@pytest.fixture
def dana(browse):
    return at_desk(browse, cast.DANA)


@pytest.fixture
def priya(browse):
    return at_desk(browse, cast.PRIYA)


# MARK: Invitations


def test_generate_code_makes_a_code_and_url_without_a_mail(dana):
    entity = make.entity(status=EntityStatus.PENDING)
    page = dana.get(f"/admin/partners/{entity.id}").follow("Generate code")
    page = page.submit("Generate code", email=" Amara@UNL.example ", role="principal", days="7", send=False)
    invitation = db.session.scalars(select(Invitation)).one()
    assert re.fullmatch(r"INV-[A-Z0-9]{5}", page.texts(".share__code code")[0])
    assert people.invitation_url(invitation) in page
    assert "Not emailed" in page
    assert count(Mail) == 0


def test_an_address_that_is_in_the_team_gets_told_so(dana):
    amara = cast.contact(cast.AMARA)
    page = dana.get(f"/admin/partners/{amara.entity.id}/contacts/new")
    page = page.submit("Generate code", email="AMARA.okafor@unl.example", role="viewer")
    assert page.status == 422
    assert "already" in page.errors["email"]


def test_two_presses_make_one_invitation(dana):
    entity = make.entity()
    page = dana.get(f"/admin/partners/{entity.id}/contacts/new")
    first = page.submit("Generate code", email="noah@unl.example", role="viewer")
    second = page.submit("Generate code", email="noah@unl.example", role="viewer")
    assert first.path == second.path
    assert count(Invitation) == count(Mail) == 1


def test_an_invitation_is_resent_renewed_and_cancelled(dana):
    entity = make.entity()
    invitation = make.invitation(entity=entity, email="noah@unl.example")
    where = f"/admin/partners/{entity.id}/invitations/{invitation.id}"
    page = dana.get(where).submit("Resend invitation")
    assert fresh(invitation).status is InvitationStatus.SUPERSEDED
    assert people.invitation_url(invitation) == ""
    assert "A newer invitation replaced this one" in dana.get(where)
    renewed = page.submit("Renew invitation", days="30")
    assert renewed.path != page.path
    assert page.submit("Renew invitation", days="30").path == renewed.path
    assert page.submit("Renew invitation", days="99").status == 422
    cancelled = renewed.follow("Cancel invitation").submit("Cancel invitation", reason="Wrong person")
    states = db.session.scalars(select(Invitation.status).order_by(Invitation.id)).all()
    assert states[-1] is InvitationStatus.REVOKED
    assert "Revoked" in cancelled


def test_the_contacts_table_resends_an_invite_in_one_press(dana):
    entity = make.entity()
    make.invitation(entity=entity, email="noah@unl.example")
    dana.get(f"/admin/partners/{entity.id}").submit("form[action$='/resend']")
    assert count(Mail) == 1


def test_an_old_invitation_is_not_sent_again_beside_a_newer_one(browse, time):
    entity = make.entity()
    old = make.invitation(entity=entity, email="noah@unl.example", days=1)
    time.pass_(days=2)
    people.expire_due()
    make.invitation(entity=entity, email="noah@unl.example")
    page = at_desk(browse, cast.DANA).get(f"/admin/partners/{entity.id}/invitations/{old.id}")
    assert "A newer invitation to this address is open" in page.submit("Resend invitation")
    assert count(Invitation) == 2


def test_the_fate_of_the_mail_is_told_from_queued_to_accepted(dana, mailbox):
    entity = make.entity()
    invitation = make.invitation(entity=entity, email="noah@unl.example", send=True)
    where = f"/admin/partners/{entity.id}/invitations"
    assert "Email queued" in dana.get(where).texts("tbody tr")[0]
    token = make.mailed(invitation)
    assert "Email sent" in dana.get(where).texts("tbody tr")[0]
    dana.another().get(f"/partners/login/{token}")
    assert db.session.scalar(select(func.count()).select_from(AuthEvent)) >= 1
    assert "Link opened" in dana.get(where).texts("tbody tr")[0]
    with transaction():
        people.accept(invitation=invitation, email_canonical="noah@unl.example")
    assert "Accepted" in dana.get(where).texts("tbody tr")[0]


# MARK: Contacts


def test_a_role_is_changed_with_a_reason(dana):
    kofi = cast.contact(cast.KOFI)
    where = f"/admin/partners/{kofi.entity.id}/contacts/{kofi.affiliation.id}/role"
    assert dana.get(where).submit("Change role", role="viewer").errors["reason"]
    page = dana.get(where).submit("Change role", role="viewer", reason="Moved to finance")
    assert page.path.endswith("/contacts")
    assert fresh(kofi.affiliation).role is PartnerRole.VIEWER
    event = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert (event.verb, event.reason) == ("contact.role_changed", "Moved to finance")


def test_overrides_are_given_taken_and_never_hidden(dana):
    kofi = cast.contact(cast.KOFI)
    where = f"/admin/partners/{kofi.entity.id}/contacts/{kofi.affiliation.id}/overrides"
    first, second = dana.get(where), dana.get(where)
    fields = {"may_manage_team": "yes", "may_view_amounts": "no", "reason": "Stands in"}
    page = first.submit("Save permissions", **fields)
    assert fresh(kofi.affiliation).permissions == {"manage_team": True, "view_amounts": False}
    assert "may not view amounts" in page
    assert second.submit("Save permissions", reason="Late").status == 422
    assert fresh(kofi.affiliation).permissions == {"manage_team": True, "view_amounts": False}


def test_support_names_reason_ticket_and_a_verified_identity(priya):
    kofi = cast.contact(cast.KOFI)
    cast.contact(cast.AMARA)
    where = f"/admin/partners/{kofi.entity.id}/contacts/{kofi.affiliation.id}"
    page = priya.get(f"{where}/role").submit("Change role", role="viewer", reason="Asked")
    assert set(page.errors) == {"ticket", "identity_verified"}
    page = page.submit("Change role", ticket="1042", identity_verified=True)
    assert fresh(kofi.affiliation).role is PartnerRole.VIEWER
    priya.get(f"{where}/end").submit("End access", reason="Left", ticket="1043", identity_verified=True)
    assert fresh(kofi.affiliation).ended_at is not None


def test_a_contact_is_signed_out_everywhere(dana):
    kofi = cast.contact(cast.KOFI)
    make.session(kofi)
    where = f"/admin/partners/{kofi.entity.id}/contacts/{kofi.affiliation.id}/sign-out"
    dana.get(where).submit("Sign out everywhere", reason="Lost laptop")
    assert fresh(kofi.person).epoch == 2
    assert db.session.scalars(select(Session.revoked_at).where(Session.person_id == kofi.person.id)).one()


def test_ending_the_last_principal_is_warned_of(dana):
    amara = cast.contact(cast.AMARA)
    where = f"/admin/partners/{amara.entity.id}/contacts/{amara.affiliation.id}/end"
    page = dana.get(where)
    assert "This is the last principal" in page
    shown = page.submit("End access", reason="Left")
    assert "Ended" in shown
    assert db.session.scalars(select(Affiliation.ended_at)).one() is not None
    assert count(Person) == 1
