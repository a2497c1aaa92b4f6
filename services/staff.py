"""Staff accounts: made and changed by administrators, with passwords that only their owners know.

A password comes by a mailed link that opens once within the hour; it never stands in for the second
factor. The last active administrator stays one.
"""

import time
from datetime import timedelta

from sqlalchemy import select, update

import clock
from language import TIME_ZONES
from models import Mail, Staff, StaffLink, StaffRole, db
from permissions import Actor, Permission, System
from services import administrators, audit, auth_log, company, keys, limits, mail, passwords, staff_sign_in
from services.access import require
from services.emails import canonical_email, shown_email
from services.errors import Gone, IllegalMove, NotAllowed, NotFound, Refusal, Stale
from services.transaction import locked, transaction

LINK_LIFETIME = timedelta(hours=1)
LONGEST_NAME = 200  #: characters
#: Password links that one address may ask for, and one account be sent.
ASKED, ASKED_TIME = 5, timedelta(hours=1)
#: How long the answer to such a request takes at least, known address or not.
ANSWER_TIME = timedelta(milliseconds=150)


# MARK: Questions


def find(*, actor: Actor, staff_id: int) -> Staff:
    """The account, for who may read staff. Raises NotFound, NotAllowed."""
    require(actor, Permission.READ_STAFF)
    row = db.session.get(Staff, staff_id)
    if row is None:
        raise NotFound
    return row


def everyone(*, actor: Actor) -> list[Staff]:
    """Every account, those who can sign in first, then by name."""
    require(actor, Permission.READ_STAFF)
    return list(db.session.scalars(select(Staff).order_by(Staff.is_active.desc(), Staff.full_name, Staff.id)))


def by_email(email: str) -> Staff | None:
    """The account of an address, however it is typed."""
    try:
        canonical = canonical_email(email)
    except Refusal:
        return None
    return db.session.scalar(select(Staff).where(Staff.email_canonical == canonical))


# MARK: Changes by administrators


def create(
    *, actor: Actor, email: str, full_name: str, role: StaffRole, password: str | None = None
) -> Staff:
    """Make an account; without a password (which only a command may give) a link is mailed to choose one.

    Raises NotAllowed, or Refusal on `email`, `full_name` or `password`.
    """
    require(actor, Permission.MANAGE_STAFF)
    if password is not None and isinstance(actor, Staff):
        raise NotAllowed("People choose their own password, by the link that they are mailed.")
    canonical, name = canonical_email(email), _name(full_name)
    if db.session.scalar(select(Staff.id).where(Staff.email_canonical == canonical)):
        raise Refusal("Somebody with this address is on the list already", field="email")
    row = Staff(email=shown_email(email), email_canonical=canonical, full_name=name, role=role)
    if password is not None:
        _check_password(row, password)
        row.password_hash = passwords.hash_of(password)
    db.session.add(row)
    db.session.flush()
    audit.record(actor=actor, verb="staff.created", subject=row, role=role)
    if password is None:
        mail.queue("staff.password_link", to=row)
    return row


def change(
    *,
    actor: Actor,
    staff: Staff,
    full_name: str,
    role: StaffRole,
    version: int | None = None,
    reason: str = "",
) -> Staff:
    """Change name and role; a new role holds from the next click on.

    Raises NotAllowed for one's own role, IllegalMove for the last administrator's, and Stale when
    somebody saved after that version.
    """
    require(actor, Permission.MANAGE_STAFF)
    row = locked(Staff, staff.id)
    if version is not None and row.version != version:
        raise Stale(
            f"Somebody else saved in the meantime: {row.name}, {row.role.value}. Nothing was changed."
        )
    if row.role is not role:
        if isinstance(actor, Staff) and actor.id == row.id:
            raise NotAllowed("Another administrator has to change your role.")
        administrators.keep_one_beside(row)
    row.full_name, row.role = _name(full_name), role
    if db.session.is_modified(row):
        audit.record(actor=actor, verb="staff.changed", subject=row, reason=reason)
    return row


def deactivate(*, actor: Actor, staff: Staff, reason: str = "") -> Staff:
    """Close an account: every session and link of it ends at once, what it did stays."""
    require(actor, Permission.MANAGE_STAFF)
    row = locked(Staff, staff.id)
    if isinstance(actor, Staff) and actor.id == row.id:
        raise NotAllowed("Another administrator has to close your account.")
    if not row.is_active:
        raise IllegalMove(f"The account of {row.name} is closed already.")
    administrators.keep_one_beside(row)
    row.is_active = False
    staff_sign_in.close(row, "deactivated")
    revoke_links(row)
    audit.record(actor=actor, verb="staff.changed", subject=row, reason=reason)
    return row


def reactivate(*, actor: Actor, staff: Staff, reason: str = "") -> Staff:
    """Open a closed account again, with a link to choose a new password."""
    require(actor, Permission.MANAGE_STAFF)
    row = locked(Staff, staff.id)
    if row.is_active:
        raise IllegalMove(f"The account of {row.name} is open.")
    row.is_active, row.password_hash = True, None
    audit.record(actor=actor, verb="staff.changed", subject=row, reason=reason)
    mail.queue("staff.password_link", to=row)
    return row


def send_link(*, actor: Actor, staff: Staff) -> None:
    """Mail a colleague the link to choose a new password; the old one works until they do."""
    require(actor, Permission.MANAGE_STAFF)
    if not staff.is_active:
        raise IllegalMove(f"The account of {staff.name} is closed. Open it first.")
    audit.record(actor=actor, verb="staff.reset_requested", subject=staff)
    mail.queue("staff.password_link", to=staff)


