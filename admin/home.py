"""The home page of the desk: what waits, what ends soon, what happened, and counts that lead on."""

from typing import Any

import flask_babel
from flask import render_template, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import func, select
from werkzeug.datastructures import MultiDict

import clock
import language
from admin.base import DeskView, staff
from admin.partner_list import PARTNERS
from admin.partner_page import link_to
from models import Mail, MailStatus, db
from permissions import Permission, allowed, requires
from services import desk_home, timeline

P = Permission

#: Counts end here; more are shown as "1,000+".
MOST = 1_000
RECENT = 10

#: Each count is of a query of the partners' list, so that number and list agree.
QUERIES: dict[str, dict[str, str]] = {
    "invited": {"needs": "invited"},
    "expiring": {"needs": "expiring"},
    "stuck": {"needs": "stuck"},
    "pending": {"status": "pending"},
    "active": {"status": "active"},
    "suspended": {"status": "suspended"},
    "offboarded": {"status": "offboarded"},
}


class HomeView(DeskView):
    """The first page after signing in."""

    @expose("/")
    @requires(P.USE_DESK)
    def index(self) -> ResponseReturnValue:
        """What needs someone now, for whoever may read it."""
        who = staff()
        values: dict[str, Any] = {
            "greeting": _greeting(),
            "today": f"{flask_babel.format_datetime(clock.now(), 'EEEE d MMMM, HH:mm')} "
            f"{language.zone_name(clock.now())}",
        }
        if allowed(who, P.READ_PARTNERS):
            values |= self._partners(reads_mails=allowed(who, P.READ_MAILS))
        return render_template("admin/home.html", **values)

    def _partners(self, *, reads_mails: bool) -> dict[str, Any]:
        counts, funnel = _counts(), desk_home.funnel()
        stuck, expiring = desk_home.stuck(), desk_home.expiring()
        return {
            "tiles": _tiles(counts, stuck, expiring, reads_mails=reads_mails),
            "statuses": [
                {"label": name.capitalize(), "value": _shown(counts[name]), "url": _list_url(name)}
                for name in ("active", "pending", "suspended", "offboarded")
            ],
            "stuck": stuck,
            "expiring": expiring,
            "undelivered": desk_home.undelivered() if reads_mails and counts["failed"] else [],
            "funnel": funnel,
            "bars": _bars(funnel),
            "timeline": timeline.recent(limit=RECENT, link=link_to),
        }


def _greeting() -> str:
    hour = int(flask_babel.format_datetime(clock.now(), "H"))
    part = "morning" if 4 <= hour < 12 else "afternoon" if hour < 18 and hour >= 12 else "evening"
    return f"Good {part}, {staff().name.split()[0]}"


def _counts() -> dict[str, int]:
    """Every count of the page in one statement, each to MOST and no further."""
    parts = {
        name: PARTNERS.matching(PARTNERS.read(MultiDict(query))).order_by(None)
        for name, query in QUERIES.items()
    }
    parts["failed"] = select(Mail.id).where(Mail.status == MailStatus.FAILED)
    columns = [
        select(func.count()).select_from(part.limit(MOST + 1).subquery()).scalar_subquery().label(name)
        for name, part in parts.items()
    ]
    return dict(db.session.execute(select(*columns)).one()._mapping)


def _shown(count: int) -> str:
    return f"{language.number(MOST)}+" if count > MOST else language.number(count)


def _list_url(name: str) -> str:
    return url_for("partners.index", **QUERIES[name])  # type: ignore[arg-type]


def _tiles(
    counts: dict[str, int], stuck: list[Any], expiring: list[Any], *, reads_mails: bool
) -> list[dict[str, Any]]:
    """The numbers on top: what each counts, its list, and what to know about the first of it."""
    tiles = [
        {
            "label": "Invited, not accepted",
            "name": "invited",
            "icon": "mail",
            "hint": "partners with an open invitation",
        },
        {
            "label": "Invitations expiring",
            "name": "expiring",
            "icon": "clock",
            "hint": f"next {language.relative(expiring[0].expires_at)}" if expiring else "within 48 hours",
        },
        {
            "label": "Not activated",
            "name": "stuck",
            "icon": "hourglass",
            "hint": f"oldest since {language.day(stuck[0].created_at)}" if stuck else "after 7 days",
        },
    ]
    shown = [
        {**tile, "value": _shown(counts[tile["name"]]), "url": _list_url(tile["name"]), "is_warm": False}
        for tile in tiles
    ]
    if reads_mails:
        shown.append(
            {
                "label": "Emails not delivered",
                "icon": "mail-x",
                "value": _shown(counts["failed"]),
                "url": url_for("mails.index_view", status="failed"),
                "hint": "given up" if counts["failed"] else "all on their way",
                "is_warm": bool(counts["failed"]),
            }
        )
    return shown


def _bars(funnel: desk_home.Funnel) -> list[dict[str, Any]]:
    """The chart of invitations: a word, a number, and a length of 100."""
    whole = max(1, funnel.created)
    parts = (
        ("Created", funnel.created),
        ("Accepted", funnel.accepted),
        ("Waiting", funnel.waiting),
        ("Expired", funnel.expired),
        ("Cancelled", funnel.revoked),
    )
    return [
        {"label": label, "value": language.number(value), "length": round(100 * value / whole, 1)}
        for label, value in parts
    ]
