"""Forms that act once: the same form sent again shows its first result instead of acting again."""

from datetime import timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

import clock
from language import _l
from models import FormSubmission, db
from permissions import Actor
from services import audit, keys
from services.errors import IllegalMove

KEPT = timedelta(days=2)


def claim(actor: Actor, form_key: str, body: str) -> str | None:
    """Take this form for the transaction at hand; call first in it.

    None when the form is new and the caller acts; else where its first submission led ("" while that
    is not known). A second request waits here until the first has committed.

    Raises IllegalMove when the same form comes with another text: its first version was done already.
    """
    session = db.session()
    owner = _owner(actor)
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    made = session.execute(
        insert(FormSubmission)
        .values(
            actor_key=owner,
            form_key=form_key,
            body_digest=keys.digest(body),
            location="",
            created_at=clock.now(),
        )
        .on_conflict_do_nothing()
        .returning(FormSubmission.form_key)  # the count of rows is not told alike by all databases
    )
    if made.first() is not None:
        return None
    first = session.execute(
        select(FormSubmission.body_digest, FormSubmission.location).where(
            FormSubmission.actor_key == owner, FormSubmission.form_key == form_key
        )
    ).one()
    if first.body_digest != keys.digest(body):
        raise IllegalMove(_l("This form was sent already, with other text. Open it anew to send another."))
    return str(first.location)


def settle(actor: Actor, form_key: str, location: str) -> None:
    """Remember where the claimed form led."""
    db.session.execute(
        update(FormSubmission)
        .where(FormSubmission.actor_key == _owner(actor), FormSubmission.form_key == form_key)
        .values(location=location)
    )


def prune() -> int:
    """Forget forms older than KEPT; gives how many."""
    gone = db.session.execute(delete(FormSubmission).where(FormSubmission.created_at < clock.now() - KEPT))
    return int(gone.rowcount)  # type: ignore[attr-defined]


def _owner(actor: Actor) -> str:
    kind, number = audit.actor_key(actor)
    return f"{kind}:{number or 0}"
