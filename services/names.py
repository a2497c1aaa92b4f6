"""Names, domains and websites as people type them: one spelling to compare, one form to keep.

`fold` is what `name_key` holds; two names with one key are the same name in another spelling.
"""

import ipaddress
import re
import unicodedata
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from rapidfuzz import fuzz
from sqlalchemy import func, select

from language import _
from models import Entity, EntityKind, Organization, OrganizationKind, School, db
from services import search
from services.errors import Refusal

#: Letters that Unicode does not take apart, as they are typed without them.
_LETTERS = str.maketrans(
    {
        "ł": "l",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        "ı": "i",
        "&": " and ",
        "’": "",
        "'": "",
    }
)
_SHORT = {"univ": "university", "uni": "university", "hs": "high school", "dept": "department", "st": "saint"}
_SILENT = frozenset({"the"})
#: Legal forms, which people leave out or write in many ways.
_LEGAL = frozenset(
    {"inc", "llc", "ltd", "limited", "gmbh", "corp", "corporation", "co", "company", "ag", "sa", "plc"}
)

LONGEST_KEY = 200
#: How alike two keys must be, of 100, for a warning.
ALIKE = 88
#: How many neighbours in the index are looked at on each side, and how many matches of a word.
_NEAR = 40
MOST_FOUND = 20


def fold(name: str) -> str:
    """The name without case, accents, punctuation, "the", and with common short forms written out."""
    text = unicodedata.normalize("NFKD", name.casefold().translate(_LETTERS))
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    words = [_SHORT.get(word, word) for word in re.split(r"[\W_]+", text) if word]
    kept = [word for word in words if word not in _SILENT] or words
    return (" ".join(kept) or " ".join(name.casefold().split()))[:LONGEST_KEY]


class Found(NamedTuple):
    """A hit of a search: what a list or a type-ahead shows of it."""

    id: int
    label: str
    hint: str


def similar_organizations(name: str, *, limit: int = 5) -> list[Found]:
    """Organizations whose name is this one in another spelling, the most alike first.

    Only neighbours in the index of folded names and matches of the rarest words are compared, so it
    takes as long among a million organizations as among ten.
    """
    key = fold(name)
    if len(key) < 3:
        return []
    nearest = select(Organization.id, Organization.name_key)
    after = nearest.where(Organization.name_key >= key).order_by(Organization.name_key).limit(_NEAR)
    before = nearest.where(Organization.name_key < key).order_by(Organization.name_key.desc()).limit(_NEAR)
    words = sorted((word for word in key.split() if len(word) > 3), key=len, reverse=True)[:2]
    queries = [after, before]
    if words:
        queries += [
            nearest.where(search.matching(Organization, (Organization.name,), word)).limit(5 * _NEAR)
            for word in words
        ]
    keys = {row.id: row.name_key for query in queries for row in db.session.execute(query)}
    scores = {number: _alike(key, other) for number, other in keys.items()}
    best = sorted((number for number, score in scores.items() if score >= ALIKE), key=lambda n: -scores[n])
    return _organizations(best[:limit])


def _alike(left: str, right: str) -> float:
    """How alike two keys are, of 100; legal forms do not count, a word more or less does."""
    left, right = _without_legal_form(left), _without_legal_form(right)
    if left == right:
        return 100
    return max(fuzz.ratio(left, right), fuzz.token_sort_ratio(left, right))


def _without_legal_form(key: str) -> str:
    return " ".join(word for word in key.split() if word not in _LEGAL) or key


def search_organizations(needle: str) -> list[Found]:
    """At most MOST_FOUND organizations whose name begins with or contains the needle, or with that domain."""
    key = fold(needle)
    if not key:
        return []
    first = select(Organization.id, Organization.name_key).where(Organization.name_key >= key)
    rows = db.session.execute(first.order_by(Organization.name_key).limit(MOST_FOUND))
    found = [row.id for row in rows if row.name_key.startswith(key)]
    if len(found) < MOST_FOUND and len(needle) >= 3:
        found += db.session.scalars(
            select(Organization.id)
            .where(search.matching(Organization, (Organization.name,), needle))
            .limit(MOST_FOUND)
        )
        if "." in needle:
            found += db.session.scalars(
                select(Organization.id).where(Organization.domain == needle.lower()).limit(MOST_FOUND)
            )
    return _organizations(list(dict.fromkeys(found))[:MOST_FOUND])


