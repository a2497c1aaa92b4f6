"""At the desk: somebody of ours who is signed in, and what is in the database by now."""

from typing import Any

from sqlalchemy import func, select

from models import Base, db
from tests import cast, make
from tests.visitor import Visitor
from web import cookie_name


def at_desk(browse: Visitor, who: cast.Who) -> Visitor:
    """A browser of its own in which that member of staff is signed in."""
    visitor = browse.another()
    visitor.keep_cookie(cookie_name("staff"), make.desk(cast.staff(who)))
    return visitor


def count(model: type[Base]) -> int:
    """How many rows there are."""
    db.session.expire_all()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def fresh(row: Any) -> Any:
    """The row as it is in the database by now."""
    db.session.expire_all()
    return db.session.get_one(type(row), row.id)
