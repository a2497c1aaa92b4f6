"""What both doors share: where a request comes from, what every answer carries, and how it is refused."""

import gzip
import re
import secrets
import time
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from flask import Flask, Response, abort, current_app, g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf.csrf import CSRFError, CSRFProtect
from sqlalchemy.exc import DataError, OperationalError
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter, Map
from werkzeug.wrappers import Response as AnyResponse

import config
from language import _
from models import GREATEST_ID, db
from permissions import mark_of
from services import audit, denials
from services.errors import NotAllowed, NotFound, Refusal, TooMany

csrf = CSRFProtect()
log = structlog.get_logger()

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
MAX_REQUEST = 1 << 20  # bytes
LEAST_PACKED = 1 << 10  #: bytes; a shorter page fits into one packet anyway
#: Pages that take files may be sent more: room to say in the form what is too large, instead of a bare 413.
UPLOADS = {"settings_brand.upload_logo": 8 << 20}  # bytes


def register(app: Flask) -> None:
    """Give every request its origin and every answer its headers, and turn refusals into pages."""
    settings = config.current()
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_REQUEST,
        MAX_FORM_MEMORY_SIZE=MAX_REQUEST,
        MAX_FORM_PARTS=200,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,  # Sec-Fetch-Site and Origin are checked below, for http and https alike
        TRUSTED_HOSTS=_trusted_hosts(settings),
    )
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    app.url_map.converters["int"] = RowNumber
    app.before_request(_begin)
    csrf.init_app(app)
    app.after_request(_finish)
    app.register_error_handler(Refusal, _refused)
    app.register_error_handler(CSRFError, _untokened)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(OperationalError, _database_away)
    app.register_error_handler(DataError, _unstorable)
    app.register_error_handler(Exception, _failed)


class RowNumber(IntegerConverter):
    """`<int:…>` in an address: a number that a row can have; with any other there is no such page."""

    #: What is no such number matches no rule at all: a rule that matched and refused would say 405.
    regex = r"[1-9]\d{0,18}"

    def __init__(self, rules: Map) -> None:
        super().__init__(rules, min=1, max=GREATEST_ID)


def _trusted_hosts(settings: config.Settings) -> list[str]:
    host = urlsplit(settings.base_url).hostname or ""
    return [host] if settings.is_production else [host, *sorted(config.LOOPBACK)]


# MARK: Begin and end of a request


def mark_of_endpoint(endpoint: str) -> str | None:
    """What it takes to enter an endpoint: what its door declared, or the mark of its view."""
    declared: dict[str, str] = current_app.extensions.get("marks", {})
    return declared.get(endpoint) or mark_of(current_app.view_functions.get(endpoint))


def _begin() -> None:
    g.request_id = secrets.token_hex(8)
    g.began = time.perf_counter()
    request.host  # noqa: B018 – a foreign Host ends here with 400
    request.max_content_length = UPLOADS.get(request.endpoint or "", MAX_REQUEST)
    browser, system = families(request.user_agent.string)
    audit.origin.set(
        audit.Origin(
            request_id=g.request_id,
            address=client_address(),
            agent=f"{browser}, {system}" if browser else "",
        )
    )
    structlog.contextvars.bind_contextvars(request_id=g.request_id)
    if "\x00" in unquote(request.full_path) or any("\x00" in v for v in request.values.values()):
        abort(400)
    if request.endpoint is not None and mark_of_endpoint(request.endpoint) is None:
        abort(404)  # nobody declared who may enter: nobody does
    if request.method not in SAFE_METHODS:
        _check_site()


