"""The internal door: one Flask-Admin instance, closed unless a view's mark opens it."""

from flask import Flask
from flask_admin import Admin
from flask_admin.theme import Bootstrap4Theme

from admin import base


def register(app: Flask) -> None:
    """Put every view of the desk below /admin."""
    from admin import (  # views import base, which this package makes first
        account,
        audit,
        home,
        machinery,
        partners,
        records,
        settings,
        sign_in,
    )

    admin = Admin(
        name="Portico",
        url="/admin",
        index_view=home.HomeView(name="Home", endpoint="admin", url="/admin"),
        theme=Bootstrap4Theme(base_template="layouts/desk.html"),
    )
    for room in (sign_in, account, partners, records, machinery, audit, settings):
        for view in room.views():
            admin.add_view(view)
    admin.init_app(app)
    app.extensions["marks"] = base.marks(admin)
    base.register(app)
