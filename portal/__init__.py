"""The partners' door: everything under /partners, one blueprint, closed unless a view is marked."""

from flask import Flask


def register(app: Flask) -> None:
    """Open the door; refuses to start with a page that nobody declared a permission for."""
    # Importing a room is what puts its pages on the blueprint.
    from portal import door, home, invitations, people, profile, sessions, sign_in  # noqa: F401

    app.register_blueprint(door.portal)
    app.add_url_rule("/", "front", home.enter_portal)
    door.check(app)
