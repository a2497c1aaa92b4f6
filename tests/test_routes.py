"""The list of routes is current, and what nobody declared a permission for is not served."""

import pytest

from tests import routes


def test_the_list_of_routes_is_current(app):
    """`python -m tests.routes` writes it; the difference belongs before a reviewer's eyes."""
    assert routes.FILE.read_text(encoding="utf-8").splitlines() == routes.lines(app)


def test_every_route_declares_what_it_takes(app):
    assert [line for line in routes.lines(app) if line.endswith(" None")] == []


@pytest.mark.parametrize("path", ["/partners/added", "/admin/added", "/added"])
def test_a_route_without_a_declared_permission_is_not_served(app_with, path):
    app = app_with()
    app.add_url_rule(path, "added", lambda: "what nobody was to see", methods=["GET", "POST"])
    answer = app.test_client().get(path)
    assert answer.status_code == 404
    assert "what nobody" not in answer.text


def test_nothing_of_flask_admins_own_is_served(app):
    """Neither its static files nor a page that would need them."""
    assert not [line for line in routes.lines(app) if "/static/" in line or "fileadmin" in line]