def _check_site() -> None:
    """Refuse what another site sends: by Sec-Fetch-Site where the browser says it, else by Origin."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        is_ours = site in {"same-origin", "none"}
    else:
        home = {config.current().base_url, request.host_url.rstrip("/")}
        is_ours = request.headers.get("Origin") in {None, *home}
    if not is_ours:
        note_denial("forgery_refused", "other_site")
        abort(403)


def note_denial(kind: str, cause: str) -> None:
    """Keep that this request was refused, and of whom."""
    who = current_user._get_current_object()
    denials.note(kind, cause=cause, person=getattr(who, "person", None), staff=getattr(who, "staff", None))


def _finish(response: Response) -> Response:
    response = _guard_redirect(response)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if config.current().is_production:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
        response.headers.add("Vary", "Cookie")
    if request_id := g.get("request_id"):
        response.headers["X-Request-Id"] = request_id
    response.headers.pop("Server", None)
    return _packed(response)


def _packed(response: Response) -> Response:
    """Pages travel packed to who unpacks them; why that gives nothing away: docs/decisions/0011."""
    if response.mimetype != "text/html" or response.is_streamed or "Content-Encoding" in response.headers:
        return response
    response.headers.add("Vary", "Accept-Encoding")
    body = response.get_data()
    if len(body) >= LEAST_PACKED and request.accept_encodings.quality("gzip") > 0:
        response.set_data(gzip.compress(body, 1, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response


def _guard_redirect(response: Response) -> Response:
    """No redirect leaves this site, whatever made its address."""
    location = response.headers.get("Location")
    if location is None or not 300 <= response.status_code < 400:
        return response
    target = urlsplit(location)
    home = urlsplit(config.current().base_url)
    inside = (
        not target.scheme
        and not target.netloc
        and location.startswith("/")
        and location[1:2] not in {"/", "\\"}
    )
    if inside or (target.scheme, target.netloc) == (home.scheme, home.netloc):
        return response
    log.error("redirect_refused", location=location[:200])
    page = Response(refusal_page(400, _("This address leads somewhere else.")), 400)
    page.headers["X-Request-Id"] = g.get("request_id", "")
    return page


# MARK: Where a request comes from

_BROWSERS = (
    ("Edge", "Edg"),
    ("Opera", "OPR/"),
    ("Samsung Internet", "SamsungBrowser"),
    ("Firefox", "Firefox/"),
    ("Firefox", "FxiOS"),
    ("Chrome", "CriOS"),
    ("Chrome", "Chrome/"),
    ("Safari", "Safari/"),
)
_SYSTEMS = (
    ("iOS", "iPhone"),
    ("iOS", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("macOS", "Mac OS X"),
    ("ChromeOS", "CrOS"),
    ("Linux", "Linux"),
)


def families(agent: str) -> tuple[str, str]:
    """Browser and system family of a User-Agent, without versions; "Other" where it says neither."""
    browser = next((name for name, mark in _BROWSERS if mark in agent), "Other")
    system = next((name for name, mark in _SYSTEMS if mark in agent), "Other")
    return browser, system


def client_address() -> str:
    """The IP address of whoever asks, behind exactly the trusted proxies."""
    return (request.remote_addr or "")[:64]


# MARK: Cookies, redirects


def cookie_name(name: str) -> str:
    """The cookie's full name: bound to this host and TLS in production."""
    return f"__Host-{name}" if config.current().is_production else name


def read_cookie(name: str) -> str:
    """The cookie's token, or "" where there is none or it cannot be one."""
    value = request.cookies.get(cookie_name(name), "")
    return value if re.fullmatch(r"[A-Za-z0-9_-]{43}", value) else ""


def write_cookie(response: AnyResponse, name: str, token: str, seconds: int) -> None:
    """Hand out a token for that many seconds: HttpOnly, SameSite=Lax, this host only."""
    response.set_cookie(
        cookie_name(name),
        token,
        max_age=seconds,
        httponly=True,
        samesite="Lax",
        secure=config.current().is_production,
        path="/",
    )


def drop_cookie(response: AnyResponse, name: str) -> None:
    """Take a token back."""
    response.delete_cookie(
        cookie_name(name), path="/", httponly=True, samesite="Lax", secure=config.current().is_production
    )


def see_other(url: str) -> AnyResponse:
    """After a change: look there, with GET."""
    return redirect(url, 303)


_NEXT = re.compile(r"/(?!/)[A-Za-z0-9_\-./?=&%+,:@~]*")


