"""The colours of a tenant: everything drawn in its one brand colour, readable on whatever it chose.

Nothing here knows of pages or requests: a colour goes in, two palettes (light and dark) come out, and
every pair that the pages put on top of each other keeps the contrast of WCAG 2.2 AA.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Theme = Literal["light", "dark"]

#: The brand where none was chosen, and the fixed accent of the desk.
DEFAULT = "#2b59c3"
#: The least contrast of text, and of edges and focus rings.
TEXT, EDGE = 4.5, 3.0
#: How far a filled button moves away from the colour of its label when pointed at, and when pressed.
HOVER, ACTIVE = 0.12, 0.22

WHITE, BLACK = "#ffffff", "#000000"
_HEX = re.compile(r"#?(?:[0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)


@dataclass(frozen=True)
class Ground:
    """What a theme puts brand colours on; the same values stand in static/css/tokens.css."""

    page: str
    surface: str
    surface2: str
    text: str
    text2: str
    toward: str  #: where a brand colour goes to become readable
    tint: float  #: share of the brand in its tint


GROUNDS: dict[Theme, Ground] = {
    "light": Ground("#f6f7f9", "#ffffff", "#eef1f5", "#1b1f24", "#4e5863", BLACK, 0.08),
    "dark": Ground("#0f1318", "#181d24", "#222933", "#e8ebef", "#adb7c3", WHITE, 0.16),
}


@dataclass(frozen=True)
class Palette:
    """The colours of one theme that come from the brand; field names are the names of the CSS tokens."""

    brand: str
    on_brand: str
    brand_hover: str
    brand_active: str
    brand_tint: str
    brand_text: str
    brand_edge: str
    focus: str
    focus_on_brand: str


def parse(typed: str) -> str:
    """A colour as people type it (`#FC0`, `ffcc00`), as `#rrggbb` in lower case.

    Raises ValueError when it is no colour.
    """
    text = typed.strip()
    if not _HEX.fullmatch(text):
        raise ValueError("Colour must be written like #2b59c3")
    digits = text.lstrip("#").lower()
    return "#" + (digits if len(digits) == 6 else "".join(digit * 2 for digit in digits))


def contrast(one: str, other: str) -> float:
    """The contrast of two `#rrggbb` colours as WCAG counts it, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def mix(colour: str, other: str, share: float) -> str:
    """`colour` with a share (0 to 1) of `other` in it."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in pairs)


@lru_cache(maxsize=128)
def derive(colour: str, theme: Theme) -> Palette:
    """The palette of a brand colour in one theme.

    Raises ValueError when `colour` is no colour.
    """
    brand = parse(colour)
    ground = GROUNDS[theme]
    # Where white falls short of 4.5, black has at least 4.67.
    on_brand = WHITE if contrast(brand, WHITE) >= TEXT else BLACK
    # Hover and active move away from the label, so that its contrast can only grow.
    away = BLACK if on_brand == WHITE else WHITE
    tint = mix(ground.surface, brand, ground.tint)
    readable = _until(brand, ground.toward, (ground.page, ground.surface, ground.surface2, tint), TEXT)
    return Palette(
        brand=brand,
        on_brand=on_brand,
        brand_hover=mix(brand, away, HOVER),
        brand_active=mix(brand, away, ACTIVE),
        brand_tint=tint,
        brand_text=readable,
        # The edge of a filled button, where the fill itself would melt into the page.
        brand_edge=_until(brand, ground.toward, (ground.page, ground.surface), EDGE),
        focus=readable,
        focus_on_brand=on_brand,
    )


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in _channels(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _until(colour: str, toward: str, grounds: tuple[str, ...], ratio: float) -> str:
    """The colour, moved in steps of 2 % until it has the ratio on every ground."""
    steps = (mix(colour, toward, step / 50) for step in range(51))
    return next(step for step in steps if all(contrast(step, ground) >= ratio for ground in grounds))
