"""The floor: the least honest Flask that does each task, hand-written, on the same database.

A signed session, the person read on every request, a token against forged forms, one plain template a
page, one statement a question. What the contract demands of a change is done by hand: a sign-in ends the
other links, leaves a session's row and an entry of the sign-in log; it and a save are chained into the
audit log under the head's lock. Nothing that a page or a change could do without.
"""

import hashlib
import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask, abort, redirect, request, session
from flask.typing import ResponseReturnValue
from sqlalchemy import Engine, text

FRAME = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title>
<link rel="stylesheet" href="/assets/desk.css"></head><body><header>{{ who.full_name }}</header>
<main><h1>{{ title }}</h1>%s</main></body></html>"""
LIST = FRAME % (
    "<table><tr><th>Name</th><th>Organization</th><th>Type</th><th>Status</th><th>Contacts</th><th>Last</th></tr>"
    "{% for id, name, org, kind, status, contacts, last in rows %}<tr><td><a href='/admin/partners/{{ id }}'>"
    "{{ name }}</a></td><td>{{ org }}</td><td>{{ kind }}</td><td>{{ status }}</td><td>{{ contacts }}</td>"
    "<td>{{ last }}</td></tr>{% endfor %}</table><p>{{ count }} partners</p>"
)
PARTNER = FRAME % (
    "<p>{{ e.org }}, {{ e.kind }}, {{ e.status }}</p><h2>Contacts</h2><table>{% for c in contacts %}<tr>"
    "<td>{{ c.full_name }}</td><td>{{ c.email }}</td><td>{{ c.role }}</td><td>{{ c.last_seen_at }}</td></tr>"
    "{% endfor %}</table><h2>Invitations</h2><table>{% for i in invitations %}<tr><td>{{ i.email }}</td>"
    "<td>{{ i.status }}</td></tr>{% endfor %}</table><h2>Activity</h2><ul>{% for a in events %}<li>"
    "{{ a.actor_label }} {{ a.verb }} {{ a.created_at }}</li>{% endfor %}</ul>"
)
EDIT = FRAME % (
    "<form method='post'><input type='hidden' name='csrf' value='{{ csrf }}'>{% for name in fields %}<label>"
    "{{ name }}<input name='{{ name }}' value='{{ row[name] }}'></label>{% endfor %}<input name='version' "
    "type='hidden' value='{{ row.version }}'><button>Save</button></form>"
)
DASHBOARD = FRAME % (
    "<p>{{ who.entity }} {{ who.org }}</p><ul>{% for a in events %}<li>{{ a.actor_label }} {{ a.verb }} "
    "{{ a.created_at }}</li>{% endfor %}</ul><p>{{ team }} people</p>"
)
HOME = FRAME % (
    "<ul>{% for one in waiting %}<li>{{ one }}</li>{% endfor %}</ul><ul>{% for a in events %}<li>"
    "{{ a.actor_label }} {{ a.verb }} {{ a.created_at }}</li>{% endfor %}</ul>"
)
PEOPLE = FRAME % (
    "<table>{% for id, name, email, active, seen in rows %}<tr><td><a href='/admin/records/people/{{ id }}'>"
    "{{ name }}</a></td><td>{{ email }}</td><td>{{ active }}</td><td>{{ seen }}</td></tr>{% endfor %}</table>"
)
FIELDS = ("full_name", "email", "title", "phone")


def make(engine: Engine) -> Flask:
    """The floor's application on that database."""
    app = Flask(__name__, static_folder=None)
    app.secret_key = "the floor's own key"
    app.config["PROPAGATE_EXCEPTIONS"] = True
    templates: dict[str, Any] = {}

    # Compiled once, as templates in files would be.
    def page(source: str, **values: Any) -> str:
        if source not in templates:
            templates[source] = app.jinja_env.from_string(source)
        return str(templates[source].render(**values))

    def person(connection: Any) -> Any:
        who = connection.execute(
            text(
                "SELECT p.id, p.full_name, e.id AS entity_id, e.name AS entity, o.name AS org"
                " FROM partner_users p JOIN partner_affiliations a ON a.partner_user_id = p.id"
                " JOIN partner_entities e ON e.id = a.entity_id"
                " JOIN partner_organizations o ON o.id = e.organization_id"
                " WHERE p.id = :id AND p.is_active AND a.ended_at IS NULL"
            ),
            {"id": session.get("person", 0)},
        ).first()
        return who or abort(403)

    def staff(connection: Any) -> Any:
        who = connection.execute(
            text("SELECT id, full_name, role FROM staff_users WHERE id = :id AND is_active"),
            {"id": session.get("staff", 0)},
        ).first()
        return who or abort(403)

    @app.post("/partners/login/<token>")
    def redeem(token: str) -> ResponseReturnValue:
        digest = hashlib.sha256(token.encode()).hexdigest()
        with engine.begin() as connection:
            found = connection.execute(
                text(
                    "UPDATE sign_in_links SET used_at = :now WHERE token_digest = :digest AND used_at IS NULL"
                    " AND revoked_at IS NULL AND expires_at > :now RETURNING id, person_id, email_canonical"
                ),
                {"digest": digest, "now": now()},
            ).first()
            if not found:
                abort(410)
            _begin_session(connection, found, token := secrets.token_urlsafe(32))
            _chain(connection, "session.started", found.person_id, found.person_id, {})
        session.clear()
        session["person"] = found.person_id
        session["token"] = token
        return redirect("/partners/dashboard", 303)

    @app.get("/partners/dashboard")
    def dashboard() -> str:
        with engine.connect() as connection:
            who = person(connection)
            return page(
                DASHBOARD,
                title=f"Hello, {who.full_name}",
                who=who,
                events=_events(connection, who.entity_id),
                team=connection.execute(
                    text(
                        "SELECT count(*) FROM partner_affiliations WHERE entity_id = :id AND ended_at IS NULL"
                    ),
                    {"id": who.entity_id},
                ).scalar(),
            )

    @app.get("/admin/partners/")
    def partners() -> str:
        with engine.connect() as connection:
            who = staff(connection)
            rows = connection.execute(
                text(
                    "SELECT e.id, e.name, o.name, e.kind, e.status,"
                    " (SELECT count(*) FROM partner_affiliations a"
                    " WHERE a.entity_id = e.id AND a.ended_at IS NULL), e.last_activity_at"
                    " FROM partner_entities e JOIN partner_organizations o ON o.id = e.organization_id"
                    " ORDER BY e.created_at DESC, e.id DESC LIMIT 25"
                )
            ).all()
            count = connection.execute(
                text("SELECT count(*) FROM (SELECT 1 FROM partner_entities LIMIT 10001) AS capped")
            ).scalar()
            return page(LIST, title="Partners", who=who, rows=rows, count=count)

    @app.get("/admin/")
    def home() -> str:
        with engine.connect() as connection:
            return page(
                HOME,
                title="Home",
                who=staff(connection),
                waiting=connection.execute(
                    text(
                        "SELECT (SELECT count(*) FROM (SELECT 1 FROM partner_invitations"
                        " WHERE status = 'pending' LIMIT 1001) AS invited),"
                        " (SELECT count(*) FROM (SELECT 1 FROM partner_entities"
                        " WHERE status = 'pending' LIMIT 1001) AS pending), (SELECT count(*) FROM (SELECT 1"
                        " FROM mails WHERE status = 'failed' LIMIT 1001) AS failed)"
                    )
                ).one(),
                events=connection.execute(
                    text("SELECT actor_label, verb, created_at FROM audit_events ORDER BY id DESC LIMIT 10")
                ).all(),
            )

    @app.get("/admin/records/people/")
    def people() -> str:
        with engine.connect() as connection:
            return page(
                PEOPLE,
                title="People",
                who=staff(connection),
                rows=connection.execute(
                    text(
                        "SELECT id, full_name, email, is_active, last_seen_at FROM partner_users"
                        " WHERE lower(full_name) LIKE :words ORDER BY id DESC LIMIT 25"
                    ),
                    {"words": f"%{request.args['q'].lower()}%"},
                ).all(),
            )

    @app.get("/admin/partners/<int:number>")
    def partner(number: int) -> str:
        with engine.connect() as connection:
            who = staff(connection)
            entity = connection.execute(
                text(
                    "SELECT e.id, e.name, e.kind, e.status, o.name AS org FROM partner_entities e"
                    " JOIN partner_organizations o ON o.id = e.organization_id WHERE e.id = :id"
                ),
                {"id": number},
            ).first() or abort(404)
            contacts = connection.execute(
                text(
                    "SELECT p.full_name, p.email, a.role, p.last_seen_at FROM partner_affiliations a"
                    " JOIN partner_users p ON p.id = a.partner_user_id WHERE a.entity_id = :id LIMIT 50"
                ),
                {"id": number},
            ).all()
            invitations = connection.execute(
                text(
                    "SELECT email, status FROM partner_invitations WHERE entity_id = :id"
                    " ORDER BY id DESC LIMIT 5"
                ),
                {"id": number},
            ).all()
            return page(
                PARTNER,
                title=entity.name,
                who=who,
                e=entity,
                contacts=contacts,
                invitations=invitations,
                events=_events(connection, number),
            )

    @app.route("/admin/records/people/<int:number>/edit", methods=["GET", "POST"])
    def edit(number: int) -> ResponseReturnValue:
        with engine.begin() as connection:
            who = staff(connection)
            row = connection.execute(
                text("SELECT id, full_name, email, title, phone, version FROM partner_users WHERE id = :id"),
                {"id": number},
            ).mappings().first() or abort(404)
            if request.method == "GET":
                token = session.setdefault("csrf", secrets.token_urlsafe(16))
                return page(EDIT, title="Edit", who=who, row=row, fields=FIELDS, csrf=token)
            if not secrets.compare_digest(request.form.get("csrf", ""), session.get("csrf", "-")):
                abort(400)
            changed = connection.execute(
                text(
                    "UPDATE partner_users SET full_name = :full_name, title = :title, phone = :phone,"
                    " version = version + 1 WHERE id = :id AND version = :version"
                ),
                {name: request.form.get(name, "") for name in FIELDS}
                | {"id": row["id"], "version": request.form.get("version", 0, int)},
            )
            if not changed.rowcount:
                abort(409)
            changes = {
                name: [row[name], request.form.get(name, "")]
                for name in FIELDS
                if row[name] != request.form.get(name, "")
            }
            _chain(connection, "person.changed", who.id, row["id"], changes)
        return redirect("/admin/records/people/", 303)

    @app.get("/floor/<kind>/<int:number>")
    def enter(kind: str, number: int) -> str:
        session[kind] = number
        return "in"

    return app


