"""A translation that anybody can read and nobody can mistake for English: accented, longer, in brackets.

    "Sign in to %(portal)s"  →  "⟦Śíǵń íń ťó %(portal)s łóŕéɱ⟧"

No Latin letter is left in it, so one that is seen on a page is a name, an address or an untranslated text.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from selectolax.lexbor import LexborHTMLParser, LexborNode

from language import TIME_ZONES, locales

ROOT = Path(__file__).resolve().parent.parent
LONGER = 1.4  #: how much longer than English a translation may well be
_PLAIN = "abcdefghijklmnopqrstuvwxyz"
_ACCENTED = "áƀćđéƒǵĥíĵķłɱńóƥɋŕśťúʋŵẋýź"
_LETTERS = str.maketrans(_PLAIN + _PLAIN.upper(), _ACCENTED + _ACCENTED.upper())
_PLACEHOLDER = re.compile(r"(%\(\w+\)[sd]|%%|%[sd]|\{\w+\})")
_FILLER = "łóŕéɱ íƥśúɱ đółóŕ śíť áɱéť "

#: What stands in every language alike: the product, zones, and what machines made.
_ALIKE = re.compile(
    r"https?://\S+"
    r"|[\w.+•…-]+@[\w.-]+"  # addresses, masked ones too
    r"|\bINV-[A-Z0-9]+"
    r"|\b[0-9a-f]{16}\b"  # request ids
    r"|\b(?:UTC|GMT|CE?S?T|CDT)\b"
    r"|\bPortico\b"
)
_SAID = ("title", "placeholder", "aria-label", "alt", "data-copied", "data-found", "data-none")
_UNREAD = "script, style, .avatar, .monogram"  # initials are a picture of a name


def pseudo(text: str) -> str:
    """The text in pseudo language, its placeholders as they were."""
    parts = _PLACEHOLDER.split(text)
    said = "".join(part if index % 2 else part.translate(_LETTERS) for index, part in enumerate(parts))
    missing = int(len(text) * LONGER) + 1 - len(text) - 2
    return f"⟦{said}{' ' + (_FILLER * (missing // len(_FILLER) + 1))[: missing - 1] if missing > 1 else ''}⟧"


def messages(folder: Path, new: str = "") -> None:
    """`make messages`, as translators run it, on catalogues that lie in this folder."""
    programs = Path(sys.executable).parent
    wanted = [f"TRANSLATIONS={folder}", f"BIN={programs}", f"NEW={new}"]
    around = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--no-print-directory", "-o", ".venv/dev", "messages", *wanted]
    done = subprocess.run(command, cwd=ROOT, env=around, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def catalogue(folder: Path, locale: str) -> Catalog:
    """The catalogue of that language as its file holds it."""
    with (folder / locale / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=locale)


def translate(folder: Path, locale: str) -> None:
    """Begin that language, translate every text to pseudo language, and compile it."""
    messages(folder, new=locale)
    found = catalogue(folder, locale)
    for message in found:
        if message.id:
            ids = message.id if isinstance(message.id, tuple) else (message.id,)
            texts = tuple(pseudo(str(ids[min(form, len(ids) - 1)])) for form in range(found.num_plurals))
            message.string = texts if isinstance(message.id, tuple) else pseudo(str(message.id))
    with (folder / locale / "LC_MESSAGES" / "messages.po").open("wb") as file:
        write_po(file, found)
    messages(folder)


# MARK: Reading


def untranslated(html: LexborHTMLParser, data: Iterable[str]) -> list[str]:
    """Every text on the page, or in an attribute that is read, with Latin letters that are not data."""
    return [text for text in _texts(html) if letters_left(text, data)]


def letters_left(text: str, data: Iterable[str]) -> str:
    """What remains of a text in Latin letters, once data is taken away."""
    text = _ALIKE.sub(" ", text)
    for known in sorted(filter(None, data), key=len, reverse=True):
        text = text.replace(known, " ")
    return " ".join(re.findall(r"[A-Za-z]+", _ALIKE.sub(" ", text)))


def _texts(html: LexborHTMLParser) -> Iterator[str]:
    unread = {node.mem_id for node in html.css(_UNREAD)}
    assert html.root is not None
    for node in html.root.traverse(include_text=True):
        if node.tag == "-text":
            above = node.parent
            if above is not None and above.mem_id not in unread and not _has_own_name(above):
                yield " ".join((node.text_content or "").split())
            continue
        attributes = node.attributes
        yield from (attributes[name] or "" for name in _SAID if name in attributes)
        if node.tag == "meta" and attributes.get("name") == "description":
            yield attributes.get("content") or ""
        if node.tag == "input" and attributes.get("type") in {"submit", "button"}:
            yield attributes.get("value") or ""
        if (attributes.get("href") or "").startswith("mailto:"):
            yield from parse_qs(urlsplit(attributes["href"] or "").query).get("subject", [])


def _has_own_name(node: LexborNode) -> bool:
    """What is chosen by a name of its own: a time zone by its city, a language in itself."""
    value = node.attributes.get("value") if node.tag == "option" else None
    return value in TIME_ZONES or value in locales()
