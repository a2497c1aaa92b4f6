"""How staff come in: password, then second factor; their sessions; and coming in anew for what matters.

Passwords and codes are checked before the transaction that records how it ended, so that no writer
waits for Argon2. Every step that proves more gives a new session; a token that was there before is ended.
"""

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import OperationalError

import clock
import config
from models import Company, Session, Staff, db
from permissions import Actor, Permission, System
from services import audit, auth_log, company, keys, limits, passwords, second_factor
from services.access import require
from services.emails import canonical_email
from services.errors import NotFound, Refusal, TooMany
from services.transaction import aside, locked, transaction

LONGEST_SESSION = timedelta(hours=12)
LONGEST_IDLE = timedelta(minutes=30)
FRESH = timedelta(minutes=15)  #: how long a sign-in counts as fresh
PENDING = timedelta(minutes=10)  #: between the password and the second factor
TOUCH = timedelta(minutes=1)  #: how exactly "last seen" is kept

#: Failures within that time; of one account, and from one address.
FAILURES, FAILURE_TIME = 10, timedelta(minutes=5)
#: Tries of second factors of one account: in a row, and in the long run.
CODE_TRIES = ((5, timedelta(minutes=5)), (20, timedelta(hours=1)))

#: The one answer to a wrong address, a wrong password, a closed account and one without a password.
WRONG = "Email or password is wrong. Check both, or ask for a new password."
WRONG_CODE = "This code does not match, or was used before. Wait for the next one."


@dataclass(frozen=True)
class StaffSession:
    """A browser in which one of us is signed in; what Flask-Login calls the user of the desk."""

    staff: Staff
    id: int
    authenticated_at: datetime
    second_factor_at: datetime | None

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        return self.staff.get_id()

    @property
    def must_enrol(self) -> bool:
        """Whether nothing opens before a second factor is set up."""
        return config.current().is_second_factor_required and not self.staff.has_second_factor

    @property
    def is_fresh(self) -> bool:
        """Whether they proved who they are just now."""
        return clock.now() - self.authenticated_at <= FRESH


@dataclass(frozen=True)
class Checked:
    """How a password or code was judged; `record` and `prove` write it down and act on it."""

    email: str  #: canonical, or "" where no address was typed
    staff_id: int | None = None
    epoch: int = 0
    is_right: bool = False
    too_many: TooMany | None = None


@dataclass(frozen=True)
class Pending:
    """Somebody knew the password; the second factor is still to come. Opens nothing by itself."""

    staff_id: int
    epoch: int


@dataclass(frozen=True)
class Outcome:
    """What a step led to: a session's token, a second factor still to come, or a refusal."""

    token: str = ""
    pending: Pending | None = None
    refusal: Refusal | None = None


# MARK: Password


def check(*, email: str, password: str) -> Checked:
    """Judge email and password in the same time whatever is wrong; before the transaction."""
    try:
        canonical = canonical_email(email)
    except Refusal:
        canonical = ""
    watched = (f"staff.password:{canonical}", f"staff.address:{limits.network(audit.origin.get().address)}")
    try:
        for key in watched:
            limits.hit(key, limit=FAILURES, per=FAILURE_TIME)
    except TooMany as refusal:
        return Checked(canonical, too_many=refusal)
    staff = db.session.scalar(select(Staff).where(Staff.email_canonical == canonical))
    is_right = passwords.verify(staff.password_hash if staff else None, password)
    if staff is None or not staff.is_active or not is_right:
        return Checked(canonical, staff.id if staff else None)
    for key in watched:
        limits.give_back(key, per=FAILURE_TIME)  # only failures count
    return Checked(canonical, staff.id, staff.epoch, is_right=True)


def record(
    checked: Checked, *, browser: str, system: str, password: str = "", replaces: int | None = None
) -> Outcome:
    """Write down how it ended: a session, or the second factor is asked for, or a refusal.

    The password is kept anew where its hash is older than today's parameters.
    """
    staff = _locked(checked.staff_id)
    if not checked.is_right or staff is None or not staff.is_active or staff.epoch != checked.epoch:
        return _refused("sign_in", checked, staff, WRONG)
    if password and staff.password_hash and passwords.is_outdated(staff.password_hash):
        staff.password_hash = passwords.hash_of(password)
        audit.record(actor=System(), verb="staff.changed", subject=staff)
    if staff.has_second_factor:
        auth_log.note("password_accepted", "ok", staff=staff)
        return Outcome(pending=Pending(staff.id, staff.epoch))
    return Outcome(start(staff, browser, system, second_factor_at=None, replaces=replaces))


# MARK: Second factor


