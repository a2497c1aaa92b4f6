"""What we wrote down about a partner; only staff read it."""

from language import _l
from models import Entity, Note, Staff, db
from permissions import Permission
from services import audit
from services.access import require
from services.errors import Refusal

LONGEST_NOTE = 5000


def add(*, actor: Staff, entity: Entity, body: str) -> Note:
    """Write a note about the partner. Raises NotAllowed; Refusal when it is empty or too long."""
    require(actor, Permission.WRITE_NOTES)
    body = body.strip()
    if not body:
        raise Refusal(_l("Write the note first"), field="text")
    if len(body) > LONGEST_NOTE:
        raise Refusal(_l("A note must be 5,000 characters or fewer"), field="text")
    note = Note(entity_id=entity.id, staff_id=actor.id, body=body)
    db.session.add(note)
    db.session.flush()
    audit.record(actor=actor, verb="note.added", subject=note)
    return note
