"""What the machinery wrote, to read and nothing else: sign-ins and mails, with a retry.

Sessions and links, of the same kind, are in session_log.py.
"""

from typing import Any, ClassVar

from flask import flash, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from admin import cells
from admin.base import staff
from admin.filters import Choice, Text, choice, days, spoken
from admin.listing import Column, Listing
from admin.session_log import Links, Sessions
from admin.suggestions import person_filter
from admin.table import TableView
from models import AuthEvent, Mail, MailStatus
from permissions import Permission, allowed, requires
from services import mail
from services.transaction import transaction
from web import see_other

P = Permission


def _address(text: str) -> str:
    return text.strip().lower()


def _outcome(row: AuthEvent) -> cells.Cell:
    tones = {"ok": ("OK", "success", "check"), "refused": ("Refused", "danger", "x")}
    return cells.mark(*tones.get(row.outcome, (row.outcome.capitalize(), "neutral", "")))


class AuthEvents(TableView):
    """Who tried to get in, how, and how it ended."""

    title = "Sign-in log"
    lead = "Who tried to get in, how, and how it ended. Nobody can change it."
    reads = P.READ_AUDIT
    listing = Listing(
        name="auth_events",
        nouns=("attempt", "attempts"),
        model=AuthEvent,
        order="-created_at",
        columns=(
            Column(
                "created_at",
                "When",
                lambda row, _: cells.exact(row.created_at)._replace(
                    url=url_for("auth_events.details_view", record_id=row.id)
                ),
                AuthEvent.created_at,
                export=AuthEvent.created_at,
            ),
            Column("outcome", "Outcome", lambda row, _: _outcome(row), export=AuthEvent.outcome),
            Column("kind", "What", lambda row, _: cells.text(spoken(row.kind)), export=AuthEvent.kind),
            Column(
                "cause",
                "Why",
                lambda row, _: cells.text(spoken(row.cause)),
                style="p3",
                export=AuthEvent.cause,
            ),
            Column(
                "email",
                "Email",
                lambda row, _: cells.text(row.email_canonical),
                style="p2",
                export=AuthEvent.email_canonical,
            ),
            Column(
                "address",
                "From",
                lambda row, _: cells.code(row.address),
                style="p3",
                export=AuthEvent.address,
            ),
        ),
        filters=(
            Choice(
                "outcome",
                "Outcome",
                True,
                (("ok", "OK"), ("refused", "Refused"), ("ignored", "Ignored")),
                lambda value: AuthEvent.outcome == value,
            ),
            Text("email", "Email", column=AuthEvent.email_canonical, clean=_address, promoted=True),
            person_filter(AuthEvent.person_id),
            *days("When", AuthEvent.created_at),
        ),
        empty="Attempts to sign in appear here.",
    )
    details = (
        "created_at",
        "kind",
        "outcome",
        "cause",
        "email_canonical",
        "address",
        "agent",
        "request_id",
        "person_id",
        "staff_id",
        "sign_in_link_id",
        "session_id",
        "id",
    )
    labels: ClassVar[dict[str, str]] = {
        "created_at": "When",
        "kind": "What",
        "email_canonical": "Email",
        "address": "From",
        "agent": "Browser",
        "request_id": "Request",
        "id": "Number",
    }


class Mails(TableView):
    """Every mail and what became of it; what was given up can be sent again."""

    title = "Emails"
    reads = P.READ_MAILS
    listing = Listing(
        name="mails",
        nouns=("email", "emails"),
        model=Mail,
        order="-created_at",
        columns=(
            Column(
                "email",
                "To",
                lambda row, _: cells.text(row.email, url=url_for("mails.details_view", record_id=row.id)),
                export=Mail.email,
            ),
            Column("status", "Status", lambda row, _: cells.badge("mail", row.status), export=Mail.status),
            Column(
                "verb",
                "Subject",
                lambda row, _: cells.text(row.subject or spoken(row.verb.replace(".", " "))),
                style="p2",
                export=Mail.verb,
            ),
            Column(
                "attempts",
                "Attempts",
                lambda row, _: cells.number(row.attempts),
                style="p3 num",
                export=Mail.attempts,
            ),
            Column(
                "last_error",
                "Problem",
                lambda row, _: cells.text(row.last_error[:80]),
                style="p3",
                export=Mail.last_error,
            ),
            Column(
                "created_at",
                "Queued",
                lambda row, _: cells.moment(row.created_at, relative=True),
                Mail.created_at,
                "p2",
                Mail.created_at,
            ),
        ),
        filters=(
            choice("status", "Status", Mail.status, promoted=True),
            Text("email", "Email", column=Mail.email_canonical, clean=_address, promoted=True),
            person_filter(Mail.person_id),
            *days("Queued", Mail.created_at),
        ),
        empty="Emails appear here as soon as one is sent.",
    )
    details = (
        "email",
        "verb",
        "subject",
        "status",
        "attempts",
        "last_error",
        "due_at",
        "sent_at",
        "locale",
        "message_id",
        "created_at",
        "id",
    )
    labels: ClassVar[dict[str, str]] = {
        "email": "To",
        "verb": "Kind",
        "last_error": "Problem",
        "due_at": "Next attempt",
        "locale": "Language",
        "message_id": "Message id",
        "created_at": "Queued",
        "id": "Number",
    }

    def name_of(self, row: Any) -> str:
        return f"Email to {row.email}"

    def badges(self, row: Any) -> list[tuple[str, Any]]:
        return [("mail", row.status)]

    def buttons(self, row: Any) -> list[dict[str, str]]:
        if row.status is not MailStatus.FAILED or not allowed(staff(), P.RETRY_MAILS):
            return []
        return [{"label": "Send again", "url": url_for("mails.retry", record_id=row.id)}]

    @expose("/<int:record_id>/retry", methods=["POST"])
    @requires(P.RETRY_MAILS)
    def retry(self, record_id: int) -> ResponseReturnValue:
        """Send a mail that was given up once more."""
        row = self.get_one(record_id)
        with transaction():
            mail.retry(actor=staff(), mail=row)
        flash(f"The email to {row.email} is on its way again", "success")
        return see_other(url_for("mails.details_view", record_id=record_id))


def views() -> list[TableView]:
    """The read-only logs."""
    return [AuthEvents("auth-events"), Mails("mails"), Sessions("sessions"), Links("links")]