def now() -> datetime:
    """The present moment; the floor has no clock of its own to hold still."""
    return datetime.now(UTC)


def _events(connection: Any, entity_id: int) -> Any:
    return connection.execute(
        text(
            "SELECT actor_label, verb, created_at FROM audit_events WHERE entity_id = :id"
            " ORDER BY id DESC LIMIT 10"
        ),
        {"id": entity_id},
    ).all()


def _begin_session(connection: Any, link: Any, token: str) -> None:
    """What a sign-in leaves: no other link of the address, a session, an entry of the log."""
    values = {
        "link": link.id,
        "person": link.person_id,
        "email": link.email_canonical,
        "digest": hashlib.sha256(token.encode()).hexdigest(),
        "now": now(),
        "later": now() + timedelta(days=30),
    }
    connection.execute(
        text(
            "UPDATE sign_in_links SET revoked_at = :now, revoked_reason = 'used'"
            " WHERE email_canonical = :email AND sign_in_request_id IS NOT NULL AND id <> :link"
            " AND used_at IS NULL AND revoked_at IS NULL"
        ),
        values,
    )
    values["session"] = connection.execute(
        text(
            "INSERT INTO sessions (token_digest, person_id, epoch, browser, system, address, created_at,"
            " authenticated_at, last_seen_at, expires_at, revoked_reason)"
            " VALUES (:digest, :person, 1, 'Other', 'Other', '127.0.0.1', :now, :now, :now, :later, '')"
            " RETURNING id"
        ),
        values,
    ).scalar_one()
    connection.execute(
        text(
            "INSERT INTO auth_events (kind, outcome, cause, email_canonical, person_id, sign_in_link_id,"
            " session_id, address, agent, request_id, created_at)"
            " VALUES ('signed_in', 'ok', '', :email, :person, :link, :session, '127.0.0.1', '', '', :now)"
        ),
        values,
    )


