"""What tests of signing in to the desk share: somebody with a password, and each step of coming in."""

from typing import Any

import pyotp
from sqlalchemy import select

from models import AuditEvent, AuthEvent, Staff, StaffRole, db
from services import passwords, second_factor, staff_sign_in
from services.transaction import transaction
from tests import cast, make

GOOD = "a lantern under the wet bridge"
KEPT = passwords.hash_of(GOOD)
HERE: Any = {"browser": "Firefox", "system": "Windows"}


def dana_with_password() -> Staff:
    """One of us who has chosen a password."""
    return make.staff(
        StaffRole.OPERATIONS, email=cast.DANA.email, full_name=cast.DANA.name, password_hash=KEPT
    )


def sign_in(email: str = cast.DANA.email, password: str = GOOD, **given: Any) -> Any:
    checked = staff_sign_in.check(email=email, password=password)
    with transaction():
        return staff_sign_in.record(checked, **HERE, **given)


def prove(pending: Any, code: str, *, is_recovery: bool = False) -> Any:
    checked = staff_sign_in.check_tries(pending)
    with transaction():
        outcome = staff_sign_in.prove(checked, code=code, **HERE, is_recovery=is_recovery)
    if not outcome.refusal:
        staff_sign_in.forgive_tries(pending)
    return outcome


def session_of(token: str) -> Any:
    db.session.rollback()  # each request reads the newest state
    return staff_sign_in.session_of(token, **HERE)


def enrol(who: Staff) -> tuple[pyotp.TOTP, list[str], str]:
    """Set up a second factor in a new session: the app, the recovery codes, the token."""
    setup = second_factor.begin(who)
    app = pyotp.TOTP(setup.secret)
    with transaction():
        token = staff_sign_in.start(who, **HERE, second_factor_at=None)
    here = session_of(token)
    with transaction():
        codes, token = staff_sign_in.enrol(session=here, setup=setup, code=app.at(make.clock.now()), **HERE)
    return app, codes, token


def events(kind: str) -> list[tuple[str, str]]:
    rows = db.session.scalars(select(AuthEvent).where(AuthEvent.kind == kind).order_by(AuthEvent.id))
    return [(row.outcome, row.cause) for row in rows]


def verbs() -> list[str]:
    return list(db.session.scalars(select(AuditEvent.verb).order_by(AuditEvent.id)))
