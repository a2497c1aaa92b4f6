"""What nobody types by accident, at every route and in every field: refused in order, nothing of it saved."""

import http.client
import re
import threading
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest
from flask import Flask
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import delete, func, select
from werkzeug.routing import Rule

import web
from models import Affiliation, Person, RateCount, Session, Staff, db
from permissions import PUBLIC
from services.transaction import transaction
from tests import cast, make
from tests.contexts import apart
from tests.html_forms import Form
from tests.test_permissions import Sample
from tests.visitor import Visitor

#: Percent-encoded as they would stand in an address or a form: invalid UTF-8, half of a surrogate pair,
#: a number no column holds, several at once, a line break for a header, a text as long as a page.
TEXTS = (
    "%FF%FE",
    "%ED%A0%80",
    "9" * 25,
    "-1",
    "1,2",
    "%0D%0ASet-Cookie:%20a=b",
    "'%20OR%201=1;%20DROP%20TABLE%20partner_users;--",
    "%F0%9F%98%80%E2%80%AE",
    "x" * 10_000,
)
PATHS = (*TEXTS[:5], "0", "%00", "..%2F..%2Fetc%2Fpasswd", "%EF%BC%91", "x" * 10_000)
#: What a list reads from its address, whatever the list.
NAMES = (
    "page",
    "size",
    "sort",
    "after",
    "q",
    "id",
    "next",
    "record",
    "view",
    "state",
    "status",
    "theme",
    "tab",
)
#: Columns that no form has, as somebody would add them who knows our tables.
CANARY = "canary-of-a-hostile-form"
EXTRA = {
    "id": "987654",
    "role": "admin",
    "status": "offboarded",
    "is_active": "",
    "is_primary": "y",
    "epoch": "987654",
    "version": "987654",
    "created_at": "1999-01-01T00:00:00+00:00",
    "permissions": '{"all": true}',
    "password_hash": CANARY,
    "email_canonical": CANARY,
    "organization_id": "987654",
    "entity_id": "987654",
    "name_key": CANARY,
    "onboarding_status": "completed",
    "invitation_code": CANARY,
    "_method": "DELETE",
    "__class__": CANARY,
}
#: Says 503 as long as no worker runs.
HONEST = {"/readyz"}
DOORS = ("desk", "portal", "outside")


def token_in(page: str) -> str:
    """What our forms carry against forgery."""
    return re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]


