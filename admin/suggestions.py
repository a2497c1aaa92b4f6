"""What is suggested while somebody types the name of a row, by the last part of its records' address."""

from typing import Any

from admin.filters import Reference, Suggested
from models import Entity, Organization, Person, School, Staff

SUGGESTED: dict[str, Suggested] = {
    "organizations": Suggested(
        Organization, (Organization.name,), Organization.name, hint=Organization.domain
    ),
    "entities": Suggested(
        Entity, (Entity.name,), Entity.name, hint=Organization.name, join=Entity.organization
    ),
    "people": Suggested(
        Person, (Person.full_name, Person.email_canonical), Person.full_name, hint=Person.email
    ),
    "schools": Suggested(School, (School.name,), School.name, hint=School.city),
    "staff": Suggested(Staff, (Staff.full_name,), Staff.full_name, hint=Staff.email),
}


def reference(key: str, label: str, column: Any, table: str, *, promoted: bool = False) -> Reference:
    """Rows whose `column` points to one row of that table, found by typing its name."""
    return Reference(
        key, label, promoted, column=column, suggested=SUGGESTED[table], endpoint=f"records_{table}.lookup"
    )


def person_filter(column: Any) -> Reference:
    """Rows of one person."""
    return reference("person", "Person", column, "people")
