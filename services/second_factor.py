"""The second factor of staff: codes of an authenticator app (TOTP), and ten recovery codes beside it.

A new secret becomes the factor only when a code made with it was typed; until then it travels sealed,
so that breaking off leaves the old one in force. Every code opens once.
"""

import json
import re
import secrets
from base64 import b32encode
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyotp
from sqlalchemy import delete, func, or_, select, update

import clock
from models import RecoveryCode, Staff, db
from permissions import Actor, Permission
from services import administrators, audit, keys, mail
from services.access import require
from services.errors import IllegalMove, NotAllowed, Refusal
from services.transaction import locked

STEP = 30  #: seconds that one code of the app counts
RECOVERY_CODES = 10
SETUP_TIME = timedelta(minutes=15)  #: between the QR code and the first code typed
WRONG_CODE = "This code does not match; check the clock of your phone, and use the newest code"


@dataclass(frozen=True)
class Setup:
    """A second factor on its way: not in force before `confirm`."""

    state: str  #: sealed; the page hands it back with the code
    secret: str  #: base32, for typing by hand
    uri: str  #: what the QR code says


def begin(staff: Staff) -> Setup:
    """A new secret for this person; nothing changes until they confirm it."""
    secret = pyotp.random_base32(32)
    state = keys.seal(json.dumps([staff.id, secret, int(clock.now().timestamp())]))
    return _setup(staff, state, secret)


def read(staff: Staff, state: str) -> Setup | None:
    """The setup that was begun, or None where it is somebody else's, too old or made up."""
    opened = keys.unseal(state) if state.isascii() and len(state) <= 500 else None
    if opened is None:
        return None
    owner, secret, begun = json.loads(opened)
    if owner != staff.id or clock.now().timestamp() - begun > SETUP_TIME.total_seconds():
        return None
    return _setup(staff, state, secret)


def confirm(*, staff: Staff, setup: Setup, code: str) -> list[str]:
    """Make the secret the second factor and give ten new recovery codes, to be shown this once.

    Raises Refusal on `code` when it was not made with the secret.
    """
    step = _matching_step(setup.secret, code, clock.now())
    if step is None:
        raise Refusal(WRONG_CODE, field="code")
    staff = locked(Staff, staff.id)
    staff.totp_secret = keys.seal(setup.secret)
    staff.totp_confirmed_at = clock.now()
    staff.totp_last_step = step
    audit.record(actor=staff, verb="staff.second_factor_added", subject=staff)
    return _new_codes(staff)


def remove(*, actor: Actor, staff: Staff, reason: str) -> None:
    """Take the second factor of a colleague away, so that they can set up another; they are told by mail.

    Raises NotAllowed for one's own, and without a reason Refusal on `reason`.
    """
    require(actor, Permission.MANAGE_STAFF)
    if isinstance(actor, Staff) and actor.id == staff.id:
        raise NotAllowed("Another administrator has to remove your second factor.")
    if not reason.strip():
        raise Refusal("Enter how you made sure that it is them who asks", field="reason")
    staff = locked(Staff, staff.id)
    if not staff.has_second_factor:
        raise IllegalMove(f"{staff.name} has no second factor.")
    staff.totp_secret = None
    staff.totp_confirmed_at = None
    staff.totp_last_step = None
    staff.epoch += 1
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == staff.id))
    audit.record(actor=actor, verb="staff.second_factor_removed", subject=staff, reason=reason)
    mail.queue("staff.second_factor_removed", to=staff, by=actor.name)


# MARK: Codes of the app


def accept_code(staff: Staff, code: str) -> bool:
    """Whether the code is one of now, a step before or after, and newer than the last that opened.

    Takes the step in the same statement, so that of two who type it at once one gets in.
    """
    secret = keys.unseal(staff.totp_secret) if staff.totp_secret else None
    if secret is None or not staff.has_second_factor:
        return False
    step = _matching_step(secret, code, clock.now())
    if step is None:
        return False
    taken = db.session.execute(
        update(Staff)
        .where(Staff.id == staff.id, or_(Staff.totp_last_step.is_(None), Staff.totp_last_step < step))
        .values(totp_last_step=step)
        .execution_options(logged=True, synchronize_session=False)  # no change of the record: no version
    )
    return taken.rowcount == 1  # type: ignore[attr-defined]


def _matching_step(secret: str, code: str, at: datetime) -> int | None:
    typed = re.sub(r"[\s-]", "", code)
    if not re.fullmatch(r"[0-9]{6}", typed):
        return None
    now = int(at.timestamp()) // STEP
    app = pyotp.TOTP(secret, interval=STEP)
    fitting = [step for step in (now - 1, now, now + 1) if keys.same(app.generate_otp(step), typed)]
    return max(fitting, default=None)


# MARK: Recovery codes


def new_recovery_codes(*, staff: Staff) -> list[str]:
    """Ten new codes instead of the old ones, to be shown this once.

    Raises IllegalMove where there is no second factor to recover.
    """
    staff = locked(Staff, staff.id)
    if not staff.has_second_factor:
        raise IllegalMove("Set up the second factor first.")
    audit.record(actor=staff, verb="staff.recovery_codes_made", subject=staff)
    return _new_codes(staff)


def accept_recovery_code(staff: Staff, code: str) -> bool:
    """Whether it is one of theirs that nobody used; it is spent by this, they and the admins get a mail."""
    spent = db.session.execute(
        update(RecoveryCode)
        .where(
            RecoveryCode.staff_id == staff.id,
            RecoveryCode.code_digest == keys.digest(_plain(code)),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=clock.now())
    )
    if spent.rowcount != 1:  # type: ignore[attr-defined]
        return False
    left = recovery_codes_left(staff)
    audit.record(actor=staff, verb="staff.recovery_code_used", subject=staff, left=left)
    for reader in {row.id: row for row in (staff, *administrators.active())}.values():
        mail.queue("staff.recovery_code_used", to=reader, who=staff.name, left=left)
    return True


def recovery_codes_left(staff: Staff) -> int:
    """How many of the ten are still good."""
    unused = select(func.count()).where(RecoveryCode.staff_id == staff.id, RecoveryCode.used_at.is_(None))
    return db.session.scalar(unused) or 0


def _new_codes(staff: Staff) -> list[str]:
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == staff.id))
    codes = [_spell(b32encode(secrets.token_bytes(10)).decode()) for _ in range(RECOVERY_CODES)]
    db.session.add_all(
        RecoveryCode(staff_id=staff.id, code_digest=keys.digest(_plain(code))) for code in codes
    )
    return codes


def _spell(code: str) -> str:
    """Sixteen characters in four groups, easier to type."""
    return "-".join(re.findall("....", code))


def _plain(typed: str) -> str:
    # The alphabet has no 0, 1 and 8, so these were letters.
    return re.sub(r"[\s-]", "", typed).upper().translate(str.maketrans("018", "OIB"))[:64]


# MARK: Both


def _setup(staff: Staff, state: str, secret: str) -> Setup:
    uri = pyotp.TOTP(secret, interval=STEP).provisioning_uri(
        name=staff.email_canonical, issuer_name="Portico"
    )
    return Setup(state, secret, uri)
