"""The heaviest pages as tasks: each for the application and for the floor, on the same rows."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from flask.testing import FlaskClient
from selectolax.lexbor import LexborHTMLParser
from werkzeug.test import TestResponse

from bench.measure import Task
from bench.stage import Stage

#: What people are looked for by: many have the first, few the last.
WORDS = ("Abe", "Femi", "person1234")
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


@dataclass(frozen=True)
class Pair:
    """A task as the application and as the floor does it."""

    name: str
    ours: Task
    floor: Task
    status: int  #: of a right answer


def tasks(stage: Stage, rounds: int) -> list[Pair]:
    """Every task on this stage, with what `rounds` rounds of each use up."""
    return [
        _sign_in(stage, rounds),
        _same(stage, "dashboard", lambda _n: "/partners/dashboard"),
        _same(stage, "partners list", lambda _n: "/admin/partners/"),
        _same(stage, "partner page", lambda n: f"/admin/partners/{_entity(stage, n)}"),
        _same(stage, "record edit", lambda n: f"/admin/records/people/{_person(n)}/edit"),
        _same(stage, "admin home", lambda _n: "/admin/"),
        _same(stage, "people search", lambda n: f"/admin/records/people/?q={WORDS[n % len(WORDS)]}"),
        Pair("record save", _save(stage.ours), _save(stage.floor), 303),
    ]


def _entity(stage: Stage, number: int) -> int:
    return number * 7 % stage.entities + 1


def _person(number: int) -> int:
    return number * 3 + 1


def _same(stage: Stage, name: str, path: Callable[[int], str]) -> Pair:
    return Pair(name, _open(stage.ours, path), _open(stage.floor, path), 200)


def _open(client: FlaskClient, path: Callable[[int], str]) -> Task:
    return lambda number: lambda: client.get(path(number))


def _sign_in(stage: Stage, rounds: int) -> Pair:
    """Pressing the button of a mailed link; each round spends another link in a browser of its own."""
    return Pair(
        "sign-in",
        _redeem(stage.ours, stage.links(rounds)),
        _redeem(stage.floor, stage.links(rounds)),
        303,
    )


def _redeem(signed_in: FlaskClient, tokens: list[str]) -> Task:
    def ready(number: int) -> Callable[[], TestResponse]:
        client = signed_in.application.test_client()
        path = f"/partners/login/{tokens[number]}"
        form: dict[str, str] = {}
        if "portal" in signed_in.application.blueprints:
            form = fields(client.get(path))
        return lambda: client.post(path, data=form, headers=SAME_SITE)

    return ready


def _save(client: FlaskClient) -> Task:
    """Saving a record: on our side the confirmation of what will change, which is what writes."""

    def ready(number: int) -> Callable[[], TestResponse]:
        path = f"/admin/records/people/{_person(number)}/edit"
        form = fields(client.get(path)) | {"title": f"Title {number}"}
        if "form_key" not in form and "csrf" in form:  # the floor saves at once
            return lambda: client.post(path, data=form)
        review = client.post(path, data=form, headers=SAME_SITE)
        confirmed = fields(review) | {"reason": "Measured"}
        return lambda: client.post(path, data=confirmed, headers=SAME_SITE)

    return ready


def fields(page: TestResponse) -> dict[str, str]:
    """The fields of the page's main form that posts, as a browser would send them."""
    if page.status_code >= 400:
        raise RuntimeError(
            f"{page.status_code} {page.request.path}\n{re.sub(r'<[^>]+>', ' ', page.text)[:800]}"
        )
    html = LexborHTMLParser(page.text)
    form = html.css_first("main form[method=post]") or html.css_first("form[method=post]")
    if form is None:
        raise RuntimeError(f"no form on {page.request.path}")
    sent = {}
    for node in form.css("input[name], select[name], textarea[name], button[name]"):
        name, kind = node.attributes["name"] or "", node.attributes.get("type")
        if node.tag == "button" and name in sent:  # of buttons with one name, Enter presses the first
            continue
        if kind in {"checkbox", "radio"} and "checked" not in node.attributes:
            continue
        if node.tag == "select":
            chosen = node.css_first("option[selected]") or node.css_first("option")
            sent[name] = (chosen.attributes.get("value") or "") if chosen else ""
        elif node.tag == "textarea":
            sent[name] = node.text()
        else:
            sent[name] = node.attributes.get("value") or ""
    return sent
