"""Keeps the test's own database session apart from what the application does in a request."""

import contextvars
from collections.abc import Callable
from typing import TypeVar

from flask import has_app_context

from models import db

Answer = TypeVar("Answer")


def apart(call: Callable[[], Answer]) -> Answer:
    """Run `call` as a request of its own: in a fresh context, so that it cannot borrow the test's session.

    The test's transaction ends before and after, so that neither waits for the other and the test
    then sees what the request wrote.
    """
    _end_transaction()
    try:
        return contextvars.Context().run(call)
    finally:
        _end_transaction()


def _end_transaction() -> None:
    if not has_app_context():
        return
    session = db.session()
    unsaved = [*session.new, *session.dirty, *session.deleted]
    assert not unsaved, f"The test has not committed {unsaved}, so a request would not see it."
    session.rollback()
