"""The administrators among us: who they are, and that one always stays."""

from sqlalchemy import Select, select

from models import Staff, StaffRole, db
from services.errors import IllegalMove


def active() -> list[Staff]:
    """Those who can sign in, the longest known first."""
    return list(db.session.scalars(_active()))


def keep_one_beside(staff: Staff) -> None:
    """Raises IllegalMove when nobody else could administer, once this one no longer does.

    Locks them all in one order, so that two cannot take each other's role away at the same moment.
    """
    if staff.role is not StaffRole.ADMIN or not staff.is_active:
        return
    if {row.id for row in db.session.scalars(_active().with_for_update())} <= {staff.id}:
        raise IllegalMove("This is the only administrator. Make somebody else one first.")


def _active() -> Select[Staff]:
    return select(Staff).where(Staff.role == StaffRole.ADMIN, Staff.is_active.is_(True)).order_by(Staff.id)
