"""Names, colour and logo of the company, and what an upload may be."""

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image, PngImagePlugin
from sqlalchemy import select

from models import AuditEvent, Company, db
from permissions import Actor, Permission, allowed
from services import company, logo, storage
from services.errors import NotAllowed, NotFound, Refusal, Stale
from services.transaction import transaction
from tests import cast

pytestmark = pytest.mark.usefixtures("app")


def picture(kind: str, size: tuple[int, int] = (600, 200), mode: str = "RGB", **saved: Any) -> bytes:
    packed = io.BytesIO()
    Image.new(mode, size, "#00aa77").save(packed, kind, **saved)
    return packed.getvalue()


def change(actor: Actor, **changed: Any) -> Company:
    ours = company.current()
    values: dict[str, Any] = {
        "version": ours.version,
        "name": ours.name,
        "portal_name": ours.portal_name,
        "brand_colour": ours.brand_colour,
        "support_email": ours.support_email,
        "time_zone": ours.time_zone,
    }
    with transaction():
        return company.change(actor=actor, **{**values, **changed})


def upload(actor: Actor, content: bytes) -> Company:
    kept = company.keep_logo(actor=actor, uploaded=content)
    with transaction():
        return company.change_logo(actor=actor, kept=kept)


def number_in(address: str | None) -> str:
    return str(address).removeprefix("/brand/").removesuffix(".png")


# MARK: The row


def test_what_changed_is_in_the_audit_log():
    change(
        cast.staff(cast.DANA), name="  Northwind   Learning ", brand_colour="FC0", time_zone="America/Chicago"
    )

    ours = company.current()
    assert (ours.name, ours.brand_colour, ours.time_zone) == (
        "Northwind Learning",
        "#ffcc00",
        "America/Chicago",
    )
    event = db.session.scalars(select(AuditEvent).where(AuditEvent.verb == "company.changed")).one()
    assert event.changes["companies:1"]["brand_colour"] == ["#2b59c3", "#ffcc00"]


@pytest.mark.parametrize("who", [*cast.STAFF, cast.AMARA])
def test_administrators_and_operations_manage_the_brand(who):
    actor = cast.actor(who)
    if who in (cast.SAM, cast.DANA):
        assert allowed(actor, Permission.MANAGE_BRAND)
        return
    with pytest.raises(NotAllowed):
        change(actor, name="Mine")
    with pytest.raises(NotAllowed):
        company.keep_logo(actor=actor, uploaded=picture("PNG"))
    for verb in (company.remove_logo, company.reset):
        with pytest.raises(NotAllowed), transaction():
            verb(actor=actor)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "  "),
        ("name", "x" * 201),
        ("portal_name", ""),
        ("brand_colour", "red"),
        ("brand_colour", "red;}*{display:none"),
        ("brand_colour", "url(//evil.test)"),
        ("brand_colour", "#12345g"),
        ("support_email", "nobody"),
        ("time_zone", "Mars/Olympus"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_field(field, value):
    dana = cast.staff(cast.DANA)
    with pytest.raises(Refusal) as caught:
        change(dana, **{field: value})
    assert caught.value.field == field
    assert company.current().brand_colour == "#2b59c3"


def test_a_save_on_an_older_reading_is_refused():
    dana = cast.staff(cast.DANA)
    read = company.current().version
    change(dana, name="First")
    with pytest.raises(Stale):
        change(dana, version=read, name="Second")
    assert company.current().name == "First"


def test_the_row_is_read_once_however_often_it_is_asked_for(queries):
    db.session.rollback()
    with queries() as log:
        for _ in range(5):
            assert company.current().name
    assert len(log) <= 1


# MARK: The logo


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_logo_is_kept_as_a_small_png(kind):
    ours = upload(cast.staff(cast.DANA), picture(kind))

    number = number_in(ours.logo_url)
    drawn = Image.open(io.BytesIO(company.logo_png(number)))
    assert (drawn.format, drawn.size) == ("PNG", (ours.logo_width, ours.logo_height))
    assert drawn.width <= 480
    assert drawn.height <= 96
    assert drawn.width == 3 * drawn.height


def test_a_see_through_logo_stays_so():
    drawn = logo.clean(picture("PNG", (40, 20), "RGBA"))
    assert Image.open(io.BytesIO(drawn.png)).mode == "RGB"
    packed = io.BytesIO()
    Image.new("RGBA", (40, 20), (0, 0, 0, 0)).save(packed, "PNG")
    assert Image.open(io.BytesIO(logo.clean(packed.getvalue()).png)).mode == "RGBA"


def test_nothing_else_in_the_file_is_kept():
    said = PngImagePlugin.PngInfo()
    said.add_text("Comment", "<script>alert(1)</script>")
    content = picture("PNG", pnginfo=said) + b"<?php system('id') ?>"
    kept = logo.clean(content).png
    assert b"script" not in kept
    assert b"php" not in kept

    photo = Image.new("RGB", (60, 20))
    exif = photo.getexif()
    exif[0x010E] = "where I live"
    packed = io.BytesIO()
    photo.save(packed, "JPEG", exif=exif)
    assert b"where I live" not in logo.clean(packed.getvalue()).png


def bomb(width: int = 12_000, height: int = 12_000) -> bytes:
    """A PNG of 144 million pixels in a few kilobytes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\x00" * ((width // 8 + 1) * height), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "Choose a file"),
        (b"x" * (1024 * 1024 + 1), "smaller than 1 MB"),
        (picture("PNG", (2001, 10)), "2000 × 2000"),
        (picture("PNG", (10, 2001)), "2000 × 2000"),
        (bomb(), "2000 × 2000"),
        (bomb(4_000, 4_000), "2000 × 2000"),
        (picture("GIF"), "PNG, JPEG or WebP"),
        (picture("BMP", (20, 20)), "PNG, JPEG or WebP"),
        (picture("TIFF", (20, 20)), "PNG, JPEG or WebP"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "PNG, JPEG or WebP"),
        (b"\x89PNG\r\n\x1a\n", "PNG, JPEG or WebP"),
        (picture("PNG")[:60], "PNG, JPEG or WebP"),
        (picture("JPEG")[:200], "PNG, JPEG or WebP"),
        (b"MZ\x90\x00" * 100, "PNG, JPEG or WebP"),
    ],
)
def test_what_is_no_logo_is_refused(content, told):
    with pytest.raises(Refusal) as caught:
        logo.clean(content)
    assert caught.value.field == "logo"
    assert told in str(caught.value)


def test_another_logo_has_another_address_and_the_one_before_stays_for_mails():
    dana = cast.staff(cast.DANA)
    first = upload(dana, picture("PNG")).logo_url
    second = upload(dana, picture("PNG", (300, 300))).logo_url
    assert first != second
    assert company.logo_png(number_in(first))


def test_removing_and_resetting():
    dana = cast.staff(cast.DANA)
    upload(dana, picture("PNG"))
    with transaction():
        company.remove_logo(actor=dana)
    assert company.current().logo_url is None

    upload(dana, picture("PNG"))
    change(dana, brand_colour="#ffcc00", name="Northwind")
    with transaction():
        company.reset(actor=dana)
    ours = company.current()
    assert (ours.logo_url, ours.brand_colour, ours.name) == (None, "#2b59c3", "Northwind")


@pytest.mark.parametrize("number", ["", "x", "../secret", "0" * 32, "0" * 33, "A" * 32])
def test_no_other_file_is_shown_as_a_logo(number):
    storage.put("documents", b"secret")
    with pytest.raises(NotFound):
        company.logo_png(number)
