"""No page asks the database more when there is ten times as much of everything."""

import re
from collections.abc import Iterator
from typing import Any

from flask import Flask
from sqlalchemy import func, select
from werkzeug.routing import Rule

import web
from models import InvitationStatus, Mail, MailStatus, OnboardingStatus, PartnerRole, School, StaffRole, db
from permissions import PUBLIC
from services import auth_log, invitations, mail, notes, people, records, saved_views, sessions, staff
from services.transaction import transaction
from tests import cast, make
from tests.admin.desk import at_desk
from tests.contexts import apart
from tests.visitor import Visitor

FEW, MANY = 2, 20
#: Opened beforehand: what a process learns once, and that somebody was seen.
FIRST = {"outside": "/partners/login", "desk": "/admin/", "portal": "/partners/team"}
#: Files, and what says that the process is alive.
ELSEWHERE = {"asset", "logo", "healthz"}
#: Addresses that lead on, or to nothing yet: they are counted as well.
NOT_HERE = {
    "/",
    "/readyz",
    "/partners/",
    "/admin/account/recovery-codes",
    "/admin/account/second-factor/code.svg",
    "/admin/login/second-factor",
    "/admin/login/recovery",
    "/admin/settings/brand/preview.svg",
    "/admin/records/affiliations/lookup",
    "/admin/records/invitations/lookup",
}


#: What people type into a list's address by clicking: a search, and the largest page.
NARROWED = ("", "?q=office", "?size=100")


def desk(app: Flask) -> list[Any]:
    """Every view of the desk."""
    return list(app.extensions["admin"][0]._views)


