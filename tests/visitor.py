"""Somebody at a browser without JavaScript: opens pages, fills their forms, refuses sloppy ones.

    page = browse.get("/partners/login")
    page = page.submit("Send the link", email="rita@unl.test")
    assert page.heading == "Check your mail"

What is sent is what a browser would send: the fields the page really has, hidden ones included.
"""

import re
from typing import Any, Self
from urllib.parse import urldefrag, urljoin, urlsplit

from flask import Flask
from flask.testing import FlaskClient
from selectolax.lexbor import LexborHTMLParser, LexborNode
from werkzeug.test import TestResponse

from tests.contexts import apart
from tests.html_forms import Form
from tests.manners import faults

MOST_REDIRECTS = 5


class Visitor:
    """One browser with its own cookies."""

    def __init__(self, app: Flask, base_url: str, address: str = "127.0.0.1") -> None:
        self.app = app
        self.base_url = base_url
        self.address = address  #: where its requests come from
        self.client: FlaskClient = app.test_client()

    def another(self, address: str = "127.0.0.1") -> Self:
        """Somebody else's browser, without the cookies of this one."""
        return type(self)(self.app, self.base_url, address)

    def get(self, path: str, *, follow: bool = True, headers: dict[str, str] | None = None) -> "Page":
        """Open a page as if its address was typed, and follow where it leads on our site."""
        return self.ask("GET", path, follow=follow, headers={"Sec-Fetch-Site": "none", **(headers or {})})

    def post(
        self,
        path: str,
        data: Any = None,
        *,
        follow: bool = True,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> "Page":
        """Send just this, without looking at any form: for what no browser would send."""
        return self.ask("POST", path, data=data, follow=follow, headers=headers, **options)

    def submit(
        self,
        where: "str | Page",
        form: str | None = None,
        *,
        button: str | None = None,
        follow: bool = True,
        headers: dict[str, str] | None = None,
        **fields: Any,
    ) -> "Page":
        """Open the page (or take one that is open), fill the form, press its button.

        `form` is a CSS selector, the form's id or the words on its button; it may be left out where
        the page has one form that posts. See Form.fill for what each kind of field takes.
        """
        page = where if isinstance(where, Page) else self.get(where)
        filled = Form.find(page.html, form, button)
        filled.fill(fields)
        target = urldefrag(urljoin(page.url, filled.action or page.url)).url
        sent = {
            "Sec-Fetch-Site": "same-origin",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
            "Referer": page.url,
            **(headers or {}),
        }
        if filled.method == "GET":
            return self.ask("GET", target, query_string=filled.query(), follow=follow, headers=sent)
        sent.setdefault("Origin", self.base_url)
        return self.ask("POST", target, follow=follow, headers=sent, **filled.body())

    def ask(
        self,
        method: str,
        url: str,
        *,
        follow: bool = True,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> "Page":
        """One request and, when `follow`, the redirects after it that stay on our site."""
        target = urljoin(f"{self.base_url}/", url)
        assert _origin(target) == _origin(self.base_url), f"{target} is not on {self.base_url}."
        sent = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "en"}
        sent |= headers or {}
        passed: list[str] = []
        while True:
            response = self._open(method, target, sent, options)
            leads_to = urljoin(target, response.location) if response.location else ""
            if not follow or not 300 <= response.status_code < 400 or not leads_to:
                return Page(self, response, target, passed)
            if _origin(leads_to) != _origin(self.base_url):
                return Page(self, response, target, passed)
            assert len(passed) < MOST_REDIRECTS, f"Redirected in a circle: {passed}"
            passed.append(target)
            target = leads_to
            if response.status_code not in {307, 308}:
                method, options = "GET", {}
            sent.pop("Origin", None)

    def cookie(self, name: str) -> str | None:
        """The value of a cookie that this browser holds for the whole site."""
        held = self.client.get_cookie(name, domain=urlsplit(self.base_url).hostname or "")
        return held.value if held else None

    def keep_cookie(self, name: str, value: str) -> None:
        """Hold a cookie as if the site had set it."""
        self.client.set_cookie(name, value, domain=urlsplit(self.base_url).hostname or "")

    def _open(self, method: str, url: str, headers: dict[str, str], options: dict[str, Any]) -> TestResponse:
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        if "query_string" in options:
            path = parts.path
        response = apart(
            lambda: self.client.open(
                path,
                method=method,
                base_url=self.base_url,
                headers=headers,
                environ_overrides={"REMOTE_ADDR": self.address},
                buffered=True,
                **options,
            )
        )
        response.request.environ["wsgi.input"].close()  # the test client leaves a large body open
        return response


class Page:
    """What came back: a page that was looked over, or whatever else the address gave."""

    def __init__(self, visitor: Visitor, response: TestResponse, url: str, passed: list[str]) -> None:
        self.visitor = visitor
        self.response = response
        self.url = url
        self.passed = passed  #: the addresses that redirected to this one
        self.status = response.status_code
        self.headers = response.headers
        self.path = urlsplit(url).path
        self.is_html = response.mimetype == "text/html"
        self.html = LexborHTMLParser(response.get_data(as_text=True) if self.is_html else "")
        if self.is_html and not 300 <= self.status < 400:
            found = faults(self.html)
            assert not found, f"{self.path} ({self.status}) is sloppy:\n- " + "\n- ".join(found)

    @property
    def body(self) -> bytes:
        return self.response.data

    @property
    def json(self) -> Any:
        return self.response.get_json()

    @property
    def location(self) -> str | None:
        """Where a redirect that was not followed leads."""
        return self.response.location

    @property
    def title(self) -> str:
        return words(self.html.css_first("title"))

    @property
    def heading(self) -> str:
        return words(self.html.css_first("h1"))

    @property
    def text(self) -> str:
        """Every word of the page, single spaces between them."""
        return words(self.html.body)

    @property
    def errors(self) -> dict[str, str]:
        """What is wrong with each field of the forms, by the field's name."""
        told = {}
        for field in self.html.css("[aria-invalid=true][aria-describedby]"):
            for note in (field.attributes.get("aria-describedby") or "").split():
                if note.endswith("-error"):
                    told[field.attributes.get("name") or ""] = words(self.html.css_first(f'[id="{note}"]'))
        return told

    def find(self, selector: str) -> LexborNode:
        """The first element that matches."""
        found = self.html.css_first(selector)
        assert found is not None, f"Nothing on {self.path} matches {selector!r}:\n{self.text[:2000]}"
        return found

    def texts(self, selector: str) -> list[str]:
        """The words of every element that matches."""
        return [words(node) for node in self.html.css(selector)]

    def link(self, text: str) -> str:
        """Where the first link with these words leads."""
        links = self.html.css("a[href]")
        for node in links:
            if text in {words(node), node.attributes.get("aria-label")}:
                return node.attributes["href"] or ""
        raise AssertionError(f"No link {text!r} on {self.path}; there are {[words(node) for node in links]}.")

    def follow(self, text: str) -> "Page":
        """Click the link with these words."""
        headers = {"Sec-Fetch-Site": "same-origin", "Referer": self.url}
        return self.visitor.ask("GET", urljoin(self.url, self.link(text)), headers=headers)

    def submit(self, form: str | None = None, **fields: Any) -> "Page":
        """Fill and send a form of this page; see Visitor.submit."""
        return self.visitor.submit(self, form, **fields)

    def __contains__(self, text: str) -> bool:
        return text in self.text

    def __repr__(self) -> str:
        return f"<Page {self.status} {self.path} {self.heading!r}>"


def words(node: LexborNode | None) -> str:
    """What is written in an element, single spaces between the words."""
    if node is None:
        return ""
    return re.sub(r"\s+", " ", node.text(deep=True, separator=" ")).strip()


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