def safe_next(raw: str | None) -> str:
    """The path to go on to, or "" where it is not plainly one of ours (at most 500 characters)."""
    if not raw or len(raw) > 500:
        return ""
    for seen in (raw, unquote(raw)):
        path = seen.partition("?")[0]
        if not _NEXT.fullmatch(seen) or "//" in path or "/../" in f"{path}/":
            return ""
    return raw


# MARK: Refusals


def refusal_page(status: int, sentence: str, **values: Any) -> str:
    """The page of a refusal, in the frame of the door that was used, with the request's id."""
    title = values.pop("title", None) or _title(status)
    return render_template(
        "layouts/refusal.html",
        status=status,
        title=title,
        sentence=sentence,
        door=_door(),
        is_standalone=status >= 500,
        request_id=g.get("request_id", ""),
        **values,
    )


def _door() -> str:
    return "desk" if request.path.startswith("/admin") else "portal"


def _title(status: int) -> str:
    titles = {
        400: _("This address cannot be read"),
        403: _("You cannot do this"),
        404: _("Page not found"),
        405: _("This cannot be done here"),
        409: _("This changed in the meantime"),
        410: _("This link no longer works"),
        413: _("This is too large"),
        422: _("This needs another look"),
        429: _("Wait a moment, then try again"),
        503: _("We cannot reach our records just now"),
    }
    return titles.get(status, _("Something went wrong on our side"))


def _refused(refusal: Refusal) -> ResponseReturnValue:
    response = Response(refusal_page(refusal.status, str(refusal.text)), refusal.status)
    if isinstance(refusal, NotAllowed | NotFound):  # also another partner's number: it is not told apart
        note_denial("access_denied", request.endpoint or "")
    if isinstance(refusal, TooMany):
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def _http_error(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None:
        return error.response
    if isinstance(error, SecurityError):  # a foreign Host: no address of ours could be written
        return Response("This server does not answer for that host.\n", 400, mimetype="text/plain")
    status = error.code or 500
    if status < 400:  # a redirect of the router
        return error.get_response()
    sentence = {
        400: _("Check the address, or go back and try again."),
        403: _("This was sent from another website, so nothing was done."),
        404: _("Check the address. It may also belong to another partner."),
        405: _("Go back and use the buttons of the page."),
        413: _("Send less at once: text up to 1 MB, a file up to the size its field names."),
    }.get(status, _("Go back and try again."))
    response = Response(refusal_page(status, sentence), status)
    if status == 405 and isinstance(error.get_response().headers.get("Allow"), str):
        response.headers["Allow"] = error.get_response().headers["Allow"]
    return response


def _untokened(_error: CSRFError) -> ResponseReturnValue:
    """The form was open too long or its cookie is gone: keep what was typed, offer to send it again.

    Only for a form that our own page sent (the site check has passed by now); secrets are not kept.
    """
    kept = [
        (name, value)
        for name, values in request.form.lists()
        for value in values
        if name != "csrf_token" and "password" not in name and "code" not in name
    ]
    action = request.full_path.rstrip("?")
    note_denial("forgery_refused", "token")
    return render_template("layouts/resend.html", kept=kept, action=action, door=_door()), 400


def _database_away(error: OperationalError) -> ResponseReturnValue:
    log.error("database_away", error=str(error.orig)[:300])
    db.session.rollback()
    sentence = _("Nothing was saved. Go back, your text is still there, and try again in a minute.")
    response = Response(refusal_page(503, sentence), 503)
    response.headers["Retry-After"] = "30"
    return response


def _unstorable(error: DataError) -> ResponseReturnValue:
    """A number or text that no column holds: the address or form was made up."""
    log.warning("unstorable", error=str(error.orig)[:300])
    db.session.rollback()
    return refusal_page(400, _("Check the address, or go back and try again.")), 400


def _failed(error: Exception) -> ResponseReturnValue:
    log.exception("failed", path=request.path)
    db.session.rollback()
    sentence = _("Nothing was saved. Try again in a minute; if it stays, send us the code below.")
    return refusal_page(500, sentence), 500
