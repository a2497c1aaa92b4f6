"""create_app: read top to bottom to see everything that runs."""

from typing import Any

import click
from flask import Flask, Request, current_app, g, has_request_context, request
from flask_babel import Babel
from flask_login import LoginManager
from flask_migrate import Migrate
from sqlalchemy.exc import SQLAlchemyError

import admin
import assets
import cli
import config
import language
import logs
import machinery
import portal
import web
from models import Company, db
from permissions import allowed
from services import brand, company, jobs, sessions, staff_sign_in


def create_app(settings: config.Settings | None = None) -> Flask:
    """Portico, put together with these settings (default: those of the environment)."""
    try:
        settings = settings or config.Settings.from_environment()
    except config.SettingError as error:  # a command says that sentence and nothing else
        raise click.ClickException(str(error)) from error
    config.use(settings)
    logs.set_up(settings)
    app = Flask(__name__, static_folder=None)
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SECRET_KEY_FALLBACKS=list(settings.secret_key_fallbacks),
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=_engine_options(settings),
        # Flask's own cookie carries the forms' token and one-time notices, never who somebody is.
        SESSION_COOKIE_NAME=web.cookie_name("forms"),
        SESSION_COOKIE_SECURE=settings.is_production,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=sessions.LIFETIME,
        BABEL_TRANSLATION_DIRECTORIES=str(settings.translations),
        DEBUG=settings.debug,
    )
    app.jinja_options = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True}
    db.init_app(app)
    Migrate(app, db, directory=str(config.ROOT / "migrations"), render_as_batch=True, compare_type=True)
    Babel(app, locale_selector=_locale, timezone_selector=_time_zone)
    app.jinja_env.globals["_"] = language.in_page
    login = LoginManager(app, add_context_processor=False)
    login.session_protection = None  # sessions are ours: opaque, in the database, revocable
    login.request_loader(_who)
    jobs.configure(settings)
    web.register(app)
    assets.register(app)
    machinery.register(app)
    portal.register(app)
    admin.register(app)
    cli.register(app)
    app.extensions["brand_colour"] = lambda: _company().brand_colour
    app.context_processor(_everywhere)
    return app


def _engine_options(settings: config.Settings) -> dict[str, Any]:
    if settings.database_url.startswith("sqlite"):
        return {"connect_args": {"timeout": 5}}
    limits = "-c statement_timeout=30s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s"
    return {
        "pool_pre_ping": True,
        "pool_recycle": 1800,
        "connect_args": {"options": limits, "connect_timeout": 5},
    }


def _who(asked: Request) -> Any:
    """Who sends this request: the door says which cookie counts, the database whether it holds."""
    browser, system = web.families(asked.user_agent.string)
    if asked.path.startswith("/admin"):
        token = web.read_cookie("staff")
        return staff_sign_in.session_of(token, browser, system) if token else None
    token = web.read_cookie("pp")
    return sessions.session_of(token, browser, system) if token else None


def _company() -> Company:
    """The company's row; while the database is away, enough of one to draw the page that says so."""
    if "company" not in g:
        try:
            g.company = company.current()
        except SQLAlchemyError:
            db.session.rollback()
            g.company = Company(
                name="Portico",
                portal_name="Partner portal",
                brand_colour=brand.DEFAULT,
                support_email="",
                time_zone="UTC",
                locale="en",
            )
    return g.company


def _locale() -> str:
    """The reader's language: their own, else the browser's, else the company's; the desk speaks English."""
    if not has_request_context():  # the worker, a command
        return language.spoken(company.current().locale)
    if request.path.startswith("/admin"):
        return language.ENGLISH
    own = getattr(getattr(g.get("actor"), "person", None), "locale", None)
    wanted = language.best(tag for tag, quality in request.accept_languages if quality)
    return language.spoken(own, wanted, _company().locale)


def _time_zone() -> str:
    """The reader's time zone: their own, else the company's."""
    who = g.get("actor") or g.get("staff")
    own = getattr(getattr(who, "person", who), "time_zone", None)
    return own or _company().time_zone


def _everywhere() -> dict[str, Any]:
    """What every template may use."""
    theme = request.cookies.get("theme", "")
    locale = _locale()
    return {
        "company": _company(),
        "locale_code": language.tag(locale),
        "text_direction": language.direction(locale),
        "theme": theme if theme in {"light", "dark"} else None,
        "allowed": allowed,
        "product": current_app.name,
    }
