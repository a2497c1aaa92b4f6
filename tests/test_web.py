"""What every answer carries, what is refused at the threshold, and how a refusal reads."""

import gzip

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

import web
from models import db
from permissions import public

PAGES = ["/partners/login", "/partners/nowhere", "/admin/login", "/admin/nowhere", "/nowhere", "/healthz"]


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_carries_the_headers(browse, path):
    headers = browse.get(path).headers
    assert headers["Content-Security-Policy"] == web.CONTENT_POLICY
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] in {"strict-origin", "no-referrer"}
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Request-Id"]
    assert "Strict-Transport-Security" not in headers


def test_production_asks_for_tls_from_now_on(app_with):
    app = app_with(base_url="https://partners.example.org", staff_second_factor="required")
    answer = app.test_client().get("/partners/login", base_url="https://partners.example.org")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    forms = next(cookie for cookie in answer.headers.getlist("Set-Cookie") if "forms" in cookie)
    assert forms.startswith("__Host-forms=")
    assert "Secure" in forms
    assert "HttpOnly" in forms


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "X-Original-Host"])
def test_another_host_is_never_believed(app, header):
    answer = app.test_client().get("/partners/login", headers={header: "evil.test"})
    assert "evil.test" not in answer.text
    if header == "Host":
        assert answer.status_code == 400


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_site_sends_is_refused(browse, site):
    page = browse.post("/partners/login", {"email": "a@b.test"}, headers={"Sec-Fetch-Site": site})
    assert page.status == 403


def test_a_page_without_referrer_sends_origin_null_and_is_still_ours(browse):
    """Chromium sends `Origin: null` from pages with `Referrer-Policy: no-referrer`."""
    page = browse.submit("/partners/login", email="a@b.test", headers={"Origin": "null"})
    assert page.status < 400


def test_an_old_browser_is_told_by_its_origin(browse):
    page = browse.post("/partners/login", {"email": "a@b.test"}, headers={"Origin": "https://evil.test"})
    assert page.status == 403


def test_a_form_without_its_token_comes_back_with_what_was_typed(browse):
    page = browse.post(
        "/partners/login", {"email": "rita@unl.test"}, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert page.status == 400
    assert page.find("input[name=email]").attributes["value"] == "rita@unl.test"
    again = page.submit()
    assert again.status == 200


@pytest.mark.parametrize(
    "path", ["/partners/login?next=%00", "/partners/login/%00", "/admin/login?x=a%00b", "/partners/%ff%fe"]
)
def test_control_characters_end_in_a_plain_page(browse, path):
    assert browse.get(path).status in {400, 404, 410}


def test_a_post_of_more_than_a_megabyte_is_refused_with_a_page(browse):
    page = browse.post("/partners/login", {"email": "a" * (web.MAX_REQUEST + 1)})
    assert page.status == 413
    assert "too large" in page.text


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/partners/deals?page=2", "/partners/deals?page=2"),
        ("//evil.test", ""),
        ("/\\evil.test", ""),
        ("http:evil.test", ""),
        ("https://evil.test/", ""),
        ("/%2f%2fevil.test", ""),
        ("/%5cevil.test", ""),
        ("/a/../../b", ""),
        ("/a\r\nSet-Cookie: x", ""),
        ("javascript:alert(1)", ""),
        ("/" + "a" * 500, ""),
        ("", ""),
        (None, ""),
    ],
)
def test_only_a_path_of_ours_is_gone_on_to(raw, path):
    assert web.safe_next(raw) == path


@pytest.fixture
def guarded(app_with):
    """An application with views that misbehave."""
    app = app_with()

    @app.get("/leave")
    @public
    def leave():
        from flask import redirect, request

        return redirect(request.args["to"])

    @app.get("/break")
    @public
    def break_down():
        raise RuntimeError("SELECT secret FROM nowhere")

    @app.get("/away")
    @public
    def away():
        raise OperationalError("SELECT secret", {}, Exception("connection refused"))

    return app


@pytest.mark.parametrize("to", ["https://evil.test/", "//evil.test", "http:evil.test", "/\\evil.test"])
def test_no_redirect_leaves_the_site(guarded: Flask, to):
    answer = guarded.test_client().get("/leave", query_string={"to": to})
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_a_redirect_within_the_site_goes_on(guarded: Flask):
    assert guarded.test_client().get("/leave?to=/partners/login").status_code == 302


def test_a_fault_of_ours_shows_a_code_and_nothing_else(guarded: Flask):
    guarded.testing = False
    guarded.config["PROPAGATE_EXCEPTIONS"] = False
    answer = guarded.test_client().get("/break")
    assert answer.status_code == 500
    assert answer.headers["X-Request-Id"] in answer.text
    assert "SELECT" not in answer.text
    assert "Traceback" not in answer.text


def test_a_database_that_is_away_gives_503_and_a_time_to_come_back(guarded: Flask):
    answer = guarded.test_client().get("/away")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "30"
    assert "SELECT" not in answer.text


def test_the_page_of_a_missing_row_is_the_page_of_a_missing_address(browse):
    missing = browse.get("/partners/nowhere")
    assert missing.status == 404
    assert missing.heading == "Page not found"


@pytest.mark.parametrize(
    ("agent", "families"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
            ("Firefox", "Windows"),
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18 Safari/605.1.15",
            ("Safari", "macOS"),
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/140.0 Mobile Safari/604.1",
            ("Chrome", "iOS"),
        ),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36 Edg/140.0", ("Edge", "Linux")),
        ("curl/8", ("Other", "Other")),
        ("", ("Other", "Other")),
    ],
)
def test_browsers_are_told_apart_by_family_not_version(agent, families):
    assert web.families(agent) == families


def test_a_spoofed_forwarded_address_is_ignored(app):
    with app.test_request_context(
        headers={"X-Forwarded-For": "198.51.100.7"}, environ_base={"REMOTE_ADDR": "127.0.0.1"}
    ):
        assert web.client_address() == "127.0.0.1"
    db.session.remove()


def test_pages_travel_packed_to_who_unpacks_them(app):
    plain = app.test_client().get("/partners/login")
    packed = app.test_client().get("/partners/login", headers={"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data)
    assert "Sign in" in gzip.decompress(packed.data).decode()
    assert {"Cookie", "Accept-Encoding"} <= set(plain.vary) | set(plain.headers.getlist("Vary"))


@pytest.mark.parametrize("accepted", ["identity", "gzip;q=0", "br"])
def test_a_page_stays_plain_for_who_does_not(app, accepted):
    answer = app.test_client().get("/partners/login", headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in answer.headers
