"""A brand colour becomes palettes in which everything can be read, whatever colour was chosen."""

import re
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import brand

TOKENS = Path(__file__).parents[2] / "static" / "css" / "tokens.css"
colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
themes = st.sampled_from(["light", "dark"])


@given(colour=colours, theme=themes)
def test_every_colour_keeps_its_contrasts(colour, theme):
    ground, palette = brand.GROUNDS[theme], brand.derive(colour, theme)

    for fill in (palette.brand, palette.brand_hover, palette.brand_active):
        assert brand.contrast(palette.on_brand, fill) >= 4.5
    for under in (ground.page, ground.surface, ground.surface2, palette.brand_tint):
        assert brand.contrast(palette.brand_text, under) >= 4.5
    for text in (ground.text, ground.text2):
        assert brand.contrast(text, palette.brand_tint) >= 4.5
    for under in (ground.page, ground.surface):
        assert brand.contrast(palette.brand_edge, under) >= 3
        assert brand.contrast(palette.focus, under) >= 3
    assert brand.contrast(palette.focus_on_brand, palette.brand) >= 3


@given(colour=colours, theme=themes)
def test_every_derived_colour_is_a_colour(colour, theme):
    for value in asdict(brand.derive(colour, theme)).values():
        assert re.fullmatch("#[0-9a-f]{6}", value)


@pytest.mark.parametrize(
    ("colour", "label"),
    [("#ffcc00", "#000000"), ("#000000", "#ffffff"), ("#ffffff", "#000000"), ("#e03040", "#ffffff")],
)
def test_the_label_of_a_button_is_black_or_white(colour, label):
    assert brand.derive(colour, "light").on_brand == label


def test_a_readable_brand_is_used_as_it_is():
    palette = brand.derive("#2b59c3", "light")

    assert palette.brand == palette.brand_text == palette.brand_edge == "#2b59c3"


@pytest.mark.parametrize("typed", ["#FC0", "fc0", " #ffcc00 ", "FFCC00"])
def test_a_colour_is_read_as_people_type_it(typed):
    assert brand.parse(typed) == "#ffcc00"


@pytest.mark.parametrize(
    "typed", ["", "#", "#12", "#12345", "yellow", "#ggg", "#fc0;}", "##ffcc00", "#ffcc00\n#"]
)
def test_what_is_no_colour_is_refused(typed):
    with pytest.raises(ValueError, match="Colour must be written like"):
        brand.parse(typed)


def test_the_grounds_are_those_of_the_stylesheet():
    tokens = dict(re.findall(r"--([\w-]+): light-dark\(([^)]*)\)", TOKENS.read_text()))
    names = {"bg": "page", "surface": "surface", "surface2": "surface2", "text": "text", "text2": "text2"}

    for token, name in names.items():
        light, dark = tokens[token].split(", ")
        assert (light, dark) == (getattr(brand.GROUNDS["light"], name), getattr(brand.GROUNDS["dark"], name))


def test_the_accent_of_the_stylesheet_is_derived_from_the_default():
    tokens = dict(re.findall(r"--([\w-]+): light-dark\(([^)]*)\)", TOKENS.read_text()))

    light, dark = asdict(brand.derive(brand.DEFAULT, "light")), asdict(brand.derive(brand.DEFAULT, "dark"))
    for name in light:
        assert tokens[name.replace("_", "-")] == f"{light[name]}, {dark[name]}"
