"""Stylesheets, scripts and icons: small, cached for good, and whole."""

import gzip
import re
from pathlib import Path

import pytest
from flask import Flask

import assets

TEMPLATES = Path(__file__).parents[1] / "templates"


@pytest.fixture(name="served")
def _served():
    app = Flask(__name__, static_folder=None)
    assets.register(app)
    app.extensions["brand_colour"] = lambda: "#ffcc00"
    with app.test_request_context():
        yield app


@pytest.mark.parametrize("name", assets.BUNDLES)
def test_a_bundle_is_cached_for_good_under_the_name_of_its_content(served, name):
    body, digest = assets.bundle(name)

    response = served.test_client().get(served.jinja_env.globals["asset_url"](name))
    assert digest in served.jinja_env.globals["asset_url"](name)
    assert response.data == body
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_a_browser_that_reads_gzip_gets_it(served):
    where = served.jinja_env.globals["asset_url"]("portal.css")

    response = served.test_client().get(where, headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.data) == assets.bundle("portal.css")[0]


@pytest.mark.parametrize(("name", "most"), [("portal.css", 10_000), ("desk.css", 10_000), ("app.js", 25_000)])
def test_what_a_page_loads_stays_small(name, most):
    assert len(gzip.compress(assets.bundle(name)[0], 9)) <= most


@pytest.mark.parametrize("call", ["brand_url", "brand_icon_url"])
def test_the_colours_of_the_tenant_are_served_by_their_address_alone(served, call):
    where = served.jinja_env.globals[call]()
    served.extensions["brand_colour"] = lambda: "#000000"

    response = served.test_client().get(where)
    assert response.status_code == 200
    assert b"#ffcc00" in response.data


@pytest.mark.parametrize(
    "name", ["portal-0000000000.css", "brand-ffcc00-0000000000.css", "brand-red.css", "..%2Fapp.py"]
)
def test_another_name_is_not_found(served, name):
    assert served.test_client().get(f"/assets/{name}").status_code == 404


@pytest.mark.parametrize("stored", ["", None, "red;}"])
def test_a_stored_colour_that_is_none_gives_the_default(served, stored):
    served.extensions["brand_colour"] = lambda: stored

    assert "brand-2b59c3-" in served.jinja_env.globals["brand_url"]()


def test_every_icon_that_templates_name_exists():
    named = set()
    for template in TEMPLATES.rglob("*.html"):
        named |= set(re.findall(r"""icon(?:_svg)?\(\s*"([a-z0-9-]+)"\s*\)""", template.read_text()))

    assert named
    for name in named:
        assert assets.icon_svg(name).startswith("<svg")


def test_an_unknown_icon_shows_at_once():
    with pytest.raises(LookupError, match="no-such-icon"):
        assets.icon_svg("no-such-icon")


def test_styles_and_scripts_keep_every_rule_when_packed():
    packed = assets.bundle("portal.css")[0].decode()

    assert packed.count("{") == packed.count("}") > 300
    assert "/*" not in packed
    assert 'url("data:image/svg+xml;utf8,<svg xmlns=' in packed
