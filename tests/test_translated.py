"""Every text that a partner reads goes through gettext: proved in a language that nobody speaks.

The portal is walked with a catalogue of accented letters (tests/pseudo.py). A Latin letter that is no name,
address or code is a text that was not translated, and a view that was never opened is one that nobody proved.
"""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

import clock
import web
from language import locales
from models import Entity, PartnerRole, Session, StaffRole, db
from permissions import Contact
from services import mail, partner_moves, people, sessions
from services.transaction import transaction
from tests import cast, make
from tests.clocks import StillClock
from tests.mailbox import Mailbox
from tests.pseudo import letters_left, translate, untranslated
from tests.visitor import Page, Visitor

LOCALE = "el"  #: its own alphabet, so that an English month is seen as well as an English word
DATA = [
    *(who.name for who in (*cast.TEAM, *cast.STAFF, cast.ERIK, cast.RUTH)),
    *(who.name.split()[0] for who in (*cast.TEAM, cast.ERIK, cast.RUTH)),
    *(place.entity for place in (cast.ADMISSIONS, cast.RAIKES, cast.COUNSELING)),
    *(place.organization for place in (cast.ADMISSIONS, cast.RAIKES, cast.COUNSELING)),
    "Partner portal",  # the portal's name and the company's are the company's own
    "Director of Admissions",
    "Windows",
    "Linux",
    "Firefox",
]


@pytest.fixture(scope="session")
def catalogues(tmp_path_factory):
    folder = tmp_path_factory.mktemp("translations")
    translate(folder, LOCALE)
    return folder


@pytest.fixture
def app_in_greek(app_with, catalogues) -> Iterator[Flask]:
    """Portico with a second language; whoever asks for no other gets English."""
    app = app_with(translations=catalogues)
    with app.app_context():
        assert locales() == ("en", LOCALE)
        yield app
        db.session.rollback()


class Reader(Visitor):
    """Somebody whose browser asks for pseudo language, and who notes what is not in it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.notes: dict[str, list[str]] = {}
        self.opened: set[str | None] = set()

    def ask(self, method: str, url: str, **options: Any) -> Page:
        options["headers"] = {**(options.get("headers") or {}), "Accept-Language": LOCALE}
        page = super().ask(method, url, **options)
        assert page.is_html, f"{page} is no page"
        root = page.find("html").attributes
        assert (root["lang"], root["dir"]) == (LOCALE, "ltr")
        if left := untranslated(page.html, DATA):
            self.notes[f"{method} {page.path} ({page.status})"] = left
        return page

    def _open(self, method: str, url: str, headers: dict[str, str], options: dict[str, Any]) -> TestResponse:
        response = super()._open(method, url, headers, options)
        with contextlib.suppress(HTTPException):
            routes = self.app.url_map.bind("127.0.0.1")
            self.opened.add(str(routes.match(response.request.path, method=method)[0]))
        return response

    def another(self, address: str = "127.0.0.1") -> "Reader":
        """One more reader, with the same notebook."""
        other = super().another(address)
        other.notes, other.opened = self.notes, self.opened
        return other

    def token(self) -> dict[str, str]:
        """What a form of this browser is sent with."""
        page = self.get("/partners/invitations")
        return {"csrf_token": page.find("[name=csrf_token]").attributes["value"] or ""}

    def signed_in(self, who: Contact) -> "Reader":
        """One more reader, as somebody whom we know."""
        other = self.another()
        db.session.expire_all()  # requests changed what this test knows
        other.keep_cookie("pp", make.session(who))
        return other


@pytest.fixture
def reader(system, app_in_greek) -> Reader:
    """A reader of whom everything that was opened is expected to be translated."""
    return Reader(app_in_greek, base_url=system.settings.base_url)


def views(app: Flask) -> set[str]:
    return {rule.endpoint for rule in app.url_map.iter_rules() if rule.endpoint.startswith("portal.")}


def test_every_page_of_the_portal_is_translated(reader, app_in_greek, system, time):
    amara, grace = cast.contact(cast.AMARA), cast.contact(cast.GRACE)
    # The first page of a process is in another language: no text of it may stay.
    english = Visitor(app_in_greek, base_url=system.settings.base_url)
    english.keep_cookie("pp", make.session(amara))
    make.invitation(email="waiting@unl.example", by=amara, send=True)
    assert english.get("/partners/team").heading == "Team"

    read_without_arguments(reader, (None, grace, amara))
    read_setup(reader)
    read_team(reader)
    read_sessions(reader)
    read_ways_in(reader)
    read_invitations(reader, time)
    read_ended_links(reader, time)
    read_refusals(reader, app_in_greek, time)
    time.pass_(days=8)
    read_without_arguments(reader, (None, cast.contact(cast.AMARA)))

    assert not reader.notes, "\n".join(f"{page}: {texts}" for page, texts in reader.notes.items())
    unread = views(app_in_greek) - reader.opened
    assert not unread, f"Nobody opened {sorted(unread)}: let this test do it."


def read_without_arguments(reader: Reader, people: tuple[Contact | None, ...]) -> None:
    """Every page whose address needs nothing, as each of them, and with its form sent empty."""
    for who in people:
        for rule in reader.app.url_map.iter_rules():
            if rule.endpoint.startswith("portal.") and "GET" in (rule.methods or ()) and not rule.arguments:
                browser = reader.signed_in(who) if who else reader.another()
                page = browser.get(str(rule))
                if "POST" in (rule.methods or ()) and page.html.css_first("main form.form"):
                    page.submit("main form.form", **emptied(page))


def emptied(page: Page) -> dict[str, str]:
    """Nothing typed into any field of the page's form."""
    fields = page.html.css("main form.form :is(input:not([type=hidden], [type=radio]), textarea)")
    return {node.attributes["name"] or "": "" for node in fields if node.attributes.get("type") != "checkbox"}