def _chain(connection: Any, verb: str, actor: int, subject: int, changes: dict[str, Any]) -> None:
    """One event of the audit log, hashed over the one before it while nobody else appends."""
    # SQLite has one writer at a time, and no way to lock a row.
    lock = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    head = connection.execute(text(f"SELECT event_id, hash FROM audit_head WHERE id = 1{lock}")).one()
    row = {
        "id": head.event_id + 1,
        "verb": verb,
        "actor": actor,
        "subject": subject,
        "changes": json.dumps(changes),
        "now": now(),
        "before": head.hash,
    }
    row["hash"] = hashlib.sha256(json.dumps(row, sort_keys=True, default=str).encode()).hexdigest()
    connection.execute(
        text(
            "INSERT INTO audit_events (id, created_at, actor_kind, actor_id, actor_label, on_behalf_of, verb,"
            " subject_table, subject_id, subject_label, person_id, changes, facts, reason, address, agent,"
            " request_id, previous_hash, hash) VALUES (:id, :now, 'person', :actor, '', '', :verb,"
            " 'partner_users', :subject, '', :subject, :changes, '{}', '', '', '', '', :before, :hash)"
        ),
        row,
    )
    connection.execute(text("UPDATE audit_head SET event_id = :id, hash = :hash WHERE id = 1"), row)