# MARK: Passwords


def ask_for_link(*, email: str) -> None:
    """Somebody forgot a password: mail the link if the address is ours, and answer the same if not.

    Opens its own transaction. Raises TooMany for many requests from one place.
    """
    began = time.monotonic()
    limits.hit(f"staff.reset:{limits.network(audit.origin.get().address)}", limit=ASKED * 2, per=ASKED_TIME)
    with transaction():
        row = by_email(email)
        known = row if row is not None and row.is_active else None
        key = f"staff.link:{known.id if known else 'unknown'}"
        is_within = limits.take(key, limit=ASKED, per=ASKED_TIME) or known is None
        if known and is_within:
            audit.record(actor=System(), verb="staff.reset_requested", subject=known)
            mail.queue("staff.password_link", to=known)
        cause = "" if known and is_within else "too_many" if known else "unknown"
        auth_log.note("password_link_requested", "ignored" if cause else "ok", cause=cause, staff=row)
    # A mail more or less must not show in how long this took.
    time.sleep(max(0.0, ANSWER_TIME.total_seconds() - (time.monotonic() - began)))


def mint_staff_link(letter: Mail) -> str:
    """The token for a mail that is being sent now; earlier links of that person stop working.

    Raises NotFound when the account is gone or closed, so that nothing is sent.
    """
    row = db.session.get(Staff, letter.staff_id) if letter.staff_id else None
    if row is None or not row.is_active:
        raise NotFound
    revoke_links(row)
    token = keys.mint()
    db.session.add(
        StaffLink(
            staff_id=row.id,
            token_digest=keys.digest(token),
            mail_id=letter.id,
            expires_at=clock.now() + LINK_LIFETIME,
        )
    )
    return token


def look(token: str) -> Staff:
    """Whose password a link chooses; changes nothing. Raises Gone with the cause."""
    return _live(token)[1]


def choose(*, token: str, password: str) -> Staff:
    """Keep the password that was chosen by the link; every session ends, and the link is spent.

    Raises Gone, or Refusal on `password`, which leaves the link as it was.
    """
    link, row = _live(token)
    _check_password(row, password)
    spent = db.session.execute(
        update(StaffLink)
        .where(StaffLink.id == link.id, StaffLink.used_at.is_(None), StaffLink.revoked_at.is_(None))
        .values(used_at=clock.now())
    )
    if spent.rowcount != 1:  # type: ignore[attr-defined]
        raise _gone("used")
    _keep_password(row, password)
    auth_log.note("password_chosen", "ok", staff=row)
    return row


def change_password(*, staff: Staff, password: str, session_id: int) -> None:
    """Keep another password of one's own; all other sessions end. Raises Refusal on `password`."""
    _check_password(staff, password)
    _keep_password(staff, password, keep=session_id)


def change_preferences(*, staff: Staff, time_zone: str | None, has_letter_keys: bool) -> None:
    """How the desk looks to oneself. Raises Refusal on `time_zone`."""
    if time_zone and time_zone not in TIME_ZONES:
        raise Refusal("Select a time zone of the list", field="time_zone")
    row = locked(Staff, staff.id)
    row.time_zone, row.has_letter_keys = time_zone or None, has_letter_keys
    if db.session.is_modified(row):
        audit.record(actor=row, verb="staff.changed", subject=row)


# MARK: How it is done


def _keep_password(staff: Staff, password: str, *, keep: int | None = None) -> None:
    row = locked(Staff, staff.id)
    row.password_hash = passwords.hash_of(password)
    staff_sign_in.close(row, "password", keep=keep)
    revoke_links(row)
    audit.record(actor=row, verb="staff.password_set", subject=row)


def _check_password(staff: Staff, password: str) -> None:
    ours = company.current()
    known = (staff.email_canonical, staff.full_name, ours.name, ours.portal_name)
    passwords.check(password, known=known)


def _live(token: str) -> tuple[StaffLink, Staff]:
    found = db.session.execute(
        select(StaffLink, Staff)
        .join(Staff, Staff.id == StaffLink.staff_id)
        .where(StaffLink.token_digest == keys.digest(token))
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise _gone("unknown")
    link, row = found
    if link.used_at is not None:
        raise _gone("used")
    if link.revoked_at is not None or not row.is_active:
        raise _gone("revoked")
    if clock.now() >= link.expires_at:
        raise _gone("expired")
    return link, row


def _gone(cause: str) -> Gone:
    sentences = {
        "used": "This link was used already; each link works once.",
        "revoked": "A newer link was sent, or the account was closed. Use the newest mail.",
        "expired": "Links to choose a password work for one hour. Ask for a new one.",
        "unknown": "This link is not complete. Copy the whole address from the mail.",
    }
    return Gone(sentences[cause], cause=cause)


def revoke_links(staff: Staff) -> None:
    """Let no link that chooses a password of theirs work any more."""
    live = (StaffLink.staff_id == staff.id, StaffLink.used_at.is_(None), StaffLink.revoked_at.is_(None))
    db.session.execute(update(StaffLink).where(*live).values(revoked_at=clock.now()))


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name:
        raise Refusal("Enter the full name", field="full_name")
    if len(name) > LONGEST_NAME:
        raise Refusal(f"Full name must be {LONGEST_NAME} characters or fewer", field="full_name")
    return name