def read_setup(reader: Reader) -> None:
    erik = reader.signed_in(cast.contact(cast.ERIK))
    page = erik.get("/partners/profile").submit("main form.form", full_name=cast.ERIK.name, phone="no number")
    page = page.submit("main form.form", phone="+1 402 555 0142", title="Director of Admissions")
    page = page.submit("main form.form", description="+", website="no address")
    page = page.submit("main form.form", description="+", website="", show_in_app=True)
    assert page.path == "/partners/dashboard"
    page = erik.get("/partners/profile/entity").submit("main form.form", description="–")
    erik.get("/partners/profile").submit("main form.form", title="")
    erik.get("/partners/profile").submit("form[action$='/theme']")


def read_team(reader: Reader) -> None:
    """What a principal does, with every word that answers."""
    amara, grace = reader.signed_in(cast.contact(cast.AMARA)), cast.contact(cast.GRACE)
    kofi, hana = cast.contact(cast.KOFI).affiliation, cast.contact(cast.HANA).affiliation
    make.contact(
        role=PartnerRole.VIEWER,
        email=cast.LUIS.email,
        full_name=cast.LUIS.name,
        overrides={"manage_team": True, "view_amounts": False},
        valid_until=clock.now() + timedelta(days=3),
    )
    reader.signed_in(cast.contact(cast.LUIS)).get("/partners/dashboard")
    invite = "/partners/team/invite"
    for email in ("nobody", cast.KOFI.email, "new@unl.example"):
        amara.submit(invite, "main form.form", email=email, role="viewer")
    amara.post(invite, {**amara.token(), "email": "", "role": "king"})
    page = amara.get("/partners/team").submit("form[action$='/resend']")
    page = amara.get(next(a for a in addresses(page) if a.endswith("/cancel"))).submit("main form[method]")
    amara.submit(f"/partners/team/{kofi.id}/role", "main form.form", role="finance")
    amara.get("/partners/team").submit(f"form[action$='/{kofi.id}/sign-out']")
    amara.submit(f"/partners/team/{hana.id}/end", "main form[method]")
    amara.get("/partners/dashboard")
    reader.signed_in(grace).get(f"/partners/team/{kofi.id}/end")


