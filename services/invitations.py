"""Invitations: an offer of a place in a team, made to an address, until it is accepted or ends.

The mailed link proves the mailbox and opens the door; the code and the URL that somebody passes on only
lead to a mail. How one is accepted stands in services/acceptance.py.
"""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import raiseload

import clock
import config
from language import _, _l
from models import (
    Affiliation,
    Entity,
    Invitation,
    InvitationStatus,
    PartnerRole,
    Person,
    Staff,
    db,
)
from permissions import Actor, Contact, Permission, System, allowed
from services import audit, keys, limits, mail, partners, team
from services.access import require
from services.emails import canonical_email, shown_email
from services.errors import IllegalMove, NotFound, Refusal
from services.invitation_moves import end, is_enterable, lock, move
from services.sentences import word
from services.transaction import held, transaction

#: Letters and digits that sound and look like no other: no 0 O, 1 I L, U V.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTWXYZ"
CODE_LENGTH = 5
DAYS, FEWEST_DAYS, MOST_DAYS = 7, 1, 60
#: How many invitations a team may send by itself.
TEAM_LIMIT, TEAM_PERIOD = 100, timedelta(days=1)
SWEEP_SIZE = 200


S = InvitationStatus


# MARK: Find


def find_invitation(*, actor: Actor, invitation_id: int) -> Invitation:
    """The invitation, where this actor may see it: staff who read partners, the team it belongs to.

    Raises NotFound.
    """
    invitation = db.session.get(Invitation, invitation_id)
    if invitation is None:
        raise NotFound
    if isinstance(actor, Contact):
        seen = invitation.entity_id == actor.entity.id and allowed(actor, Permission.VIEW_TEAM)
    else:
        seen = allowed(actor, Permission.READ_PARTNERS)
    if not seen:
        raise NotFound
    return invitation


def invitation_by_secret(secret: str) -> Invitation | None:
    """The invitation whose copied URL holds this secret, whatever became of it."""
    if len(secret) != keys.TOKEN_LENGTH:
        return None
    return db.session.scalar(select(Invitation).where(Invitation.url_digest == keys.digest(secret)))


def invitation_by_code(code: str) -> Invitation | None:
    """The invitation with this code, as people type it: any case, spaces and dashes, INV- or not."""
    letters = "".join(letter for letter in code.upper() if letter.isascii() and letter.isalnum())
    letters = letters.removeprefix("INV")
    if len(letters) != CODE_LENGTH:
        return None
    return db.session.scalar(select(Invitation).where(Invitation.invitation_code == f"INV-{letters}"))


def invitations_of(entity: Entity) -> list[Invitation]:
    """Every invitation of the entity, the newest first."""
    query = select(Invitation).where(Invitation.entity_id == entity.id).order_by(Invitation.id.desc())
    return list(db.session.scalars(query.options(raiseload("*"))))


def unanswered_of(entity: Entity, *, limit: int = 100) -> list[Invitation]:
    """The newest invitation of each address, the newest first, where it is open or ran out unused."""
    newest = select(func.max(Invitation.id)).where(Invitation.entity_id == entity.id)
    query = (
        select(Invitation)
        .where(
            Invitation.id.in_(newest.group_by(Invitation.email_canonical)),
            Invitation.status.in_({S.PENDING, S.EXPIRED}),
        )
        .order_by(Invitation.id.desc())
        .limit(limit)
    )
    return list(db.session.scalars(query.options(raiseload("*"))))


def invitation_url(invitation: Invitation) -> str:
    """The URL to copy, built from BASE_URL; "" when the invitation is no longer open."""
    if invitation.state(clock.now()) is not S.PENDING:
        return ""
    secret = keys.unseal(invitation.url_secret)
    return f"{config.current().base_url}/partners/invitations/{secret}" if secret else ""


# MARK: Change


def invite(
    *,
    actor: Actor,
    entity: Entity,
    email: str,
    role: PartnerRole | str,
    days: int = DAYS,
    locale: str | None = None,
    send: bool = True,
) -> Invitation:
    """Offer somebody a place in the entity for that many days; an open offer to them is replaced.

    With `send` the offer is mailed; without it there is only the code and the URL to pass on.

    Raises NotAllowed, NotFound for another team's entity, TooMany, and Refusal for an address that is
    none (email), that is in the team already (email), an unknown role (role) or 1–60 days missed (days).
    """
    _require(actor, entity.id, Permission.CREATE_INVITATIONS)
    role = team.read_role(role)
    team.refuse_ungrantable(actor, role)
    canonical = canonical_email(email)
    days = _read_days(days)
    entity = partners.lock_entity(entity.id)
    if not is_enterable(entity):
        raise IllegalMove(_l("This partnership is paused, so nobody can be invited."))
    _refuse_affiliated(entity, canonical)
    if isinstance(actor, Contact):
        _count_for_team(entity)
    theirs = select(Invitation).where(
        Invitation.entity_id == entity.id,
        Invitation.email_canonical == canonical,
        Invitation.status == S.PENDING,
    )
    open_one = db.session.scalar(held(theirs))
    if open_one is not None:
        end(open_one, "renew")
    expires_at = clock.now() + timedelta(days=days)
    invitation = _make(actor, entity, shown_email(email), canonical, role, expires_at, locale, open_one)
    also = [open_one] if open_one is not None else []
    audit.record(actor=actor, verb="invitation.created", subject=invitation, also=also, role=role.value)
    if send:
        mail.queue("invitation.created", email=invitation.email, entity=entity, invitation=invitation)
    return invitation


def resend(*, actor: Actor, invitation: Invitation) -> Invitation:
    """Mail the offer anew, with a new link and code and the expiry it has; one that expired gets seven days.

    Raises NotAllowed, NotFound, TooMany, and IllegalMove where it was accepted, revoked or replaced.
    """
    return _replace(actor, invitation, "resend", None)


