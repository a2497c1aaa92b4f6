"""What the rows that are edited directly may become: for each table its fields, checks and consequences."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from sqlalchemy import select

import clock
from language import TIME_ZONES, locales
from models import (
    Affiliation,
    Base,
    Entity,
    Invitation,
    InvitationStatus,
    Organization,
    Person,
    School,
    Staff,
    db,
)
from permissions import Permission, read_overrides
from services import administrators, mail, sessions, staff_sign_in
from services import staff as accounts
from services.emails import canonical_email, shown_email
from services.errors import IllegalMove, NotAllowed, Refusal
from services.names import fold, read_domain, read_website
from services.transaction import held

LONGEST_INVITATION = timedelta(days=60)
Values = dict[str, Any]


class Rule:
    """How rows of one table are edited; the tables say what differs."""

    model: type[Base]
    permission = Permission.EDIT_RECORDS
    verb = ""
    created_verb = ""  #: where rows are also made directly
    fields: tuple[str, ...] = ()
    references: ClassVar[Mapping[str, type[Base]]] = {}  #: columns that hold the number of another row
    unique_field = ""
    needs_reason = False
    needs_proof = False
    needs_fresh = False  #: whether it takes a sign-in of a moment ago: who somebody is, and what they may

    def lock_first(self, record_id: int) -> None:
        """Lock what has to be locked before the row itself."""

    def prepare(self, actor: Staff, row: Any, values: Values) -> Values:
        """The values as they are kept, with the columns that follow from them. Raises Refusal."""
        return values

    def effects(self, row: Any, changed: Values) -> list[str]:
        """What else the change does, in sentences for whoever is about to save it."""
        return []

    def told(self, row: Any, before: Values) -> tuple[str, Values]:
        """The verb of the change and the facts that its sentence names."""
        return self.verb, {}

    def follow(self, actor: Staff, row: Any, before: Values) -> None:
        """What the change brings about beyond the row."""

    def named(self, name: str, value: Any) -> Any:
        """The value as people read it: of a reference the name of its row."""
        if value is None or name not in self.references:
            return value
        other = db.session.get(self.references[name], value)
        return str(other) if other is not None else f"number {value}"


# MARK: What several of them check


def _line(values: Values, name: str, label: str, most: int = 200, *, is_needed: bool = True) -> str:
    text = " ".join(str(values.get(name) or "").split())
    if is_needed and not text:
        raise Refusal(f"Enter the {label}", field=name)
    if len(text) > most:
        raise Refusal(f"{label.capitalize()} must be {most} characters or fewer", field=name)
    return text


def _text(values: Values, name: str, label: str, most: int) -> str:
    text = str(values.get(name) or "").strip()
    if len(text) > most:
        raise Refusal(f"{label.capitalize()} must be {most} characters or fewer", field=name)
    return text


def _one_of(values: Values, name: str, known: Any, sentence: str) -> str | None:
    text = values.get(name) or None
    if text is not None and text not in known:
        raise Refusal(sentence, field=name)
    return text


def _there(model: type[Base], values: Values, name: str, label: str, *, is_needed: bool) -> int | None:
    number = values.get(name)
    if number is None and not is_needed:
        return None
    if number is None or db.session.get(model, number) is None:
        raise Refusal(f"Choose {label} from those that were found", field=name)
    return int(number)


def _free(row: Any, column: Any, value: Any, field: str, sentence: Callable[[Any], str]) -> None:
    """Refuse a value that another row of the table has."""
    if value is None:
        return
    other = db.session.scalar(select(type(row)).where(column == value, type(row).id != (row.id or 0)))
    if other is not None:
        raise Refusal(sentence(other), field=field)


# MARK: Partners


class _Organizations(Rule):
    model = Organization
    verb = "organization.changed"
    fields = ("name", "kind", "domain")

    def prepare(self, actor: Staff, row: Any, values: Values) -> Values:
        name = _line(values, "name", "name")
        domain = read_domain(str(values.get("domain") or ""), field="domain")
        return {"name": name, "name_key": fold(name), "kind": values["kind"], "domain": domain}


class _Entities(Rule):
    model = Entity
    verb = "entity.changed"
    fields = (
        "name",
        "organization_id",
        "kind",
        "school_id",
        "show_in_app",
        "deal_visibility",
        "description",
        "website",
        "address",
    )
    references: ClassVar[Mapping[str, type[Base]]] = {"organization_id": Organization, "school_id": School}
    unique_field = "name"

    def prepare(self, actor: Staff, row: Any, values: Values) -> Values:
        organization = _there(Organization, values, "organization_id", "an organization", is_needed=True)
        name = _line(values, "name", "name")
        if fold(name) != fold(row.name) or organization != row.organization_id:
            siblings = select(Entity.name).where(Entity.organization_id == organization, Entity.id != row.id)
            if fold(name) in map(fold, db.session.scalars(siblings)):
                raise Refusal("The organization already has an entity of this name", field="name")
        return {
            "name": name,
            "organization_id": organization,
            "kind": values["kind"],
            "school_id": _there(School, values, "school_id", "a school", is_needed=False),
            "show_in_app": bool(values["show_in_app"]),
            "deal_visibility": values["deal_visibility"],
            "description": _text(values, "description", "description", 4000),
            "website": read_website(str(values.get("website") or ""), field="website"),
            "address": _text(values, "address", "address", 500),
        }

    def effects(self, row: Any, changed: Values) -> list[str]:
        if "organization_id" in changed:
            return ["The entity moves to another organization, with its contacts, invitations and history."]
        return []


class _Schools(Rule):
    model = School
    verb = "school.changed"
    created_verb = "school.created"
    fields = ("name", "city", "region", "country", "code")
    unique_field = "code"

    def prepare(self, actor: Staff, row: Any, values: Values) -> Values:
        name = _line(values, "name", "name")
        country = _line(values, "country", "country", 2).upper()
        if len(country) != 2 or not country.isascii() or not country.isalpha():
            raise Refusal("Country must be two letters, like US", field="country")
        code = _line(values, "code", "code", 32, is_needed=False) or None
        _free(row, School.code, code, "code", lambda other: f"{other.name} has this code already")
        return {
            "name": name,
            "name_key": fold(name),
            "city": _line(values, "city", "city", 120, is_needed=False),
            "region": _line(values, "region", "region", 120, is_needed=False),
            "country": country,
            "code": code,
        }


# MARK: People


class _People(Rule):
    model = Person
    permission = Permission.EDIT_PEOPLE_RECORDS
    verb = "person.changed"
    fields = ("full_name", "email", "title", "phone", "time_zone", "locale", "is_active")
    unique_field = "email"
    # A new address is a new owner of the account: what holds for roles holds here.
    needs_reason = needs_proof = needs_fresh = True

    def prepare(self, actor: Staff, row: Any, values: Values) -> Values:
        canonical = canonical_email(str(values.get("email") or ""))
        _free(
            row,
            Person.email_canonical,
            canonical,
            "email",
            lambda other: f"{other.name} has this address already",
        )
        return {
            "full_name": _line(values, "full_name", "full name", is_needed=False),
            "email": shown_email(str(values["email"])),
            "email_canonical": canonical,
            "bounced_at": row.bounced_at if canonical == row.email_canonical else None,
            "title": _line(values, "title", "title", is_needed=False),
            "phone": _line(values, "phone", "phone", 40, is_needed=False),
            "time_zone": _one_of(values, "time_zone", TIME_ZONES, "Select a time zone of the list"),
            "locale": _one_of(values, "locale", locales(), "Select a language of the list"),
            "is_active": bool(values["is_active"]),
        }

    def effects(self, row: Any, changed: Values) -> list[str]:
        told = []
        if "email_canonical" in changed:
            told.append(f"Links sent to {row.email} stop working; from now on mail goes to the new address.")
        if "email_canonical" in changed or changed.get("is_active") is False:
            told.append("This person is signed out of every browser.")
        if changed.get("is_active") is False:
            told.append("This person can no longer sign in, in any of their teams.")
        return told

    def follow(self, actor: Staff, row: Any, before: Values) -> None:
        if "email_canonical" in before or before.get("is_active") is True:
            sessions.end_all(actor=actor, person=row)


class _Affiliations(Rule):
    model = Affiliation
    permission = Permission.EDIT_PEOPLE_RECORDS
    verb = "contact.changed"
    fields = ("role", "permissions", "is_primary", "valid_until")
    needs_reason = needs_proof = needs_fresh = True

    def lock_first(self, record_id: int) -> None:
        """The entity before its contacts, in the order that services/team.py locks them."""
        owner = select(Affiliation.entity_id).where(Affiliation.id == record_id).scalar_subquery()
        db.session.execute(held(select(Entity).where(Entity.id == owner)))

    def prepare(self, actor: Staff, row: Any, values: Values) -> Values:
        if row.ended_at is not None:
            raise IllegalMove("This person's access has ended. Invite them again to give it back.")
        wanted = dict(values["permissions"] or {})
        everything = wanted.pop("all", None)
        try:
            overrides = read_overrides(wanted)
        except ValueError as error:
            raise Refusal("These are no permissions of a partner", field="permissions") from error
        # Written by nobody any more, kept where it was once given until somebody takes it away.
        if everything is True and (row.permissions or {}).get("all") is True:
            overrides["all"] = True
        until = values.get("valid_until")
        if until is not None and until != row.valid_until and until <= clock.now():
            raise Refusal(
                "Valid until must be in the future; use End access to end it now", field="valid_until"
            )
        return {
            "role": values["role"],
            "permissions": overrides,
            "is_primary": bool(values["is_primary"]),
            "valid_until": until,
        }

    def effects(self, row: Any, changed: Values) -> list[str]:
        told = (
            ["It holds from this person's next click on."] if {"role", "permissions"} & changed.keys() else []
        )
        if "role" in changed:
            told.append("They are told of their new role by email.")
        return told

    def told(self, row: Any, before: Values) -> tuple[str, Values]:
        if "role" in before:
            return "contact.role_changed", {"before": before["role"].value, "after": row.role.value}
        if set(before) == {"permissions"}:
            return "contact.overrides_changed", {}
        return self.verb, {}

    def follow(self, actor: Staff, row: Any, before: Values) -> None:
        if "role" in before:
            facts = {"before": before["role"].value, "after": row.role.value}
            mail.queue("contact.role_changed", to=row.person, entity=row.entity, **facts)


class _Invitations(Rule):
    model = Invitation
    verb = "invitation.changed"
    fields = ("role", "locale", "expires_at")

    def prepare(self, actor: Staff, row: Any, values: Values) -> Values:
        if row.state(clock.now()) is not InvitationStatus.PENDING:
            raise IllegalMove(
                "Only an invitation that is still open can be changed. Renew it to send another."
            )
        until = values.get("expires_at")
        if until is None:
            raise Refusal("Enter until when the invitation works", field="expires_at")
        if until != row.expires_at and not clock.now() < until <= clock.now() + LONGEST_INVITATION:
            raise Refusal("Works until must lie within the next 60 days", field="expires_at")
        locale = _one_of(values, "locale", locales(), "Select a language of the list")
        return {"role": values["role"], "locale": locale, "expires_at": until}

    def effects(self, row: Any, changed: Values) -> list[str]:
        return ["Nobody is told by email; the link that was sent stays the same."]


# MARK: Staff


class _Staff(Rule):
    model = Staff
    permission = Permission.MANAGE_STAFF
    verb = "staff.changed"
    fields = ("full_name", "email", "role", "is_active", "time_zone")
    unique_field = "email"
    needs_fresh = True

    def prepare(self, actor: Staff, row: Any, values: Values) -> Values:
        canonical = canonical_email(str(values.get("email") or ""))
        _free(
            row,
            Staff.email_canonical,
            canonical,
            "email",
            lambda other: f"{other.name} has this address already",
        )
        is_active, role = bool(values["is_active"]), values["role"]
        if row.id == actor.id and role is not row.role:
            raise NotAllowed("Another administrator has to change your role.")
        if row.id == actor.id and not is_active:
            raise NotAllowed("Another administrator has to close your account.")
        if role is not row.role or (row.is_active and not is_active):
            administrators.keep_one_beside(row)
        return {
            "full_name": _line(values, "full_name", "full name"),
            "email": shown_email(str(values["email"])),
            "email_canonical": canonical,
            "role": role,
            "is_active": is_active,
            "time_zone": _one_of(values, "time_zone", TIME_ZONES, "Select a time zone of the list"),
        }

    def effects(self, row: Any, changed: Values) -> list[str]:
        told = []
        if {"role", "is_active", "email_canonical"} & changed.keys():
            told.append(f"{row.name} is signed out of every browser.")
        if changed.get("is_active") is True:
            told.append("A link to choose a new password is mailed to them.")
        return told

    def follow(self, actor: Staff, row: Any, before: Values) -> None:
        if {"role", "is_active", "email_canonical"} & before.keys():
            accounts.revoke_links(row)
            staff_sign_in.close(row, "changed" if row.is_active else "deactivated")
        if before.get("is_active") is False:
            row.password_hash = None
            mail.queue("staff.password_link", to=row)


RULES: dict[type[Base], Rule] = {
    rule.model: rule
    for rule in (
        _Organizations(),
        _Entities(),
        _Schools(),
        _People(),
        _Affiliations(),
        _Invitations(),
        _Staff(),
    )
}