def addresses(page: Page) -> list[str]:
    return [node.attributes["href"] or "" for node in page.html.css("a[href]")]


def read_sessions(reader: Reader) -> None:
    kofi = cast.contact(cast.KOFI)
    for system in ("Windows", "Linux", "Other"):
        make.session(kofi, "Firefox", system)
    browser = reader.signed_in(kofi)
    page = browser.get("/partners/sessions").submit("form[action$='/end']")
    page.submit("form[action$='/end-others']")
    browser.get("/partners/sessions").submit("main form[action$='/logout']")
    raikes = make.entity(name=cast.RAIKES.entity, organization=cast.RAIKES.organization)
    there = make.contact(entity=raikes, role=PartnerRole.VIEWER, email=cast.KOFI.email).affiliation
    page = reader.signed_in(kofi).get("/partners/dashboard")
    page.submit(f"form[action$='/switch/{there.id}']")
    newest = db.session.scalars(select(Session.id).order_by(Session.id.desc())).first()
    secret = sessions.notice_secret(newest or 0)
    reader.submit(f"/partners/sessions/not-me/{secret}", "main form[method]")
    reader.get("/partners/sessions/not-me/1-x")


def read_ways_in(reader: Reader) -> None:
    """A link and its code, a wrong one, and what a browser of somebody else says."""
    browser = reader.another()
    page = browser.submit("/partners/login", "main form.form", email=cast.AMARA.email)
    for code in ("1", "00000000"):
        page = page.submit("main form.form", code=code)
    page.submit("form[action$='/again']")
    reader.another().submit("/partners/login/check", "main form.form", code="00000000")
    token, _code = make.link(cast.AMARA.email)
    reader.get(f"/partners/login/{token}")
    amara = reader.signed_in(cast.contact(cast.AMARA))
    amara.get(f"/partners/login/{token}")
    reader.signed_in(cast.contact(cast.GRACE)).get(f"/partners/login/{token}")
    reader.another().submit(f"/partners/login/{token}", "main form[method]")
    amara.get(f"/partners/login/{token}")
    amara.post("/partners/login/confirm", amara.token())


def read_invitations(reader: Reader, time: StillClock) -> None:
    """Open and over, from the mail and copied, in each way that one ends."""
    for end in ("", "revoke", "renew", "accept", "suspend", "expire"):
        invited = make.invitation(email=f"{end or 'open'}@unl.example", send=True)
        ways = [f"/partners/login/{make.mailed(invited)}", path_of(people.invitation_url(invited))]
        if end == "accept":
            reader.another().submit(ways[0], "main form[method]")
        elif end in {"revoke", "renew"}:
            with transaction():
                getattr(people, end)(actor=make.PORTICO, invitation=invited)
        elif end == "suspend":
            move(invited.entity, "suspend")
        elif end == "expire":
            time.pass_(days=7, seconds=1)
        for way in ways:
            reader.another().get(way)
            reader.signed_in(cast.contact(cast.AMARA)).get(way)
        if end == "expire":
            reader.another().submit(ways[1], "form[action$='/again']")
        if end == "suspend":
            move(invited.entity, "resume")
        if not end:
            copied = reader.submit(ways[1], "main form.form", email="nobody")
            copied = copied.submit("main form.form", email="other@unl.example")
            copied.submit("main form.form", email=invited.email)
            code_page = reader.get("/partners/invitations")
            page = code_page.submit("main form.form", email=invited.email, code="INV-XXXXX")
            page.submit("main form.form", code=invited.invitation_code)


def path_of(address: str) -> str:
    return urlsplit(address).path


def move(entity: Entity, name: str) -> None:
    with transaction():
        partner_moves.move(actor=make.PORTICO, entity=entity, name=name, reason="–")