def search_schools(needle: str) -> list[Found]:
    """At most MOST_FOUND schools whose name begins with or contains the needle, or with that code."""
    key = fold(needle)
    if not key:
        return []
    columns = (School.id, School.name, School.city, School.region, School.country)
    first = select(School.name_key, *columns).where(School.name_key >= key)
    ranked = db.session.execute(first.order_by(School.name_key).limit(MOST_FOUND))
    rows: list[Any] = [row for row in ranked if row.name_key.startswith(key)]
    if len(rows) < MOST_FOUND and len(needle) >= 3:
        rows += db.session.execute(
            select(*columns).where(search.matching(School, (School.name,), needle)).limit(MOST_FOUND)
        )
        rows += db.session.execute(select(*columns).where(School.code == needle).limit(1))
    found = {row.id: Found(row.id, row.name, _place(row.city, row.region, row.country)) for row in rows}
    return list(found.values())[:MOST_FOUND]


def _place(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


KIND_WORDS: dict[OrganizationKind, str] = {
    OrganizationKind.UNIVERSITY: "University",
    OrganizationKind.HIGH_SCHOOL: "High school",
    OrganizationKind.COLLEGE: "College",
    OrganizationKind.COMPANY: "Company",
    OrganizationKind.NONPROFIT: "Nonprofit",
}


ENTITY_KIND_WORDS: dict[EntityKind, str] = {
    EntityKind.ADMISSIONS: "Admissions",
    EntityKind.PROGRAM: "Program",
    EntityKind.DEPARTMENT: "Department",
    EntityKind.OFFICE: "Office",
}


def _organizations(numbers: list[int]) -> list[Found]:
    """The organizations of those numbers in that order, each with its type and number of entities."""
    if not numbers:
        return []
    count = (
        select(func.count())
        .where(Entity.organization_id == Organization.id)
        .correlate(Organization)
        .scalar_subquery()
    )
    rows = db.session.execute(
        select(
            Organization.id,
            Organization.name,
            Organization.kind,
            Organization.domain,
            count.label("entities"),
        ).where(Organization.id.in_(numbers))
    )
    found = {}
    for row in rows:
        partners = "1 entity" if row.entities == 1 else f"{row.entities} entities"
        found[row.id] = Found(row.id, row.name, _dotted(KIND_WORDS[row.kind], row.domain, partners))
    return [found[number] for number in numbers if number in found]


def _dotted(*parts: str | None) -> str:
    return " · ".join(part for part in parts if part)


# MARK: Domains and websites


def read_domain(text: str, *, field: str) -> str | None:
    """The domain in lower case and punycode, from a domain or an address that holds one; None when empty.

    Raises Refusal on that field.
    """
    text = text.strip().lower()
    if not text:
        return None
    text = text.removeprefix("https://").removeprefix("http://").split("/")[0].rpartition("@")[2]
    text = text.removeprefix("www.").rstrip(".")
    try:
        domain = text.encode("idna").decode("ascii") if text else ""
    except UnicodeError:
        domain = ""
    if not _is_domain(domain):
        raise Refusal(_("The domain must look like unl.edu"), field=field)
    return domain


def read_website(text: str, *, field: str) -> str:
    """The address of a website with its scheme; "" when empty. Raises Refusal on that field."""
    text = text.strip()
    if not text:
        return ""
    if "://" not in text:
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    plain = not parts.username and not parts.password if host else False
    if (
        not host
        or not plain
        or parts.scheme not in {"http", "https"}
        or (port is not None and not 0 < port < 65536)
        or not _is_domain(_ascii(host))
        or re.search(r"[\s<>\"\\^`{|}\x00-\x1f]", text)
        or len(text) > 500
    ):
        raise Refusal(_("Website must be an address like https://admissions.unl.edu"), field=field)
    return text


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def _is_domain(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        label = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
        return (
            len(text) <= 253
            and re.fullmatch(rf"(?:{label}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9]", text) is not None
        )
    return False
