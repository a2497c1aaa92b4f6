"""Every route for every role, from the two tables of permissions.py and nothing else."""

import re
from dataclasses import dataclass

import pytest
from flask import Flask

import web
from models import PartnerRole, StaffRole, db
from permissions import (
    PARTNER_GRANTS,
    PARTNER_PERMISSIONS,
    PUBLIC,
    SIGNED_IN,
    STAFF_GRANTS,
    Permission,
    decide,
    held,
    read_overrides,
)
from tests import cast, make
from tests.contexts import apart

#: Ends the very session that asks, or needs none.
LEAVING = {"portal.sign_out", "staff_sign_in.sign_out"}


def routes(app: Flask):
    """Every guarded route as (method, rule, mark)."""
    for rule in app.url_map.iter_rules():
        mark = web.mark_of_endpoint(rule.endpoint)
        if mark != PUBLIC and rule.endpoint not in LEAVING:
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield method, rule, mark


class Sample:
    """A row for every kind of number in an address."""

    def __init__(self) -> None:
        self.team = [cast.contact(who) for who in cast.TEAM]
        invitation = make.invitation(entity=self.team[0].entity)
        self.numbers = {
            "entity_id": self.team[0].entity.id,
            "contact_id": self.team[1].affiliation.id,
            "affiliation_id": self.team[1].affiliation.id,
            "invitation_id": invitation.id,
            "staff_id": cast.staff(cast.TOMAS).id,
            "record_id": 1,
            "view_id": 1,
            "session_id": 1,
            "event_id": 1,
        }

    def path(self, rule) -> str:
        def fill(match: re.Match[str]) -> str:
            kind, _, name = match[1].rpartition(":")
            choices = re.fullmatch(r"any\((\w+).*\)", kind)
            return choices[1] if choices else str(self.numbers.get(name, "x"))

        return re.sub(r"<([^>]+)>", fill, rule.rule)


def door_of(rule) -> str:
    return "staff" if rule.rule.startswith("/admin") else "partner"


@dataclass
class Answer:
    """What came back, whatever it is: pages, pieces of pages, files."""

    status: int
    location: str


def is_sent_to_sign_in(answer) -> bool:
    return answer.status == 303 and re.match(r"/(partners|admin)/login(\?|$)", answer.location) is not None


def visit(visitor, sample, method, rule, token) -> Answer:
    data = {"csrf_token": token} if method == "POST" else None
    headers = {"Sec-Fetch-Site": "same-origin" if data else "none"}
    answer = apart(
        lambda: visitor.client.open(
            sample.path(rule),
            method=method,
            data=data,
            headers=headers,
            base_url=visitor.base_url,
            buffered=True,
        )
    )
    return Answer(answer.status_code, answer.location or "")


def forms_token(visitor, path) -> str:
    return visitor.get(path).find("input[name=csrf_token]").attributes["value"]


@pytest.mark.parametrize("who", cast.TEAM, ids=lambda who: who.role.value)
def test_partners_enter_what_their_role_grants_and_nothing_else(app, browse, who):
    sample = Sample()
    contact = cast.contact(who)
    wrong = []
    browse.keep_cookie(web.cookie_name("pp"), make.session(contact))
    token = forms_token(browse, "/partners/profile")
    for method, rule, mark in routes(app):
        page = visit(browse, sample, method, rule, token)
        if door_of(rule) == "staff":
            right = is_sent_to_sign_in(page)
        elif mark == SIGNED_IN or Permission(mark) in PARTNER_GRANTS[who.role]:
            right = page.status not in {401, 403} and not is_sent_to_sign_in(page)
        else:
            right = page.status == 403
        if not right or page.status >= 500:
            wrong.append(f"{method} {rule.rule} ({mark}): {page.status} {page.location}")
        if method == "POST":  # some of them end sessions
            db.session.expire_all()
            browse.keep_cookie(web.cookie_name("pp"), make.session(contact))
    assert not wrong


