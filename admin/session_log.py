"""Browsers that were signed in and links that were mailed, to read and nothing else."""

from typing import Any, ClassVar

from flask import url_for
from sqlalchemy.orm import joinedload

import clock
from admin import cells
from admin.filters import days, spoken
from admin.listing import Column, Listing
from admin.suggestions import person_filter
from admin.table import TableView
from models import Invitation, Person, Session, SignInLink, Staff
from permissions import Permission

P = Permission


def _owner(row: Session) -> str:
    who: Person | Staff | None = row.person or row.staff
    return who.name if who is not None else "nobody"


def _session_state(row: Session) -> str:
    if row.revoked_at is not None:
        return "revoked"
    owner = row.person or row.staff
    is_live = clock.now() < row.expires_at and owner is not None and owner.epoch == row.epoch
    return "active" if is_live else "expired"


class Sessions(TableView):
    """Browsers that are or were signed in; they are ended on the pages of their owners."""

    title = "Sessions"
    reads = P.READ_AUDIT
    listing = Listing(
        name="sessions",
        nouns=("session", "sessions"),
        model=Session,
        order="-created_at",
        columns=(
            Column(
                "owner",
                "Who",
                lambda row, _: cells.text(
                    _owner(row),
                    url=url_for("sessions.details_view", record_id=row.id),
                    under="Staff" if row.staff_id else "",
                ),
                export=Person.email,
            ),
            Column(
                "state",
                "Status",
                lambda row, _: cells.badge("session", _session_state(row)),
                export=Session.revoked_at,
            ),
            Column(
                "browser",
                "Browser",
                lambda row, _: cells.text(", ".join(filter(None, (row.browser, row.system)))),
                style="p2",
                export=Session.browser,
            ),
            Column(
                "address", "From", lambda row, _: cells.code(row.address), style="p3", export=Session.address
            ),
            Column(
                "last_seen_at",
                "Last seen",
                lambda row, _: cells.moment(row.last_seen_at, relative=True),
                style="p3",
                export=Session.last_seen_at,
            ),
            Column(
                "created_at",
                "Signed in",
                lambda row, _: cells.exact(row.created_at),
                Session.created_at,
                "p2",
                Session.created_at,
            ),
        ),
        filters=(person_filter(Session.person_id), *days("Signed in", Session.created_at)),
        loads=(joinedload(Session.person), joinedload(Session.staff)),
        joins=(Session.person,),
        empty="Sessions appear here once somebody signs in.",
    )
    details = (
        "person_id",
        "staff_id",
        "browser",
        "system",
        "address",
        "created_at",
        "authenticated_at",
        "second_factor_at",
        "last_seen_at",
        "expires_at",
        "revoked_at",
        "revoked_reason",
        "id",
    )
    labels: ClassVar[dict[str, str]] = {"address": "From", "created_at": "Signed in", "id": "Number"}

    def name_of(self, row: Any) -> str:
        return f"Session of {_owner(row)}"

    def badges(self, row: Any) -> list[tuple[str, Any]]:
        return [("session", _session_state(row))]


def _link_state(row: SignInLink) -> str:
    if row.used_at is not None:
        return "used"
    if row.revoked_at is not None:
        return "revoked"
    return "issued" if clock.now() < row.expires_at else "expired"


class Links(TableView):
    """Mailed links and what became of them; the secret in them is nowhere."""

    title = "Sign-in links"
    reads = P.READ_AUDIT
    listing = Listing(
        name="links",
        nouns=("link", "links"),
        model=SignInLink,
        order="-issued_at",
        columns=(
            Column(
                "email",
                "Email",
                lambda row, _: cells.text(
                    row.email_canonical, url=url_for("links.details_view", record_id=row.id)
                ),
                export=SignInLink.email_canonical,
            ),
            Column(
                "state",
                "Status",
                lambda row, _: cells.badge("sign_in_link", _link_state(row)),
                export=SignInLink.used_at,
            ),
            Column(
                "purpose",
                "For",
                lambda row, _: cells.text(spoken(row.purpose.value)),
                style="p2",
                export=SignInLink.purpose,
            ),
            Column(
                "revoked_reason",
                "Ended by",
                lambda row, _: cells.text(spoken(row.revoked_reason)),
                style="p3",
                export=SignInLink.revoked_reason,
            ),
            Column(
                "expires_at",
                "Works until",
                lambda row, _: cells.exact(row.expires_at),
                style="p3",
                export=SignInLink.expires_at,
            ),
            Column(
                "issued_at",
                "Sent",
                lambda row, _: cells.exact(row.issued_at),
                SignInLink.issued_at,
                "p2",
                SignInLink.issued_at,
            ),
        ),
        filters=(person_filter(SignInLink.person_id), *days("Sent", SignInLink.issued_at)),
        loads=(
            joinedload(SignInLink.person),
            joinedload(SignInLink.invitation).joinedload(Invitation.entity),
        ),
        empty="Links appear here once somebody asks for one.",
    )
    details = (
        "email_canonical",
        "purpose",
        "person_id",
        "invitation_id",
        "issued_at",
        "expires_at",
        "used_at",
        "revoked_at",
        "revoked_reason",
        "id",
    )
    labels: ClassVar[dict[str, str]] = {
        "email_canonical": "Email",
        "purpose": "For",
        "issued_at": "Sent",
        "expires_at": "Works until",
        "id": "Number",
    }

    def name_of(self, row: Any) -> str:
        return f"Link for {row.email_canonical}"

    def badges(self, row: Any) -> list[tuple[str, Any]]:
        return [("sign_in_link", _link_state(row))]
