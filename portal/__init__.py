"""The partners' door: everything under /partners, one blueprint, closed unless a view is marked."""

from flask import Flask

from portal import home, invitations, people, profile, sessions, sign_in
from portal.door import check, portal

#: The rooms behind the door; importing them is what puts their pages on the blueprint.
ROOMS = (sign_in, invitations, home, profile, people, sessions)


def register(app: Flask) -> None:
    """Open the door; refuses to start with a page that nobody declared a permission for."""
    app.register_blueprint(portal)
    check(app)
