"""Stylesheets, scripts and icons as browsers get them: bundled once at start, named by their content.

A page loads one stylesheet, the tenant's colours and one script. Their names carry a hash, so they
are cached for good, and change their name when they change. See static/css and static/js for the parts.
"""

import gzip
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree as ET

from flask import Flask, Response, abort, current_app, request, url_for
from markupsafe import Markup

from permissions import public
from services import brand, company

STATIC = Path(__file__).resolve().parent / "static"

#: What each bundle is made of, in the order of the cascade.
BUNDLES: dict[str, tuple[str, ...]] = {
    "portal.css": tuple(f"css/{part}.css" for part in ("tokens", "base", "layout", "components", "portal")),
    "desk.css": tuple(
        f"css/{part}.css"
        for part in ("tokens", "base", "layout", "components", "admin", "partners", "records")
    ),
    "app.js": tuple(
        f"js/{part}.js" for part in ("copy", "menus", "forms", "typeahead", "lists", "preview", "keys")
    ),
    "mark.svg": ("mark.svg",),
}
TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
FOREVER = "public, max-age=31536000, immutable"

_BRANDED = re.compile(r"(brand|icon)-([0-9a-f]{6})-[0-9a-f]{10}\.(?:css|svg)")


@dataclass(frozen=True)
class Asset:
    """One file to serve."""

    name: str  #: with its hash, as it stands in the address
    body: bytes
    packed: bytes  #: the same, gzipped

    @classmethod
    def of(cls, stem: str, kind: str, body: bytes) -> "Asset":
        return cls(f"{stem}-{_digest(body)}.{kind}", body, gzip.compress(body, 9, mtime=0))


def register(app: Flask) -> None:
    """Serve the bundles below /assets/ and give templates their addresses and icons.

    The tenant's colour comes from `app.extensions["brand_colour"]()`, asked once per page.
    """
    bundles = {name: _asset(name) for name in BUNDLES}
    by_address = {asset.name: asset for asset in bundles.values()}

    @public
    def serve(name: str) -> Response:
        return _response(by_address.get(name) or _branded(name) or abort(404))

    def asset_url(name: str) -> str:
        return url_for("asset", name=bundles[name].name)

    @public
    def logo(number: str) -> Response:
        return Response(company.logo_png(number), mimetype="image/png", headers={"Cache-Control": FOREVER})

    app.add_url_rule("/assets/<name>", "asset", serve, methods=["GET"])
    app.add_url_rule("/brand/<number>.png", "logo", logo, methods=["GET"])
    app.extensions.setdefault("brand_colour", lambda: brand.DEFAULT)
    app.jinja_env.globals.update(
        asset_url=asset_url,
        brand_url=lambda: url_for("asset", name=_brand_asset("brand", _colour()).name),
        brand_icon_url=lambda: url_for("asset", name=_brand_asset("icon", _colour()).name),
        brand_colours=lambda colour, theme="light": brand.derive(colour, theme),
        icon_svg=icon_svg,
    )


def bundle(name: str) -> tuple[bytes, str]:
    """The bytes of a bundle and their hash; KeyError for a name that is not in BUNDLES."""
    kind = name.rpartition(".")[2]
    parts = [(STATIC / part).read_text(encoding="utf-8") for part in BUNDLES[name]]
    body = "\n".join(map(_PACK[kind], parts)).encode()
    return body, _digest(body)


def brand_css(colour: str) -> tuple[bytes, str]:
    """The stylesheet of a tenant's colour and its hash; ValueError when it is no colour."""
    light, dark = asdict(brand.derive(colour, "light")), asdict(brand.derive(colour, "dark"))
    tokens = ";".join(f"--{name.replace('_', '-')}:light-dark({light[name]},{dark[name]})" for name in light)
    body = f"@layer tokens{{:root{{{tokens}}}}}".encode()
    return body, _digest(body)


def brand_icon(colour: str) -> tuple[bytes, str]:
    """The icon of the browser's tab in a tenant's colour, and its hash."""
    palette = brand.derive(colour, "light")
    drawn = _svg((STATIC / "mark.svg").read_text(encoding="utf-8"))
    body = drawn.replace(brand.DEFAULT, palette.brand).replace(brand.WHITE, palette.on_brand).encode()
    return body, _digest(body)


@lru_cache(maxsize=256)
def icon_svg(name: str) -> Markup:
    """An outline icon of the Tabler set as inline SVG, hidden from assistive technology.

    Raises LookupError for an unknown name, so that a typing error shows at once.
    """
    source = files("tablerpy") / "icons" / "outline" / f"{name}.svg"
    if not re.fullmatch("[a-z0-9-]+", name) or not source.is_file():
        raise LookupError(f"There is no icon called {name!r}.")
    drawn = ET.fromstring(source.read_text(encoding="utf-8"))  # noqa: S314 - a file of an installed package
    paths = "".join(f'<path d="{path.get("d")}"/>' for path in drawn if path.get("stroke") != "none")
    # The only markup made in Python: its parts come from the package, never from data.
    return Markup(f'<svg class="ico" viewBox="0 0 24 24" aria-hidden="true">{paths}</svg>')  # noqa: S704


def _asset(name: str) -> Asset:
    stem, _, kind = name.rpartition(".")
    return Asset.of(stem, kind, bundle(name)[0])


def _colour() -> str:
    """The tenant's colour, or the default where what is stored is no colour."""
    stored: Callable[[], str] = current_app.extensions["brand_colour"]
    try:
        return brand.parse(stored() or brand.DEFAULT)
    except ValueError:
        return brand.DEFAULT


@lru_cache(maxsize=64)
def _brand_asset(what: str, colour: str) -> Asset:
    make, kind = (brand_css, "css") if what == "brand" else (brand_icon, "svg")
    return Asset.of(f"{what}-{colour.lstrip('#')}", kind, make(colour)[0])


def _branded(name: str) -> Asset | None:
    """Colours by their address alone: no database, and a page that is still open keeps its old ones."""
    matched = _BRANDED.fullmatch(name)
    if not matched:
        return None
    asset = _brand_asset(matched[1], f"#{matched[2]}")
    return asset if asset.name == name else None


def _response(asset: Asset) -> Response:
    packed = request.accept_encodings.find("gzip") >= 0
    response = Response(asset.packed if packed else asset.body)
    response.headers["Content-Type"] = TYPES[asset.name.rpartition(".")[2]]
    response.headers["Cache-Control"] = FOREVER
    response.headers["Vary"] = "Accept-Encoding"
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    return response


def _digest(body: bytes) -> str:
    return sha256(body).hexdigest()[:10]


def _style(text: str) -> str:
    """A stylesheet without comments and needless space (no string of ours has a comma or brace in it)."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text)
    return (
        re.sub(r" ?([{};,]) ?|(?<=[\w-]): ", lambda match: match[1] or ":", text).replace(";}", "}").strip()
    )


def _script(text: str) -> str:
    """A script without comment lines and indentation, in a scope of its own."""
    lines = (line.strip() for line in text.splitlines())
    kept = "\n".join(line for line in lines if line and not line.startswith(("//", "/*", "*")))
    return f'(()=>{{"use strict";\n{kept}\n}})();'


def _svg(text: str) -> str:
    return re.sub(r">\s+<", "><", re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)).strip()


_PACK: dict[str, Callable[[str], str]] = {"css": _style, "js": _script, "svg": _svg}
