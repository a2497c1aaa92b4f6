"""What was refused at the threshold: kept, so that somebody who tries doors is seen; never too much of it."""

from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from models import Person, Staff, db
from services import audit, auth_log, limits
from services.transaction import transaction

#: Entries of one person, or one network where nobody is signed in; what is beyond it is noted nowhere.
MOST, PERIOD = 60, timedelta(minutes=15)
LONGEST_CAUSE = 40  # characters


def note(kind: str, *, cause: str, person: Person | None = None, staff: Staff | None = None) -> None:
    """Leave an entry of the sign-in log, in a transaction of its own: `access_denied` or `forgery_refused`.

    Says nothing when it cannot be written: the refusal stands without it.
    """
    if db.session().info.get("in_transaction"):
        return
    who = f"{person.id}" if person else f"staff{staff.id}" if staff else ""
    key = f"denied:{who or limits.network(audit.origin.get().address)}"
    try:
        with transaction():
            if limits.take(key, limit=MOST, per=PERIOD):
                auth_log.note(kind, "refused", cause=cause[:LONGEST_CAUSE], person=person, staff=staff)
    except SQLAlchemyError:
        db.session.rollback()