def check_tries(pending: Pending) -> Checked:
    """Count a try of a second factor; before the transaction."""
    try:
        for number, (limit, per) in enumerate(CODE_TRIES):
            limits.hit(f"staff.code{number}:{pending.staff_id}", limit=limit, per=per)
    except TooMany as refusal:
        return Checked("", pending.staff_id, too_many=refusal)
    return Checked("", pending.staff_id, pending.epoch, is_right=True)


def prove(
    checked: Checked,
    *,
    code: str,
    browser: str,
    system: str,
    is_recovery: bool = False,
    replaces: int | None = None,
) -> Outcome:
    """Sign in with the second factor: a code of the app, or one of the recovery codes."""
    staff = _locked(checked.staff_id)
    if not checked.is_right or staff is None or not staff.is_active or staff.epoch != checked.epoch:
        return _refused("second_factor", checked, staff, WRONG_CODE)
    accept = second_factor.accept_recovery_code if is_recovery else second_factor.accept_code
    if not staff.has_second_factor or not accept(staff, code):
        return _refused("recovery_code" if is_recovery else "second_factor", checked, staff, WRONG_CODE)
    return Outcome(start(staff, browser, system, second_factor_at=clock.now(), replaces=replaces))


def forgive_tries(pending: Pending) -> None:
    """Uncount the try that was right; after the transaction."""
    for number, (_limit, per) in enumerate(CODE_TRIES):
        limits.give_back(f"staff.code{number}:{pending.staff_id}", per=per)


def enrol(
    *, session: StaffSession, setup: second_factor.Setup, code: str, browser: str, system: str
) -> tuple[list[str], str]:
    """Set up the second factor: every session without it ends, this browser gets a new one.

    Gives the recovery codes and the new token. Raises Refusal on `code` when it does not match.
    """
    codes = second_factor.confirm(staff=session.staff, setup=setup, code=code)
    db.session.flush()
    staff = locked(Staff, session.staff.id)
    close(staff, "second_factor")
    return codes, start(staff, browser, system, second_factor_at=clock.now())


def confirm(session: StaffSession, checked: Checked, *, code: str, browser: str, system: str) -> Outcome:
    """Come in anew without leaving: password and, where there is one, a code; gives a new session."""
    staff = _locked(session.staff.id)
    if staff is None or not checked.is_right or checked.staff_id != staff.id or checked.epoch != staff.epoch:
        return _refused("confirmation", checked, staff, "Password is wrong", field="password")
    proved_at = None
    if staff.has_second_factor:
        if not second_factor.accept_code(staff, code):
            return _refused("confirmation", checked, staff, WRONG_CODE, field="code")
        proved_at = clock.now()
    return Outcome(start(staff, browser, system, second_factor_at=proved_at, replaces=session.id))


# MARK: Sessions


def start(
    staff: Staff, browser: str, system: str, *, second_factor_at: datetime | None, replaces: int | None = None
) -> str:
    """A new session of a locked row; its token is told to the browser and kept nowhere.

    `replaces` is the session that this browser had, which ends.
    """
    token, now = keys.mint(), clock.now()
    if replaces is not None:
        _revoke(Session.id == replaces, "newer")
    row = Session(
        token_digest=keys.digest(token),
        staff_id=staff.id,
        epoch=staff.epoch,
        browser=browser,
        system=system,
        address=audit.origin.get().address,
        created_at=now,
        authenticated_at=now,
        second_factor_at=second_factor_at,
        last_seen_at=now,
        expires_at=now + LONGEST_SESSION,
    )
    db.session.add(row)
    db.session.flush()
    seen = update(Staff).where(Staff.id == staff.id).values(last_seen_at=now)
    db.session.execute(seen.execution_options(logged=True, synchronize_session=False))
    auth_log.note("signed_in", "ok", staff=staff, session_id=row.id)
    audit.record(
        actor=staff, verb="session.started", subject=staff, second_factor=second_factor_at is not None
    )
    return token


#: Built once, for every request of the desk asks it.
_BY_TOKEN = (
    select(Session, Staff, Company)
    .select_from(Session)
    .join(Staff, Staff.id == Session.staff_id)
    .outerjoin(Company, Company.id == 1)
    .where(Session.token_digest == bindparam("digest"))
    .execution_options(populate_existing=True)
)


