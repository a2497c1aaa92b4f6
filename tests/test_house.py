"""The rules of the house: who may import whom, how long files are, what templates never do."""

import ast
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from services.audit import VERBS
from services.mail import MAILS

ROOT = Path(__file__).resolve().parent.parent
TRACKED = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    if (ROOT / name).is_file()
]
SOURCES = [path for path in TRACKED if path.suffix == ".py"]
TEMPLATES = [path for path in TRACKED if path.is_relative_to(ROOT / "templates")]

#: The floors from top to bottom. A file imports from floors below its own and from its own room.
FLOORS = (
    ("app", "wsgi"),
    ("portal", "admin", "api", "cli", "machinery"),
    ("web", "assets", "logs"),
    ("forms", "demo"),
    ("services",),
    ("permissions",),
    ("models",),
    ("language",),
    ("clock", "config"),
)
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
DOORS = set(FLOORS[1])
#: What the meaning of things must not know of.
WEB_LIBRARIES = {"flask", "flask_wtf", "flask_login", "flask_admin", "wtforms", "werkzeug"}
LONGEST = {"models.py": 1200}
#: Made by a tool or read as one list: length tells nothing about them.
UNMEASURED = re.compile(r"migrations/versions/0001_|requirements.*\.txt|\.po$|\.pot$|tests/routes\.txt")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def room_of(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """The first names of what a file imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
    return found


HOUSED = [path for path in SOURCES if room_of(path) in LEVEL]


def test_a_file_imports_only_from_floors_below_its_own():
    wrong = []
    for path in HOUSED:
        room = room_of(path)
        for other in imports_of(path) & LEVEL.keys() - {room}:
            # Within a floor that is no door, neighbours may lean on each other.
            beside = LEVEL[other] == LEVEL[room] and (room in DOORS or other in DOORS)
            if LEVEL[other] < LEVEL[room] or beside:
                wrong.append(f"{named(path)} imports {other}")
    assert not wrong


def test_nobody_imports_in_a_circle():
    """Whoever reads a file reads what it stands on first; an import in a function does not hide a circle."""
    files = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in HOUSED}
    leans_on = {name: _files_imported(path, files) - {name} for name, path in files.items()}
    while grounded := {name for name, on in leans_on.items() if not on & leans_on.keys()}:
        leans_on = {name: on for name, on in leans_on.items() if name not in grounded}
    assert not leans_on


def _files_imported(path: Path, files: Mapping[str, Path]) -> set[str]:
    """Which files of the house a file imports; a package's own `__init__` only hands names on."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found & files.keys()


def test_services_know_nothing_of_the_web():
    assert [
        named(path) for path in HOUSED if room_of(path) == "services" and imports_of(path) & WEB_LIBRARIES
    ] == []


def test_every_room_has_a_floor():
    rooms = {room_of(path) for path in SOURCES} - {"tests", "bench", "migrations"}
    assert rooms <= LEVEL.keys()


def test_no_file_is_too_long_to_be_read():
    long = {
        named(path): lines
        for path in TRACKED
        if path.suffix in {".py", ".html", ".css", ".js"} and not UNMEASURED.search(named(path))
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST.get(named(path), 400)
    }
    assert not long


def test_every_file_says_what_lives_in_it():
    mute = [
        named(path)
        for path in SOURCES
        if (text := path.read_text(encoding="utf-8")).strip() and not ast.get_docstring(ast.parse(text))
    ]
    assert not mute


def test_every_public_function_of_a_service_says_what_it_does():
    mute = [
        f"{named(path)}: {node.name}"
        for path in HOUSED
        if room_of(path) == "services"
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert not mute


BANNED = {
    "|safe": r"\|\s*safe\b",
    "an inline style": r"\sstyle\s*=",
    "an inline handler": r"\son[a-z]+\s*=\s*[\"']",
    "an inline script": r"<script(?![^>]*\bsrc=)",
    "a javascript: address": r"javascript:",
    "switched-off escaping": r"autoescape\s+false",
    "another host": r"(?:src|href)=[\"']https?://(?!\{)",
}


def test_templates_keep_the_content_policy():
    found = []
    for path in TEMPLATES:
        text = path.read_text(encoding="utf-8")
        is_mail = "mail" in named(path)  # mail programs read nothing but inline styles
        found += [
            f"{named(path)}: {what}"
            for what, pattern in BANNED.items()
            if re.search(pattern, text) and not (is_mail and what == "an inline style")
        ]
    assert not found


#: Where markup is made in Python, each read with care: icons of a package; options that `format` escapes;
#: translated words around escaped values; the floor of the bench, which renders what it wrote itself.
REVIEWED = {"assets.py", "forms/choices.py", "language.py", "bench/floor.py"}


def test_markup_is_made_in_reviewed_places_alone():
    """`Markup(` and templates from text would let data become markup."""
    risky = re.compile(r"\bMarkup\(|render_template_string|from_string\(")
    found = {
        named(path)
        for path in SOURCES
        if room_of(path) != "tests" and risky.search(path.read_text(encoding="utf-8"))
    }
    assert found <= REVIEWED


def test_the_present_comes_from_the_clock_alone():
    """A second clock would not stand still in tests."""
    asked = re.compile(r"datetime\.now\(|utcnow\(|date\.today\(|time\.time\(\)")
    found = {
        named(path)
        for path in HOUSED
        if room_of(path) != "clock" and asked.search(path.read_text(encoding="utf-8"))
    }
    assert not found


def test_flask_admins_risky_parts_are_not_used():
    risky = re.compile(r"fileadmin|rediscli|FileUploadField|ImageUploadField|SecureForm")
    found = {str(path.relative_to(ROOT)) for path in HOUSED if risky.search(path.read_text(encoding="utf-8"))}
    assert not found


#: What is done in one place: a pattern, and the files that may have it.
PLACES = {
    "a transaction is ended for good": (r"\.commit\(\)", {"services/transaction.py"}),
    # Beside `held`: the head of the audit log's chain, all administrators at once, and a queue's next.
    "rows are locked": (
        r"with_for_update",
        {
            "services/transaction.py",
            "services/audit.py",
            "services/administrators.py",
            "services/mail_delivery.py",
            "demo/scale.py",
        },
    ),
    "a browser is sent on": (r"(?<![\w.])redirect\(", {"web.py"}),
    "rows become CSV": (r"csv\.writer", {"services/exports.py"}),
    "a token goes into a cookie": (r"\.set_cookie\(", {"web.py", "portal/profile.py"}),  # and the theme
}


@pytest.mark.parametrize("what", PLACES)
def test_what_has_one_place_is_done_there_alone(what):
    pattern, places = PLACES[what]
    found = {named(path) for path in HOUSED if re.search(pattern, path.read_text(encoding="utf-8"))}
    assert found <= places


def test_every_verb_and_every_mail_is_used():
    """What the log and the mails can say is what happens, and nothing that used to."""
    for name, kinds in (("services/audit.py", VERBS), ("services/mail.py", MAILS)):
        said = "".join(path.read_text(encoding="utf-8") for path in HOUSED if named(path) != name)
        assert [kind for kind in kinds if f'"{kind}"' not in said] == []