@pytest.mark.parametrize("who", cast.STAFF, ids=lambda who: who.role.value)
def test_staff_enter_what_their_role_grants_and_nothing_else(app, browse, who):
    sample = Sample()
    staff = cast.staff(who)
    wrong = []
    browse.keep_cookie(web.cookie_name("staff"), make.desk(staff))
    token = forms_token(browse, "/admin/account/")
    for method, rule, mark in routes(app):
        page = visit(browse, sample, method, rule, token)
        if door_of(rule) == "partner":
            right = is_sent_to_sign_in(page)
        elif mark == SIGNED_IN or Permission(mark) in STAFF_GRANTS[who.role]:
            right = page.status != 401 and not is_sent_to_sign_in(page)
            right = right and (page.status != 403 or method == "POST")  # one's own account, say
        else:
            right = page.status == 403
        if not right or page.status >= 500:
            wrong.append(f"{method} {rule.rule} ({mark}): {page.status} {page.location}")
        if method == "POST":
            db.session.expire_all()
            browse.keep_cookie(web.cookie_name("staff"), make.desk(staff))
    assert not wrong


def test_nobody_who_is_not_signed_in_enters_a_guarded_route(app, browse):
    sample = Sample()
    tokens = {"partner": forms_token(browse, "/partners/login")}
    wrong = []
    for method, rule, mark in routes(app):
        page = visit(browse, sample, method, rule, tokens["partner"])
        if not is_sent_to_sign_in(page):
            wrong.append(f"{method} {rule.rule} ({mark}): {page.status} {page.location}")
    assert not wrong


# MARK: The tables


def test_the_partner_table_is_the_contracts():
    yes = {role: {permission.value for permission in granted} for role, granted in PARTNER_GRANTS.items()}
    everything = {permission.value for permission in PARTNER_PERMISSIONS}
    assert yes[PartnerRole.PRINCIPAL] == everything
    assert everything - yes[PartnerRole.SALESPERSON] == {
        "ask_questions", "view_analytics", "manage_team", "edit_entity",
    }  # fmt: skip
    assert everything - yes[PartnerRole.TECHNICAL] == {
        "view_amounts", "submit_deals", "view_analytics", "manage_team", "edit_entity",
    }  # fmt: skip
    assert everything - yes[PartnerRole.FINANCE] == {
        "submit_deals", "view_questions", "ask_questions", "take_training", "manage_team", "edit_entity",
    }  # fmt: skip
    assert yes[PartnerRole.VIEWER] == {"view_dashboard", "view_deals", "open_tickets"}


def test_no_partner_role_grants_what_is_ours_and_no_staff_role_what_is_theirs():
    for granted in PARTNER_GRANTS.values():
        assert granted.keys() <= PARTNER_PERMISSIONS
    for role in StaffRole:
        assert not STAFF_GRANTS[role] & PARTNER_PERMISSIONS


@pytest.mark.usefixtures("app")
def test_an_override_takes_away_and_grants_and_says_so():
    hana = cast.contact(cast.HANA)
    hana.affiliation.permissions = {"manage_team": True, "view_documents": False}
    assert decide(hana, Permission.MANAGE_TEAM).steps[-1].name == "override"
    refused = decide(hana, Permission.VIEW_DOCUMENTS)
    assert not refused
    assert refused.steps[-1].name == "override"
    assert "taken away" in str(refused.refusal)


@pytest.mark.usefixtures("app")
def test_all_is_read_for_compatibility_and_grants_nothing_of_ours():
    grace = cast.contact(cast.GRACE)
    grace.affiliation.permissions = {"all": True}
    assert held(grace.affiliation) == PARTNER_PERMISSIONS
    assert not decide(grace, Permission.READ_PARTNERS)


@pytest.mark.parametrize(
    "overrides",
    [{"all": True}, {"read_partners": True}, {"manage_team": "true"}, {"x": {}}, {"view_deals": 1}],
)
def test_overrides_follow_a_closed_schema(overrides):
    with pytest.raises(ValueError, match=r"permission|true or false"):
        read_overrides(overrides)


@pytest.mark.usefixtures("app")
def test_a_decision_says_every_step_up_to_the_first_refusal():
    grace = cast.contact(cast.GRACE)
    steps = decide(grace, Permission.MANAGE_TEAM).steps
    assert [step.name for step in steps] == ["person", "organization", "entity", "affiliation", "role"]
    assert [step.passed for step in steps] == [True, True, True, True, False]
