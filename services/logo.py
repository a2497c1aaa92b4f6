"""The tenant's logo: whatever picture was uploaded, as a small clean PNG."""

import warnings
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageOps

from services.errors import Refusal

LARGEST_FILE = 1024 * 1024  #: bytes of the upload
LARGEST_SIDE = 2000  #: pixels of the upload
#: What is kept: three times the 160 × 32 pixels at which pages and mails show it.
KEPT_SIZE = (480, 96)
OPAQUE = (255, 255)  #: least and greatest of a channel that hides everything
FORMATS = ("PNG", "JPEG", "WEBP")

# A picture says its size in a few bytes; unpacking must not take what it claims.
Image.MAX_IMAGE_PIXELS = 20_000_000

_BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    ArithmeticError,
    LookupError,
)


@dataclass(frozen=True)
class Logo:
    """A logo to keep: a PNG and its size in pixels."""

    png: bytes
    width: int
    height: int


def clean(uploaded: bytes) -> Logo:
    """The picture drawn anew, without anything else that was in the file.

    Raises Refusal on `logo` for what is no PNG, JPEG or WebP, or larger than 1 MiB or 2000 × 2000 pixels.
    """
    if not uploaded:
        raise Refusal("Choose a file", field="logo")
    if len(uploaded) > LARGEST_FILE:
        raise Refusal("The logo must be smaller than 1 MB", field="logo")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return _redrawn(uploaded)
    except Refusal:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except (*_BROKEN, Warning) as error:
        raise Refusal("The logo must be a PNG, JPEG or WebP", field="logo") from error


def _redrawn(uploaded: bytes) -> Logo:
    with Image.open(BytesIO(uploaded), formats=FORMATS) as picture:
        if max(picture.size) > LARGEST_SIDE:
            raise _too_many_pixels()
        picture.load()
        drawn = ImageOps.exif_transpose(picture).convert("RGBA")
    drawn.thumbnail(KEPT_SIZE, Image.Resampling.LANCZOS)
    if drawn.getchannel("A").getextrema() == OPAQUE:
        drawn = drawn.convert("RGB")
    bare = Image.frombytes(drawn.mode, drawn.size, drawn.tobytes())  # leaves colour profile and texts behind
    packed = BytesIO()
    bare.save(packed, "PNG", optimize=True)
    return Logo(packed.getvalue(), *bare.size)


def _too_many_pixels() -> Refusal:
    return Refusal(f"The logo must be at most {LARGEST_SIDE} × {LARGEST_SIDE} pixels", field="logo")
