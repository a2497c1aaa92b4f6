"""Lists as one of us left them: a name for a page's query, for oneself or for everybody."""

from typing import NamedTuple

from sqlalchemy import or_, select

from models import SavedView, Staff, db
from permissions import Permission
from services.access import require
from services.errors import NotAllowed, NotFound, Refusal

LONGEST_NAME = 60
LONGEST_QUERY = 2000
MOST = 30  #: views of one page and one person


class View(NamedTuple):
    """A saved view as its reader sees it."""

    id: int
    name: str
    query: str
    is_own: bool


def of(staff: Staff, page: str) -> list[View]:
    """The views of that page: one's own and those that others show to everybody."""
    rows = db.session.execute(
        select(SavedView.id, SavedView.name, SavedView.query, SavedView.staff_id)
        .where(SavedView.page == page, or_(SavedView.staff_id == staff.id, SavedView.is_shared.is_(True)))
        .order_by(SavedView.id)
        .limit(2 * MOST)
    )
    return [View(row.id, row.name, row.query, row.staff_id == staff.id) for row in rows]


def save(*, actor: Staff, page: str, name: str, query: str, is_shared: bool) -> SavedView:
    """Keep the query under that name; the same name again takes the new query.

    Raises Refusal without a name, with too long a query, or beyond MOST views.
    """
    require(actor, Permission.USE_DESK)
    name = " ".join(name.split())
    query = query.removeprefix("?")
    if not name or len(name) > LONGEST_NAME:
        raise Refusal(f"Give the view a name of 1 to {LONGEST_NAME} characters.", field="name")
    if not query or len(query) > LONGEST_QUERY:
        raise Refusal("This list has nothing to save: filter or sort it first.", field="query")
    own = list(
        db.session.scalars(
            select(SavedView).where(SavedView.page == page, SavedView.staff_id == actor.id).limit(MOST)
        )
    )
    view = next((each for each in own if each.name.casefold() == name.casefold()), None)
    if view is None:
        if len(own) >= MOST:
            raise Refusal(f"You have {MOST} views of this list. Remove one first.", field="name")
        view = SavedView(staff_id=actor.id, page=page)
        db.session.add(view)
    view.name, view.query, view.is_shared = name, query, is_shared
    return view


def remove(*, actor: Staff, page: str, view_id: int) -> str:
    """Forget one's own view and give its name. Raises NotFound, NotAllowed for another's."""
    view = db.session.get(SavedView, view_id)
    if view is None or view.page != page:
        raise NotFound
    if view.staff_id != actor.id:
        raise NotAllowed("This view belongs to somebody else.")
    db.session.delete(view)
    return view.name