class Attacker:
    """Somebody at one of the doors who sends what no browser would."""

    def __init__(self, browse: Visitor, door: str) -> None:
        self.visitor = browse.another()
        self.door = door
        self.sample = Sample()
        self.answers: list[str] = []
        self.enter()

    def enter(self) -> None:
        """Be signed in, whatever the last form did, and not slowed down by any limit."""
        with transaction():
            db.session.execute(delete(RateCount))
        db.session.expire_all()
        if self.door == "desk":
            self.visitor.keep_cookie(web.cookie_name("staff"), make.desk(cast.staff(cast.SAM)))
        if self.door == "portal":
            self.visitor.keep_cookie(web.cookie_name("pp"), make.session(cast.contact(cast.AMARA)))
        home = {"desk": "/admin/account/", "portal": "/partners/profile", "outside": "/partners/login"}
        self.token = token_in(self.get(home[self.door]).text)

    def send(self, method: str, path: str, query: str = "", body: str = "") -> Any:
        """The bytes as they stand; an answer that is a fault of ours is noted."""
        environ = {"PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "QUERY_STRING": query}
        answer = apart(
            lambda: self.visitor.client.open(
                "/",
                method=method,
                base_url=self.visitor.base_url,
                data=body.encode() if method == "POST" else None,
                content_type="application/x-www-form-urlencoded" if method == "POST" else None,
                headers={"Sec-Fetch-Site": "same-origin"},
                environ_overrides=environ,
                buffered=True,
            )
        )
        if answer.status_code >= 500 and path not in HONEST:
            self.answers.append(f"{method} {path[:80]}?{query[:80]} {body[:120]}: {answer.status_code}")
        assert CANARY not in (answer.location or "")
        return answer

    def get(self, path: str) -> Any:
        return self.send("GET", path)

    def post(self, path: str, fields: list[tuple[str, str]]) -> Any:
        """Names and percent-encoded values, with the token that our forms carry."""
        sent = [("csrf_token", quote(self.token)), *fields]
        answer = self.send("POST", path, body="&".join(f"{quote(name)}={value}" for name, value in sent))
        if "/login" in (answer.location or "") or answer.status_code == 429:
            self.enter()
        return answer

    def rules(self, app: Flask) -> Iterator[Rule]:
        """Every route of this door."""
        for rule in app.url_map.iter_rules():
            is_public = web.mark_of_endpoint(rule.endpoint) == PUBLIC
            door = "outside" if is_public else "desk" if rule.rule.startswith("/admin") else "portal"
            if door == self.door:
                yield rule

    def forms(self, app: Flask) -> dict[str, list[tuple[str, str]]]:
        """Every form that posts, on any page of this door: where to, and its fields as the page has them."""
        found: dict[str, list[tuple[str, str]]] = {}
        for rule in self.rules(app):
            path = self.sample.path(rule)
            if "GET" not in (rule.methods or ()) or self.get(path).mimetype != "text/html":
                continue
            page = LexborHTMLParser(self.get(path).text)
            for form in page.css("form[method=post]"):
                action = (form.attributes.get("action") or path).partition("?")[0]
                fields = [
                    (name, quote(value))
                    for name, value in Form(page, form, None).values()
                    if name != "csrf_token" and isinstance(value, str)
                ]
                found.setdefault(action, fields)
        for rule in self.rules(app):  # and what takes a POST without such a form
            if "POST" in (rule.methods or ()):
                found.setdefault(self.sample.path(rule), [])
        return found


def lists(app: Flask) -> dict[str, list[str]]:
    """The names that each list of the desk reads, by the endpoint of its view."""
    found = {}
    for view in app.extensions["admin"][0]._views:
        if hasattr(view, "listing"):
            keys = [each.key for each in view.listing.filters]
            found[view.endpoint] = [*keys, *(f"{key}_text" for key in keys), *(f"{key}_from" for key in keys)]
    return found


@pytest.mark.parametrize("door", DOORS)
def test_no_address_breaks_a_page(app, browse, door):
    attacker = Attacker(browse, door)
    known = lists(app)
    for rule in attacker.rules(app):
        methods = rule.methods or set()
        view = rule.endpoint.partition(".")[0]
        is_list = view in known and rule.endpoint.endswith((".index", ".index_view", ".lookup"))
        names = [*NAMES, *known[view]] if is_list else NAMES
        if "GET" in methods:
            path = attacker.sample.path(rule)
            for text in TEXTS if is_list else TEXTS[:3]:
                told = names if len(text) < 100 else ("q", "page", "next")
                attacker.send("GET", path, "&".join(f"{name}={text}&{name}={text}" for name in told))
            attacker.send("GET", path, "q=%00")
        for argument in re.findall(r"<[^>]+>", rule.rule):
            for text in PATHS:
                others = attacker.sample.path(rule).split("/")
                path = "/".join(
                    part.replace(argument, text) if argument in part else other
                    for part, other in zip(rule.rule.split("/"), others, strict=True)
                )
                if "GET" in methods:
                    attacker.send("GET", path)
            if "POST" in methods:
                attacker.post(path, [])
    assert not attacker.answers, "\n".join(attacker.answers)


@pytest.mark.parametrize("door", DOORS)
def test_no_form_breaks_or_saves_what_it_does_not_ask_for(app, browse, door):
    attacker = Attacker(browse, door)
    forms = attacker.forms(app)
    before = kept()
    for turn, (path, fields) in enumerate(forms.items()):
        attacker.enter()
        names = [name for name, _value in fields]
        extra = [(name, quote(value)) for name, value in EXTRA.items() if name not in names]
        for text in TEXTS[turn % 3 :: 3]:  # each form a third of them, and each of them a third of the forms
            attacker.post(path, [(name, text) for name in names])
        attacker.post(path, [*fields, *fields, *((name, TEXTS[3]) for name in names)])
        for position, name in enumerate(names):
            wrong = TEXTS[position % len(TEXTS)]
            others = fields[:position] + fields[position + 1 :]
            attacker.post(path, [*others, (name, wrong)])
        attacker.post(path, [*fields, *extra])
    assert not attacker.answers, "\n".join(attacker.answers)
    assert kept() == before
    assert strays() == []


def kept() -> list[tuple[Any, ...]]:
    """Who people are and what they may, which none of the forms was asked to change."""
    db.session.expire_all()
    people = db.session.execute(select(Staff.email, Staff.role).order_by(Staff.id)).all()
    contacts = select(Affiliation.partner_user_id, Affiliation.role, Affiliation.permissions)
    return [
        *map(tuple, people[:1]),
        *map(tuple, db.session.execute(contacts.order_by(Affiliation.id)).all()[:5]),
    ]


def strays() -> list[str]:
    """Values of EXTRA, wherever they arrived."""
    found = []
    for table in db.metadata.sorted_tables:
        for row in db.session.execute(select(table)).mappings():
            for name, value in row.items():
                text = str(value)
                if CANARY in text or text == "987654" or text.startswith("1999-") or text == "{'all': True}":
                    found.append(f"{table.name}.{name}: {text[:100]}")
    return found


# MARK: At the same moment


class Press:
    """A browser of its own on a real connection, with the page of a link open and its button in reach."""

    def __init__(self, port: int, path: str) -> None:
        self.path = path
        self.port = port
        self.agent = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
        opened = self._ask("GET", "")
        self.token = token_in(opened[2].decode())
        cookies = SimpleCookie(opened[1].get("Set-Cookie", ""))
        self.agent["Cookie"] = "; ".join(f"{name}={one.value}" for name, one in cookies.items())
        self.agent["Sec-Fetch-Site"] = "same-origin"
        self.agent["Content-Type"] = "application/x-www-form-urlencoded"

    def press(self) -> int:
        """The status that the button brings."""
        return self._ask("POST", f"csrf_token={quote(self.token)}")[0]

    def _ask(self, method: str, body: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, self.path, body, self.agent)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


@pytest.mark.parametrize("is_new", [False, True], ids=["sign-in link", "invitation"])
def test_twenty_presses_of_one_link_at_once_open_one_session(system, app, is_new):
    who = None if is_new else cast.contact(cast.KOFI)
    invited = make.invitation(by=cast.staff(cast.DANA), send=True) if is_new else None
    token = make.mailed(invited) if invited else make.link(who.person.email)[0]
    people, contacts = number(Person), number(Affiliation)
    system.web.serve(system.app)
    browsers = [Press(system.web.port, f"/partners/login/{token}") for _ in range(20)]
    came: list[int] = []
    start = threading.Barrier(len(browsers))

    def press(browser: Press) -> None:
        start.wait()
        came.append(browser.press())

    threads = [threading.Thread(target=press, args=(browser,)) for browser in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(came) == [303, *[410] * 19]
    assert number(Session) == 1
    assert (number(Person), number(Affiliation)) == (people + is_new, contacts + is_new)


def number(model: Any) -> int:
    """How many rows there are by now."""
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0
