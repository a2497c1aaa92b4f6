"""Made-up rows, the same for the same seed: generators that know no database."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from services import keys
from services.names import fold

BEGIN = datetime(2024, 1, 1, 8, tzinfo=UTC)
SPAN = 730 * 86_400  # seconds over which the rows are spread

_FIRST = (
    "Ana",
    "Ben",
    "Chidi",
    "Dara",
    "Elif",
    "Femi",
    "Greta",
    "Hiro",
    "Ines",
    "Jan",
    "Kofi",
    "Lena",
    "Mara",
    "Nils",
)
_LAST = (
    "Abe",
    "Brandt",
    "Costa",
    "Diaz",
    "Eze",
    "Fischer",
    "Garcia",
    "Haddad",
    "Ito",
    "Jansen",
    "Kaya",
    "Lund",
    "Mensah",
)
_HEAD = (
    "Evergreen",
    "Northwind",
    "Cedar",
    "Granite",
    "Harbour",
    "Summit",
    "Prairie",
    "Lakeside",
    "Redwood",
    "Meridian",
)
_BODY = (
    "State",
    "City",
    "Central",
    "Valley",
    "Coastal",
    "Northern",
    "Southern",
    "Pacific",
    "Atlantic",
    "Mountain",
)
_OFFICES = (
    "Admissions Office",
    "College of Business",
    "College of Engineering",
    "Graduate Studies",
    "Career Services",
    "Alumni Program",
)
_KINDS = {
    "university": "University",
    "college": "College",
    "high_school": "High School",
    "company": "Company",
    "nonprofit": "Foundation",
}
_ENTITY_KINDS = ("admissions", "program", "department", "office")
_ROLES = ("principal", "salesperson", "salesperson", "technical", "finance", "viewer")
_VERBS = ("session.started", "contact.changed", "entity.changed", "person.changed", "note.added")

Row = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """How many rows of each kind N deals' worth are."""

    deals: int

    @property
    def organizations(self) -> int:
        return max(self.deals // 100, 1)

    @property
    def entities(self) -> int:
        return self.organizations * 2

    @property
    def people(self) -> int:
        return max(self.deals // 5, 2)

    @property
    def second_affiliations(self) -> int:
        return self.deals // 25

    @property
    def invitations(self) -> int:
        return self.deals // 25

    @property
    def schools(self) -> int:
        return self.organizations

    @property
    def events(self) -> int:
        return self.deals * 2


def _moment(number: int, of: int) -> datetime:
    """Rises with the number, so that ids and moments have one order."""
    return BEGIN + timedelta(seconds=SPAN * number / max(of, 1), microseconds=number % 1000)


def schools(size: Size, seed: int) -> Iterator[Row]:
    chance = random.Random(f"{seed}:schools")  # noqa: S311 – made-up rows, no secrets
    for number in range(1, size.schools + 1):
        name = f"{chance.choice(_HEAD)} {chance.choice(_BODY)} School {number}"
        yield {
            "id": number,
            "name": name,
            "name_key": fold(name),
            "city": chance.choice(_BODY),
            "region": "NE",
            "country": "US",
            "code": f"S{number:07}",
            "created_at": _moment(number, size.schools),
            "version": 1,
        }


def organizations(size: Size, seed: int) -> Iterator[Row]:
    chance = random.Random(f"{seed}:organizations")  # noqa: S311
    kinds = list(_KINDS)
    for number in range(1, size.organizations + 1):
        kind = kinds[number % len(kinds)]
        name = f"{chance.choice(_HEAD)} {chance.choice(_BODY)} {_KINDS[kind]} {number}"
        yield {
            "id": number,
            "name": name,
            "name_key": fold(name),
            "kind": kind,
            "domain": f"org{number}.example",
            "status": "suspended" if number % 97 == 0 else "active",
            "created_at": _moment(number, size.organizations),
            "version": 1,
        }


def entities(size: Size, seed: int) -> Iterator[Row]:
    chance = random.Random(f"{seed}:entities")  # noqa: S311
    for number in range(1, size.entities + 1):
        status = "pending" if number % 9 == 0 else "suspended" if number % 50 == 0 else "active"
        created = _moment(number, size.entities)
        yield {
            "id": number,
            "organization_id": (number + 1) // 2,
            "name": f"{chance.choice(_OFFICES)} {number}",
            "kind": _ENTITY_KINDS[number % 4],
            "school_id": (number + 1) // 2 if number % 3 == 0 else None,
            "show_in_app": number % 7 != 0,
            "status": status,
            "onboarding_status": "not_started" if status == "pending" else "completed",
            "deal_visibility": "own",
            "description": "Made up to measure with.",
            "website": f"https://org{number}.example/",
            "address": f"{number} Main Street",
            "activated_at": None if status == "pending" else created + timedelta(days=1),
            "last_activity_at": created + timedelta(days=chance.randrange(1, 60)),
            "created_at": created,
            "version": 1,
        }


def people(size: Size, seed: int) -> Iterator[Row]:
    chance = random.Random(f"{seed}:people")  # noqa: S311
    for number in range(1, size.people + 1):
        first, last = chance.choice(_FIRST), chance.choice(_LAST)
        email = f"{first}.{last}.{number}@org{_entity_of(number, size)}.example".lower()
        created = _moment(number, size.people)
        yield {
            "id": number,
            "email": email,
            "email_canonical": email,
            "full_name": f"{first} {last}",
            "title": "Coordinator",
            "phone": "",
            "time_zone": "America/Chicago",
            "locale": "en",
            "is_active": number % 101 != 0,
            "profile_completed_at": created + timedelta(days=1),
            "bounced_at": None,
            "epoch": 1,
            "last_seen_at": created + timedelta(days=chance.randrange(1, 90)),
            "created_at": created,
            "version": 1,
        }


def _entity_of(person: int, size: Size) -> int:
    return (person - 1) % size.entities + 1


def affiliations(size: Size, seed: int) -> Iterator[Row]:
    chance = random.Random(f"{seed}:affiliations")  # noqa: S311
    for number in range(1, size.people + size.second_affiliations + 1):
        person = number if number <= size.people else number - size.people
        is_second = number > size.people
        entity = _entity_of(person + (1 if is_second else 0), size)
        overrides = {"view_analytics": True} if number % 40 == 0 else {}
        yield {
            "id": number,
            "partner_user_id": person,
            "entity_id": entity,
            "role": "principal" if person <= size.entities and not is_second else chance.choice(_ROLES[1:]),
            "permissions": overrides,
            "is_primary": not is_second,
            "valid_until": None,
            "ended_at": None,
            "created_at": _moment(number, size.people + size.second_affiliations),
            "version": 1,
        }


def invitations(size: Size, seed: int) -> Iterator[Row]:
    states = ("accepted", "expired", "revoked", "pending")
    for number in range(1, size.invitations + 1):
        status = states[number % 4]
        created = _moment(number, size.invitations)
        email = f"invited.{number}@org{_entity_of(number, size)}.example"
        yield {
            "id": number,
            "entity_id": _entity_of(number, size),
            "email": email,
            "email_canonical": email,
            "role": "salesperson",
            "invitation_code": f"INV-G{number:07}",  # longer than a real one, so that none collides
            "url_digest": keys.digest(f"generated:{seed}:{number}"),
            "url_secret": "",
            "invited_by": "Generated",
            "invited_by_staff_id": None,
            "invited_by_person_id": None,
            "locale": None,
            "status": status,
            "expires_at": created + timedelta(days=7 if status != "pending" else 3650),
            "accepted_at": created + timedelta(days=1) if status == "accepted" else None,
            "accepted_by_id": number if status == "accepted" else None,
            "ended_at": created + timedelta(days=7) if status in {"expired", "revoked"} else None,
            "replaces_id": None,
            "created_at": created,
            "version": 1,
        }


def events(size: Size, seed: int) -> Iterator[Row]:
    chance = random.Random(f"{seed}:events")  # noqa: S311
    for number in range(1, size.events + 1):
        person = chance.randrange(size.people) + 1
        entity = _entity_of(person, size)
        verb = _VERBS[number % len(_VERBS)]
        about_person = verb not in {"entity.changed", "note.added"}
        yield {
            "created_at": _moment(number, size.events),
            "actor_kind": "person",
            "actor_id": person,
            "actor_label": f"Person {person}",
            "on_behalf_of": "",
            "verb": verb,
            "subject_table": "partner_users" if about_person else "partner_entities",
            "subject_id": person if about_person else entity,
            "subject_label": f"Person {person}" if about_person else f"Entity {entity}",
            "entity_id": entity,
            "person_id": person if about_person else None,
            "changes": {f"partner_users:{person}": {"title": ["", "Coordinator"]}} if number % 5 == 3 else {},
            "facts": {},
            "reason": "",
            "address": "192.0.2.1",
            "agent": "Firefox, Windows",
            "request_id": f"{number:016x}",
        }
