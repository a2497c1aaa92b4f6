"""Who tried to get in, how, and how it ended: the entries that sign-in and support read back."""

from models import AuthEvent, Person, Staff, db
from services import audit


def note(
    kind: str,
    outcome: str,
    *,
    cause: str = "",
    email: str = "",
    person: Person | None = None,
    staff: Staff | None = None,
    link_id: int | None = None,
    session_id: int | None = None,
) -> None:
    """Write an entry in the transaction at hand.

    `outcome` is ok, refused or ignored; `cause` the reason code of the last two; `email` canonical,
    taken from the person or staff where it is not given.
    """
    owner = person or staff
    where = audit.origin.get()
    db.session.add(
        AuthEvent(
            kind=kind,
            outcome=outcome,
            cause=cause,
            email_canonical=email or (owner.email_canonical if owner else ""),
            person_id=person.id if person else None,
            staff_id=staff.id if staff else None,
            sign_in_link_id=link_id,
            session_id=session_id,
            address=where.address,
            agent=where.agent,
            request_id=where.request_id,
        )
    )