def session_of(token: str, browser: str, system: str) -> StaffSession | None:
    """The session behind a token, if it holds in this browser; one SELECT, which brings the company along.

    A token that turns up in another browser or system was carried off: it ends.
    """
    found = db.session.execute(_BY_TOKEN, {"digest": keys.digest(token)}).one_or_none()
    if found is None:
        return None
    session, staff, tenant = found
    company.keep(tenant)
    now = clock.now()
    has_ended = session.revoked_at is not None or now >= session.expires_at
    if has_ended or now - session.last_seen_at > LONGEST_IDLE:
        return None
    if not staff.is_active or session.epoch != staff.epoch:
        return None
    if staff.has_second_factor and session.second_factor_at is None:
        return None
    if (session.browser, session.system) != (browser, system):
        _end_misplaced(session, staff)
        return None
    if now - session.last_seen_at >= TOUCH:
        _touch(session, now)
    return StaffSession(staff, session.id, session.authenticated_at, session.second_factor_at)


def sessions_of(staff: Staff) -> list[Session]:
    """The sessions that hold, the newest first."""
    now = clock.now()
    return list(
        db.session.scalars(
            select(Session)
            .where(
                Session.staff_id == staff.id,
                Session.revoked_at.is_(None),
                Session.expires_at > now,
                Session.last_seen_at >= now - LONGEST_IDLE,
                Session.epoch == staff.epoch,
            )
            .order_by(Session.id.desc())
        )
    )


def end(session: StaffSession) -> None:
    """Sign out of this browser."""
    if _revoke(Session.id == session.id, "signed_out"):
        auth_log.note("signed_out", "ok", staff=session.staff, session_id=session.id)
        audit.record(actor=session.staff, verb="session.ended", subject=session.staff)


def end_one(*, actor: Staff, session_id: int) -> None:
    """End one session, of oneself or (administrators) of a colleague. Raises NotFound."""
    staff = db.session.scalar(select(Staff).join(Session).where(Session.id == session_id))
    if staff is None:
        raise NotFound
    if staff.id != actor.id:
        require(actor, Permission.MANAGE_STAFF)
    if _revoke(Session.id == session_id, "signed_out"):
        auth_log.note("session_revoked", "ok", staff=staff, session_id=session_id)
        audit.record(actor=actor, verb="session.revoked", subject=staff)


def end_all(*, actor: Actor, staff: Staff, keep: int | None = None) -> None:
    """Sign somebody out everywhere, oneself or (administrators) a colleague; `keep` stays signed in."""
    if not (isinstance(actor, Staff) and actor.id == staff.id):
        require(actor, Permission.MANAGE_STAFF)
    row = locked(Staff, staff.id)
    close(row, "everywhere", keep=keep)
    auth_log.note("signed_out_everywhere", "ok", staff=row)
    audit.record(actor=actor, verb="session.all_revoked", subject=row)


def close(staff: Staff, reason: str, *, keep: int | None = None) -> None:
    """End every session of a locked row, within a change that records what happened."""
    staff.epoch += 1
    _revoke(Session.staff_id == staff.id, reason, but=keep)
    if keep is not None:
        kept = update(Session).where(Session.id == keep, Session.staff_id == staff.id)
        db.session.execute(kept.values(epoch=staff.epoch).execution_options(synchronize_session=False))


# MARK: How it is done


def _refused(kind: str, checked: Checked, staff: Staff | None, sentence: str, *, field: str = "") -> Outcome:
    cause = "too_many" if checked.too_many else ("unknown" if staff is None else "wrong")
    if staff is not None and not staff.is_active:
        cause = "inactive"
    auth_log.note(kind, "refused", cause=cause, email=checked.email, staff=staff)
    return Outcome(refusal=checked.too_many or Refusal(sentence, field=field))


def _revoke(which: object, reason: str, *, but: int | None = None) -> int:
    # Only what holds: a request that is under way cannot bring a session back, nor end it twice.
    ended = db.session.execute(
        update(Session)
        .where(which, Session.revoked_at.is_(None), Session.id != (but or 0))  # type: ignore[arg-type]
        .values(revoked_at=clock.now(), revoked_reason=reason)
        .execution_options(synchronize_session=False)
    )
    return int(ended.rowcount)  # type: ignore[attr-defined]


def _end_misplaced(session: Session, staff: Staff) -> None:
    with transaction():
        if _revoke(Session.id == session.id, "binding_mismatch"):
            auth_log.note(
                "session_used", "refused", cause="binding_mismatch", staff=staff, session_id=session.id
            )
            audit.record(actor=System(), verb="session.binding_mismatch", subject=staff)


def _touch(session: Session, now: datetime) -> None:
    # A database that is busy writing something else keeps nobody out.
    with contextlib.suppress(OperationalError), aside() as connection:
        held = update(Session).where(Session.id == session.id, Session.revoked_at.is_(None))
        connection.execute(held.values(last_seen_at=now))
        connection.execute(update(Staff).where(Staff.id == session.staff_id).values(last_seen_at=now))


def _locked(staff_id: int | None) -> Staff | None:
    return locked(Staff, staff_id) if staff_id is not None else None
