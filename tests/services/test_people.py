"""People: their addresses and their own profiles."""

import pytest
from sqlalchemy import select

from models import (
    AuditEvent,
    EntityStatus,
    db,
)
from permissions import Contact
from services import partners, people
from services.emails import canonical_email, mask
from services.errors import Refusal
from services.transaction import transaction
from tests import cast, make

pytestmark = pytest.mark.usefixtures("app")


def last_event() -> AuditEvent:
    return db.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1)).one()


# MARK: Addresses


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("Ann@Acme.test", "ann@acme.test"),
        (" o'brien+tag@acme.test\r\n", "o'brien+tag@acme.test"),
        ("a@XN--MNCHEN-3YA.example", "a@xn--mnchen-3ya.example"),
        ("a%b_c@sub.acme.test", "a%b_c@sub.acme.test"),
    ],
)
def test_addresses_match_in_one_form(typed, canonical):
    assert canonical_email(typed) == canonical
    assert canonical_email(canonical) == canonical


@pytest.mark.parametrize(
    "typed", ["a@münchen.example", "a\u00a0@acme.test", ".a@acme.test", "a..b@acme.test", "a@b"]
)
def test_other_addresses_are_refused(typed):
    with pytest.raises(Refusal) as caught:
        canonical_email(typed)
    assert caught.value.field == "email"


def test_a_masked_address_keeps_its_first_letter_and_its_domain():
    assert mask("ann@acme.test") == "a•••@acme.test"
    assert mask("nonsense") == ""


# MARK: One's own profile


def complete(contact: Contact, **changes) -> None:
    values = {"full_name": "Amara  Okafor", "title": "Director", "phone": "402 555 0142", "time_zone": ""}
    with transaction():
        people.complete_profile(actor=contact, **{**values, **changes})


def test_a_profile_is_kept_tidy(time):
    amara = cast.contact(cast.AMARA)
    complete(amara, time_zone="America/Chicago")
    person = amara.person
    assert (person.full_name, person.phone, person.time_zone) == (
        "Amara Okafor",
        "+14025550142",
        "America/Chicago",
    )
    assert person.profile_completed_at == time.now
    assert last_event().verb == "person.profile_completed"
    complete(amara, title="Dean")
    assert last_event().verb == "person.changed"


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("full_name", ""),
        ("full_name", "  "),
        ("full_name", "x" * 201),
        ("full_name", "Amara\x00"),
        ("full_name", "Amara\u202e"),
        ("title", "x" * 201),
        ("phone", "none"),
        ("phone", "1" * 99),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../etc/passwd"),
    ],
)
def test_what_cannot_be_kept_is_refused_at_its_field(field, typed):
    with pytest.raises(Refusal) as caught:
        complete(cast.contact(cast.AMARA), **{field: typed})
    assert caught.value.field == field


def test_onboarding_is_completed_by_both_profiles_in_either_order():
    for order in ("person first", "entity first"):
        entity = make.entity(order, status=EntityStatus.PENDING)
        invitation = make.invitation(entity=entity)
        with transaction():
            contact = people.accept(invitation=invitation, email_canonical=invitation.email_canonical)
        steps = [
            lambda contact=contact: complete(contact),
            lambda contact=contact: complete_entity(contact),
        ]
        for step in steps if order == "person first" else reversed(steps):
            assert entity.onboarding_status.value == "in_progress"
            step()
        assert entity.onboarding_status.value == "completed"


def complete_entity(contact: Contact) -> None:
    with transaction():
        partners.complete_entity_profile(
            actor=contact, description="Who we are", website="", address="", show_in_app=True
        )
