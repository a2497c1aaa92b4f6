"""People: their own profile here; their teams and invitations in the files beside, reachable from here."""

import phonenumbers

import clock
from language import TIME_ZONES, _, _l, locales
from models import OnboardingStatus, Person, db
from permissions import Contact, Permission, allowed
from services import audit, partners
from services.acceptance import accept
from services.emails import canonical_email
from services.errors import NotAllowed, Refusal
from services.invitation_moves import check_open, moves_of
from services.invitations import (
    expire_due,
    find_invitation,
    invitation_by_code,
    invitation_by_secret,
    invitation_url,
    invitations_of,
    invite,
    renew,
    resend,
    revoke,
)
from services.team import (
    Row,
    change_overrides,
    change_role,
    contacts_of,
    end,
    find_affiliation,
    grantable_roles,
    is_last_principal,
    principals_of,
    team_of,
)
from services.transaction import locked

LONGEST_NAME = 200  # characters, also of a title
#: Where a number without its country's prefix is taken to be.
HOME_COUNTRY = "US"


def complete_profile(
    *,
    actor: Contact,
    full_name: str,
    title: str = "",
    phone: str = "",
    time_zone: str = "",
    locale: str | None = None,
) -> Person:
    """Write down who one is; the first time it completes the profile, and may complete the onboarding.

    `locale` is a language that the portal speaks, "" to follow the browser, None to leave it as it is.

    Raises NotAllowed for a deactivated person, Refusal (full_name, title, phone, time_zone, locale).
    """
    entity = partners.lock_entity(actor.entity.id)
    person = locked(Person, actor.person.id)
    if not person.is_active:
        raise NotAllowed(_l("Your access has ended."))
    person.full_name = _line(full_name, "full_name")
    if not person.full_name:
        raise Refusal(_l("Enter your full name"), field="full_name")
    person.title = _line(title, "title")
    person.phone = _phone(phone)
    person.time_zone = _time_zone(time_zone)
    if locale is not None:
        person.locale = _language(locale)
    is_first = person.profile_completed_at is None
    if is_first:
        person.profile_completed_at = clock.now()
    if db.session.is_modified(person):
        verb = "person.profile_completed" if is_first else "person.changed"
        audit.record(actor=actor, verb=verb, subject=person)
    speaks_for_it = allowed(actor, Permission.EDIT_ENTITY)  # and still does: not after their access ended
    if speaks_for_it and entity.description and entity.onboarding_status is OnboardingStatus.IN_PROGRESS:
        entity.onboarding_status = OnboardingStatus.COMPLETED
        audit.record(actor=actor, verb="entity.profile_completed", subject=entity)
    return person


def _line(text: str, field: str) -> str:
    """One line of visible text."""
    text = " ".join(text.split())
    if len(text) > LONGEST_NAME:
        raise Refusal(_("Use %(count)s characters or fewer", count=LONGEST_NAME), field=field)
    if not text.isprintable():
        raise Refusal(_l("Use letters and signs that can be printed"), field=field)
    return text


def _phone(text: str) -> str:
    """The number in E.164; "" for none."""
    text = text.strip()
    if not text:
        return ""
    try:
        number = phonenumbers.parse(text, HOME_COUNTRY)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise Refusal(_l("Phone must be a number with its country code, like +1 402 555 0142"), field="phone")
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    extension = f" x{number.extension}" if number.extension else ""
    return f"{written}{extension}"[:40]


def _time_zone(text: str) -> str | None:
    if not text:
        return None
    if text not in TIME_ZONES:
        raise Refusal(_l("Select a time zone"), field="time_zone")
    return text


def _language(text: str) -> str | None:
    if text and text not in locales():
        raise Refusal(_l("Select a language"), field="locale")
    return text or None


__all__ = [
    "Row",
    "accept",
    "canonical_email",
    "change_overrides",
    "change_role",
    "check_open",
    "complete_profile",
    "contacts_of",
    "end",
    "expire_due",
    "find_affiliation",
    "find_invitation",
    "grantable_roles",
    "invitation_by_code",
    "invitation_by_secret",
    "invitation_url",
    "invitations_of",
    "invite",
    "is_last_principal",
    "moves_of",
    "principals_of",
    "renew",
    "resend",
    "revoke",
    "team_of",
]
