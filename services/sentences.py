"""Audit events as sentences: the verb's words with the event's names in them, and what an edit changed."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

import language
from language import LazyString, _l
from services import audit

#: Words inside sentences for the values that facts and changes hold.
WORDS: dict[str, LazyString] = {
    "principal": _l("principal"),
    "salesperson": _l("salesperson"),
    "technical": _l("technical"),
    "finance": _l("finance"),
    "viewer": _l("viewer"),
}

#: For a browser or system that did not tell its family (web.families says "Other").
_UNTOLD_FAMILIES = {"browser": _l("an unknown browser"), "system": _l("an unknown system")}

_FIELDS = {
    "kind": "Type",
    "school_id": "School",
    "show_in_app": "Shown in the app",
    "deal_visibility": "Salespeople see",
    "permissions": "Overrides",
    "full_name": "Name",
    "organization_id": "Organization",
}
#: Columns that follow from others or say nothing to a reader.
_UNTOLD = frozenset(
    {"name_key", "email_canonical", "epoch", "profile_completed_at", "partner_user_id", "entity_id"}
)

_PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")


class Part(NamedTuple):
    """A piece of a sentence: plain, strong, or a link."""

    text: str
    url: str = ""
    is_strong: bool = False


class Change(NamedTuple):
    """What a field was and what it is now."""

    label: str
    old: str
    new: str


#: Makes the address of a row's page from its table and number; "" where it has none.
Link = Callable[[str, int], str]


def sentence_of(row: Any, link: Link | None) -> tuple[Part, ...]:
    """The verb's sentence in the reader's language, its placeholders filled part by part."""
    template = str(audit.VERBS.get(row.verb, row.verb))
    parts: list[Part] = []
    position = 0
    for found in _PLACEHOLDER.finditer(template):
        parts.append(Part(template[position : found.start()].replace("%%", "%")))
        position = found.end()
        match found[1]:
            case "actor":
                parts.append(Part(row.actor_label, is_strong=True))
            case "subject":
                url = link(row.subject_table, row.subject_id) if link and row.subject_id else ""
                parts.append(Part(row.subject_label, url=url, is_strong=not url))
            case name:
                parts.append(Part(word(row.facts.get(name, ""))))
    parts.append(Part(template[position:].replace("%%", "%")))
    return tuple(part for part in parts if part.text)


def word(value: object) -> str:
    """A value as a reader says it: roles in their language, truth as yes and no, nothing as a dash."""
    if value is None or value in ("", {}):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(
            f"{'may' if on else 'may not'} {key.replace('_', ' ')}" for key, on in sorted(value.items())
        )
    text = str(value)
    return str(WORDS[text]) if text in WORDS else text


def family(kind: str, name: str) -> str:
    """The family of a "browser" or a "system" as a sentence names it."""
    return str(_UNTOLD_FAMILIES[kind]) if name in {"", "Other"} else name


def note_body(row: Any) -> str:
    """The text of the note that the event is about."""
    for fields in row.changes.values():
        if "body" in fields:
            return str(fields["body"][1])
    return ""


def told_changes(verb: str, changes: dict[str, Any], facts: dict[str, Any]) -> tuple[Change, ...]:
    """The fields of an edit with old and new value; nothing for what a sentence says whole."""
    if not verb.endswith("changed") or verb == "contact.role_changed":
        return ()
    told = []
    for fields in changes.values():
        for name, (old, new) in fields.items():
            if name in _UNTOLD:
                continue
            names = facts.get(name)
            before, after = names if isinstance(names, list) and len(names) == 2 else (old, new)
            label = _FIELDS.get(name, name.replace("_", " ").capitalize())
            told.append(Change(label, shown(before), shown(after)))
    return tuple(told)


def shown(value: object) -> str:
    """A value of a change as a reader says it: moments in their zone, at most 200 characters."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", value):
        return language.moment(datetime.fromisoformat(value))
    text = word(value)
    if re.fullmatch(r"[a-z]+(_[a-z]+)+", text):
        return text.replace("_", " ")
    return text if len(text) <= 200 else f"{text[:200]}…"