class World:
    """Everything there can be more of, around one partner whom both readers look at."""

    def __init__(self, app: Flask) -> None:
        self.models = {view.endpoint: view.model for view in desk(app) if hasattr(view, "model")}
        self.lists = [view.listing.name for view in desk(app) if hasattr(view, "listing")]
        self.amara = cast.contact(cast.AMARA)
        self.kofi = cast.contact(cast.KOFI)
        self.sam = cast.staff(cast.SAM)
        self.invitation = make.invitation(entity=self.amara.entity, email="first@unl.example", send=True)
        make.session(self.amara)
        with transaction():
            staff.send_link(actor=self.sam, staff=self.sam)
            letter = db.session.scalars(select(Mail).where(Mail.verb == "staff.password_link")).one()
            password = staff.mint_staff_link(letter)
        self.tokens = {
            "portal.open_link": make.link(self.kofi.person.email)[0],
            "portal.invitation": people.invitation_url(self.invitation).rpartition("/")[2],
            "portal.disown_session": sessions.notice_secret(1),
            "staff_sign_in.choose_password": password,
        }
        self.made = 0

    def grow(self, to: int) -> None:
        """Make more of everything until there are `to` of each."""
        for number in range(self.made, to):
            self._add_partners(number)
            self._add_people(number)
            self._add_invitations(number)
            self._add_traces(number)
        self.made = to

    def _add_partners(self, number: int) -> None:
        make.entity(f"Office {number}", f"College {number}")
        make.entity(f"Office {number}", self.amara.entity.organization)
        theirs = make.entity(
            f"Team {number}", f"School {number}", onboarding_status=OnboardingStatus.COMPLETED
        )
        make.contact(entity=theirs, email=self.amara.person.email)
        with transaction():
            values = {"name": f"East High {number}", "city": "Lincoln", "region": "", "country": "US"}
            records.create(actor=self.sam, model=School, values={**values, "code": None})

    def _add_people(self, number: int) -> None:
        role = list(PartnerRole)[number % len(PartnerRole)]
        one = make.contact(
            entity=self.amara.entity,
            role=role,
            email=f"member-{number}@unl.example",
            full_name=f"Member {number}",
            overrides={"manage_team": True},
        )
        for who in (one, self.amara):
            make.session(who)
        make.desk(self.sam)
        colleague = make.staff(StaffRole.CONTENT, email=f"colleague-{number}@northwind.example")
        with transaction():
            staff.send_link(actor=self.sam, staff=colleague)

    def _add_invitations(self, number: int) -> None:
        place = self.amara.entity
        for name in ("open", "late", "cancelled"):
            made = make.invitation(entity=place, email=f"{name}-{number}@unl.example", by=self.sam, send=True)
            if name == "late":
                with transaction():
                    made.expires_at = made.created_at
                    made.status, made.ended_at = InvitationStatus.EXPIRED, made.created_at
                    make.audit.record(actor=make.PORTICO, verb="invitation.expired", subject=made)
            if name == "cancelled":
                with transaction():
                    invitations.revoke(actor=self.sam, invitation=made)

    def _add_traces(self, number: int) -> None:
        with transaction():
            notes.add(actor=self.sam, entity=self.amara.entity, body=f"They called {number} times.")
            auth_log.note("link_requested", "ok", person=self.amara.person)
            auth_log.note("signed_in", "refused", staff=self.sam)
            failed = mail.queue("contact.ended", to=self.kofi.person, entity=self.amara.entity)
            failed.status, failed.last_error = MailStatus.FAILED, "550 no such mailbox"
            for page in self.lists:
                saved_views.save(
                    actor=self.sam, page=page, name=f"View {number}", query="q=office", is_shared=True
                )

    # MARK: Where to look

    def paths(self, app: Flask) -> Iterator[tuple[str, str]]:
        """Who opens it, and the address, for every route that can be opened."""
        for rule in app.url_map.iter_rules():
            if "GET" in (rule.methods or ()) and rule.endpoint not in ELSEWHERE:
                door = "desk" if rule.rule.startswith("/admin") else "portal"
                is_list = rule.endpoint.endswith((".index", ".index_view"))
                is_outside = web.mark_of_endpoint(rule.endpoint) == PUBLIC
                for query in NARROWED if is_list and door == "desk" else NARROWED[:1]:
                    yield "outside" if is_outside else door, self._path(rule) + query

    def _path(self, rule: Rule) -> str:
        model = self.models.get(rule.endpoint.partition(".")[0])

        def fill(match: re.Match[str]) -> str:
            kind, _colon, name = match[1].rpartition(":")
            if choices := re.fullmatch(r"any\((\w+).*\)", kind):
                return choices[1]
            if name == "record_id":
                assert model is not None
                return str(db.session.scalar(select(func.min(model.id))))
            return str(self.known(rule.endpoint)[name])

        return re.sub(r"<([^>]+)>", fill, rule.rule)

    def known(self, endpoint: str) -> dict[str, Any]:
        """What stands in addresses; the numbers stay the same however much there is."""
        return {
            "token": self.tokens.get(endpoint),
            "secret": self.tokens.get(endpoint),
            "entity_id": self.amara.entity.id,
            "contact_id": self.kofi.affiliation.id,
            "affiliation_id": self.kofi.affiliation.id,
            "invitation_id": self.invitation.id,
            "staff_id": self.sam.id,
            "event_id": 1,
        }


def counted(readers: dict[str, Visitor], world: World, app: Flask, queries: Any) -> dict[str, int]:
    """How many statements each page takes, by its address."""
    numbers, unopened = {}, {}
    for who, path in world.paths(app):
        with queries() as log:
            status = open_page(readers[who], path)
        if status != 200 and path not in NOT_HERE:
            unopened[path] = status
        numbers[path] = len(log)
    assert not unopened
    return numbers


def open_page(visitor: Visitor, path: str) -> int:
    """The status of what the address gives, whatever it is."""

    def ask() -> int:
        answer = visitor.client.get(path, base_url=visitor.base_url, headers={"Sec-Fetch-Site": "none"})
        return answer.status_code

    return apart(ask)


def test_no_page_asks_the_database_more_with_ten_times_of_everything(app, browse, queries):
    world = World(app)
    counts = []
    for number in (FEW, MANY):
        world.grow(number)
        readers = {"outside": browse, "desk": at_desk(browse, cast.SAM), "portal": browse.another()}
        readers["portal"].keep_cookie(web.cookie_name("pp"), make.session(world.amara))
        for reader, path in FIRST.items():
            open_page(readers[reader], path)
        counts.append(counted(readers, world, app, queries))
    few, many = counts
    assert len(few) > 100
    assert {path: f"{few[path]} -> {many[path]}" for path in few if few[path] < many[path]} == {}
