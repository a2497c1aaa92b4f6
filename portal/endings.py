"""Links that no longer work: each kind of end has its own page, its reason and a way on."""

from dataclasses import dataclass, field
from datetime import datetime

from flask import Response, g, render_template, url_for

import clock
from language import _, _l, day, moment
from models import Invitation, InvitationStatus
from portal.door import unreferred
from services import company
from services.errors import Gone
from services.invitation_moves import check_open

#: The short word for each end, its tone and icon: the same on every page that says so.
_LABELS = {
    "expired": (_l("Link expired"), "warn", "clock-x"),
    "used": (_l("Link already used"), "neutral", "check"),
    "superseded": (_l("Link not valid"), "neutral", "refresh"),
    "revoked": (_l("Link not valid"), "neutral", "ban"),
    "unknown": (_l("Link not valid"), "danger", "link-off"),
}


@dataclass
class Ending:
    """What the page of a link that ended says."""

    cause: str  #: a key of _LABELS
    title: str
    lines: list[str] = field(default_factory=list)
    again: str = ""  #: the token for whose address a new link can be asked in one press
    wish: str = ""  #: the token for whose invitation a new one can be asked in one press
    write_to: str = ""  #: an address to write to instead, and the words on that button
    write_label: str = ""
    dashboard: str = ""  #: where a browser goes on that is signed in already

    @property
    def label(self) -> str:
        return str(_LABELS[self.cause][0])

    @property
    def tone(self) -> str:
        return _LABELS[self.cause][1]

    @property
    def icon(self) -> str:
        return _LABELS[self.cause][2]


def gone(ending: Ending, *, person_id: int | None = None) -> Response:
    """The page, 410. Somebody who is signed in as that very person may go on from there."""
    actor = g.get("actor")
    if actor is not None and person_id is not None and actor.person.id == person_id:
        ending.dashboard = url_for("portal.show_dashboard")
    return unreferred(render_template("portal/sign_in/gone.html", page=ending), 410)


def state_of(invitation: Invitation) -> InvitationStatus | None:
    """How the invitation ended, a paused partnership counting as cancelled; None while it is open."""
    try:
        check_open(invitation)
    except Gone:
        state = invitation.state(clock.now())
        return InvitationStatus.REVOKED if state is InvitationStatus.PENDING else state
    return None


def not_valid() -> Ending:
    """A link that is none of ours, or not a whole one."""
    return Ending(
        "unknown",
        _("Link not valid"),
        [_("This link is not complete. Copy the whole address from the email, or get a new link.")],
    )


def of_sign_in(cause: str, token: str, *, sent_at: datetime, ended_at: datetime | None) -> Ending:
    """A mailed sign-in link that expired, was used, gave way to a newer one or was switched off."""
    support = company.current().support_email
    if cause == "expired":
        said = _("Sign-in links work for 30 minutes. This one was sent on %(at)s.", at=moment(sent_at))
        return Ending(cause, _("This link has expired"), [said], again=token)
    if cause == "used":
        lines = [
            _("Each link works once. It was used on %(at)s.", at=moment(ended_at or sent_at)),
            _("If that was not you, tell %(address)s.", address=support),
        ]
        return Ending(cause, _("Link already used"), lines, again=token)
    if cause == "superseded":
        said = _(
            "A newer link was sent or used, so this one stopped working on %(at)s.",
            at=moment(ended_at or sent_at),
        )
        return Ending(cause, _("Use the newest email"), [said], again=token)
    said = _("This link was switched off. If you still need access, write to %(address)s.", address=support)
    return Ending("revoked", _("Link not valid"), [said], **_write_to_us())


def of_invitation(invitation: Invitation, state: InvitationStatus, token: str) -> Ending:
    """An invitation that expired, was cancelled, replaced or accepted."""
    ours = company.current()
    ended_at = invitation.ended_at or invitation.expires_at
    if state is InvitationStatus.EXPIRED:
        said = _(
            "%(name)s invited you on %(day)s. The invitation worked until %(until)s.",
            name=invitation.invited_by,
            day=day(invitation.created_at),
            until=moment(invitation.expires_at),
        )
        return Ending("expired", _("This invitation has expired"), [said], wish=token, **_write_to_us())
    if state is InvitationStatus.SUPERSEDED:
        said = _("A newer invitation was sent on %(at)s, so this one stopped working.", at=moment(ended_at))
        return Ending("superseded", _("Use the newest email"), [said])
    if state is InvitationStatus.ACCEPTED:
        lines = [
            _("This invitation was accepted on %(at)s.", at=moment(invitation.accepted_at or ended_at)),
            _("If that was you, sign in with the address it was sent to."),
        ]
        return Ending("used", _("Link already used"), lines, again=token)
    said = _(
        "%(name)s cancelled it on %(day)s. If you still need access, write to %(address)s.",
        name=ours.name,
        day=day(ended_at),
        address=ours.support_email,
    )
    return Ending("revoked", _("This invitation was cancelled"), [said], **_write_to_us())


def _write_to_us() -> dict[str, str]:
    return {"write_to": f"mailto:{company.current().support_email}", "write_label": _("Write to us")}