def read_ended_links(reader: Reader, time: StillClock) -> None:
    used, _code = make.link(cast.AMARA.email)
    reader.another().submit(f"/partners/login/{used}", "main form[method]")
    older = make.link(cast.AMARA.email)[0]
    newer = make.link(cast.AMARA.email)[0]
    reader.another().submit(f"/partners/login/{newer}", "main form[method]")
    time.pass_(minutes=1)
    expired = make.link(cast.ERIK.email)[0]
    off = make.link(cast.RUTH.email)[0] if cast.contact(cast.RUTH) else ""
    with transaction():
        sessions.end_all(actor=make.PORTICO, person=cast.contact(cast.RUTH).person)
    time.pass_(minutes=31)
    for token in (used, older, newer, expired, off, "x" * 43):
        reader.another().get(f"/partners/login/{token}")
    reader.another().submit(f"/partners/login/{expired}", "form[action$='/again']")


def read_refusals(reader: Reader, app: Flask, time: StillClock) -> None:
    """Error pages, and the pages of partnerships that are not in force."""
    grace = reader.signed_in(cast.contact(cast.GRACE))
    for path in ("/partners/nothing", "/nothing", "/partners/team/invite", "/partners/team/999/role"):
        grace.get(path)
    amara = reader.signed_in(cast.contact(cast.AMARA))
    amara.get("/partners/team/999/role")
    amara.post("/partners/team/invite", {"email": "kept@unl.example"})
    amara.post("/partners/team/invite", headers={"Sec-Fetch-Site": "cross-site"})
    amara.post("/partners/dashboard", amara.token())
    reader.post("/partners/login", {"email": "x" * 2_000_000})
    late = reader.another()
    for method, data in (("GET", None), ("POST", late.token())):
        late.keep_cookie("pp", "y" * 43)
        late.ask(method, "/partners/team/invite", data=data)
    time.pass_(minutes=16)
    amara.get("/partners/team/invite")
    for status in (400, 403, 404, 405, 409, 410, 413, 422, 429, 500, 503):
        with app.test_request_context("/partners/", headers={"Accept-Language": LOCALE}):
            page = LexborHTMLParser(web.refusal_page(status, ""))
        if left := untranslated(page, DATA):
            reader.notes[f"the page of {status}"] = left
    erik = cast.contact(cast.ERIK)
    for name in ("suspend", "offboard"):
        move(erik.entity, name)
        reader.signed_in(erik).get("/partners/dashboard")
    ruth = cast.contact(cast.RUTH)
    with transaction():
        partner_moves.move_organization(
            actor=make.PORTICO, organization=ruth.entity.organization, name="suspend", reason="–"
        )
    reader.signed_in(ruth).get("/partners/dashboard")


# MARK: Mails

#: What the texts of mails may be told, beside rows.
FACTS = {
    "who": cast.KOFI.name,
    "by": cast.SAM.name,
    "role": PartnerRole.VIEWER,
    "before": PartnerRole.FINANCE,
    "after": PartnerRole.TECHNICAL,
    "browser": "Other",
    "system": "Other",
    "address": "127.0.0.1",
    "left": 3,
    "session_id": 1,
}


@pytest.mark.parametrize("verb", sorted(mail.MAILS))
def test_both_parts_of_every_mail_are_translated(app_in_greek, mail_server, verb):
    kind = mail.MAILS[verb]
    facts = {"at": clock.now(), **FACTS}
    who = make.staff(StaffRole.ADMIN, cast.SAM.email, cast.SAM.name)
    amara = cast.contact(cast.AMARA)
    to = who if verb.startswith("staff.") else amara.person
    named = {name: facts[name] for name in kind.facts}
    if "invitation" in kind.rows:
        named["invitation"] = make.invitation(email=cast.NOAH_EMAIL, by=who)
        to = None  # to the invited address, which is nobody's yet
    if verb == "sign_in.link":
        make.person(to.email, locale=LOCALE)
        make.request(to.email)
    else:
        with transaction():
            mail.queue(verb, to=to, entity=amara.entity, locale=LOCALE, **named)

    (received,) = Mailbox(app_in_greek, mail_server).collect()
    assert untranslated(received.html, DATA) == []
    assert received.html.css_first("html").attributes["lang"] == LOCALE
    assert not letters_left(" ".join(received.text.split()), DATA)
    assert not letters_left(received.subject, DATA)