def renew(*, actor: Actor, invitation: Invitation, days: int = DAYS) -> Invitation:
    """Mail the offer anew, to last that many days from now. Raises as `resend`, and Refusal (days)."""
    return _replace(actor, invitation, "renew", _read_days(days))


def revoke(*, actor: Actor, invitation: Invitation, reason: str = "") -> Invitation:
    """Take the offer back; its links and its code open nothing from now on.

    Raises NotAllowed, NotFound, and IllegalMove unless it is open.
    """
    _require(actor, invitation.entity_id, Permission.CREATE_INVITATIONS)
    _entity, invitation = lock(invitation)
    move(invitation, "revoke")
    audit.record(actor=actor, verb="invitation.revoked", subject=invitation, reason=reason)
    return invitation


def expire_due() -> int:
    """Mark the open invitations whose time is over; how many. A job, so the transactions are its own."""
    count = 0
    while True:
        due = select(Invitation.id).where(
            Invitation.status == S.PENDING, Invitation.expires_at <= clock.now()
        )
        numbers = db.session.scalars(due.order_by(Invitation.id).limit(SWEEP_SIZE)).all()
        if not numbers:
            return count
        with transaction():
            rows = select(Invitation).where(Invitation.id.in_(numbers), Invitation.status == S.PENDING)
            for invitation in db.session.scalars(held(rows.order_by(Invitation.id))).all():
                end(invitation, "expire")
                audit.record(actor=System(), verb="invitation.expired", subject=invitation)
                count += 1


# MARK: What every change checks


def _require(actor: Actor, entity_id: int, permission: Permission) -> None:
    if isinstance(actor, Contact):
        if actor.entity.id != entity_id:
            raise NotFound
        permission = Permission.MANAGE_TEAM
    require(actor, permission)


def _replace(actor: Actor, invitation: Invitation, name: str, days: int | None) -> Invitation:
    _require(actor, invitation.entity_id, Permission.RENEW_INVITATIONS)
    entity, old = lock(invitation)
    if not is_enterable(entity):
        raise IllegalMove(_l("This partnership is paused, so nobody can be invited."))
    is_running = old.state(clock.now()) is S.PENDING
    newer = select(Invitation.id).where(
        Invitation.entity_id == entity.id,
        Invitation.email_canonical == old.email_canonical,
        Invitation.status == S.PENDING,
        Invitation.id != old.id,
    )
    if db.session.scalar(newer) is not None:
        raise IllegalMove(_l("A newer invitation to this address is open."))
    move(old, name)
    _refuse_affiliated(entity, old.email_canonical)
    team.refuse_ungrantable(actor, old.role)
    if isinstance(actor, Contact):
        _count_for_team(entity)
    keeps_expiry = days is None and is_running
    expires_at = old.expires_at if keeps_expiry else clock.now() + timedelta(days=days or DAYS)
    new = _make(actor, entity, old.email, old.email_canonical, old.role, expires_at, old.locale, old)
    verb = "invitation.resent" if name == "resend" else "invitation.renewed"
    audit.record(actor=actor, verb=verb, subject=new, also=[old], role=new.role.value)
    mail.queue(verb, email=new.email, entity=entity, invitation=new)
    return new


def _make(
    actor: Actor,
    entity: Entity,
    email: str,
    canonical: str,
    role: PartnerRole,
    expires_at: datetime,
    locale: str | None,
    replaces: Invitation | None,
) -> Invitation:
    secret = keys.mint()
    invitation = Invitation(
        entity=entity,
        email=email,
        email_canonical=canonical,
        role=role,
        invitation_code=_new_code(),
        url_digest=keys.digest(secret),
        url_secret=keys.seal(secret),
        invited_by=actor.name[:200],
        invited_by_staff_id=actor.id if isinstance(actor, Staff) else None,
        invited_by_person_id=actor.person.id if isinstance(actor, Contact) else None,
        locale=locale,
        expires_at=expires_at,
        replaces_id=replaces.id if replaces is not None else None,
    )
    db.session.add(invitation)
    db.session.flush()
    return invitation


def _new_code() -> str:
    while True:
        code = "INV-" + "".join(secrets.choice(ALPHABET) for _letter in range(CODE_LENGTH))
        if db.session.scalar(select(Invitation.id).where(Invitation.invitation_code == code)) is None:
            return code


def _read_days(days: int) -> int:
    if isinstance(days, bool) or not isinstance(days, int) or not FEWEST_DAYS <= days <= MOST_DAYS:
        raise Refusal(
            _("Expiry must be from %(least)s to %(most)s days", least=FEWEST_DAYS, most=MOST_DAYS),
            field="days",
        )
    return days


def _refuse_affiliated(entity: Entity, canonical: str) -> None:
    found = db.session.execute(
        select(Person.email, Affiliation.role, Affiliation.valid_until)
        .join(Affiliation, Affiliation.partner_user_id == Person.id)
        .where(
            Person.email_canonical == canonical,
            Affiliation.entity_id == entity.id,
            Affiliation.ended_at.is_(None),
        )
    ).first()
    if found is not None and (found.valid_until is None or found.valid_until > clock.now()):
        raise Refusal(
            _(
                "%(email)s is in this team already, as %(role)s.",
                email=found.email,
                role=word(found.role.value),
            ),
            field="email",
        )


def _count_for_team(entity: Entity) -> None:
    key = f"invite:{entity.id}"
    if not limits.take(key, limit=TEAM_LIMIT, per=TEAM_PERIOD):
        raise limits.refusal(key, limit=TEAM_LIMIT, per=TEAM_PERIOD)
