"""What the home page of the desk lists: what waits longest, what ends soon, what was not delivered.

Each list is a few rows from the front of an index, so it costs the same among a million rows.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import joinedload, raiseload

import clock
from models import Entity, EntityStatus, Invitation, InvitationStatus, Mail, MailStatus, db
from services.partner_overview import EXPIRING, STUCK

FEW = 5
#: The newest invitations that the funnel looks at; more are not counted.
MOST_INVITATIONS = 1_000
PERIOD = timedelta(days=30)


def stuck() -> list[Entity]:
    """The partners that wait longest for their activation, the oldest first."""
    return list(
        db.session.scalars(
            select(Entity)
            .where(Entity.status == EntityStatus.PENDING, Entity.created_at <= clock.now() - STUCK)
            .options(joinedload(Entity.organization), raiseload("*"))
            .order_by(Entity.created_at, Entity.id)
            .limit(FEW)
        )
    )


def expiring() -> list[Invitation]:
    """The open invitations that end within two days, the next one first."""
    now = clock.now()
    return list(
        db.session.scalars(
            select(Invitation)
            .where(
                Invitation.status == InvitationStatus.PENDING,
                Invitation.expires_at > now,
                Invitation.expires_at <= now + EXPIRING,
            )
            .options(joinedload(Invitation.entity).joinedload(Entity.organization), raiseload("*"))
            .order_by(Invitation.expires_at, Invitation.id)
            .limit(FEW)
        )
    )


def undelivered() -> list[Mail]:
    """The mails that were given up last."""
    return list(
        db.session.scalars(
            select(Mail).where(Mail.status == MailStatus.FAILED).order_by(Mail.id.desc()).limit(FEW)
        )
    )


@dataclass(frozen=True)
class Funnel:
    """What became of the invitations of the last thirty days."""

    created: int
    accepted: int
    waiting: int
    expired: int
    revoked: int

    @property
    def is_capped(self) -> bool:
        """Whether there were more than were looked at."""
        return self.created > MOST_INVITATIONS


def funnel() -> Funnel:
    """What became of the newest invitations of the last thirty days; replaced ones count once."""
    now = clock.now()
    rows = db.session.execute(
        select(Invitation.status, Invitation.expires_at)
        .where(Invitation.created_at > now - PERIOD, Invitation.status != InvitationStatus.SUPERSEDED)
        .order_by(Invitation.created_at.desc())
        .limit(MOST_INVITATIONS + 1)
    ).all()
    states = Counter(
        InvitationStatus.EXPIRED
        if row.status is InvitationStatus.PENDING and row.expires_at <= now
        else row.status
        for row in rows
    )
    return Funnel(
        created=len(rows),
        accepted=states[InvitationStatus.ACCEPTED],
        waiting=states[InvitationStatus.PENDING],
        expired=states[InvitationStatus.EXPIRED],
        revoked=states[InvitationStatus.REVOKED],
    )
