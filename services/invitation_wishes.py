"""Asking for a new invitation where the old one has expired: one press tells whoever can send it."""

from datetime import timedelta

import clock
from models import Invitation, InvitationStatus, Person, Staff, db
from permissions import System
from services import audit, company, invitations, limits, links, mail, team
from services.invitation_moves import is_enterable
from services.transaction import locked

#: How often the same invitation is asked for; more are not passed on, and nobody is told.
PER_INVITATION = (1, timedelta(days=1))


def ask_for_another(*, token: str) -> None:
    """Mail whoever can invite anew that the address of this expired invitation asks for it.

    Nothing where the token is none of ours or the invitation ended otherwise; nothing is told about it.
    """
    found = _of_token(token)
    if found is None or not is_enterable(found.entity):
        return
    invitation = locked(Invitation, found.id)
    if invitation.status not in {InvitationStatus.PENDING, InvitationStatus.EXPIRED}:
        return
    limit, per = PER_INVITATION
    if not limits.take(f"invitation.asked:{invitation.id}", limit=limit, per=per):
        return
    audit.record(actor=System(), verb="invitation.asked", subject=invitation)
    readers = _who_can_invite(invitation)
    for reader in readers:
        mail.queue("invitation.asked", to=reader, entity=invitation.entity, who=invitation.email)
    if not readers:
        to_us = company.current().support_email
        mail.queue("invitation.asked", email=to_us, entity=invitation.entity, who=invitation.email)


def _of_token(token: str) -> Invitation | None:
    """The expired invitation that this mailed link or copied URL was of."""
    link = links.find(token)
    found = link.invitation if link is not None else invitations.invitation_by_secret(token)
    if found is None or found.state(clock.now()) is not InvitationStatus.EXPIRED:
        return None
    return found


def _who_can_invite(invitation: Invitation) -> list[Person | Staff]:
    """Who invited, where they still can; else the principals of the team; empty where nobody is left."""
    principals = [row.person for row in team.principals_of(invitation.entity)]
    if invitation.invited_by_staff_id is not None:
        staff = db.session.get_one(Staff, invitation.invited_by_staff_id)
        if staff.is_active:
            return [staff]
    theirs = [person for person in principals if person.id == invitation.invited_by_person_id]
    return [*(theirs or principals)]
