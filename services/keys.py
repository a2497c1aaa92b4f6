"""Secrets: minted at random, kept as digests, or sealed where they must be shown again.

Three keys are derived from SECRET_KEY (HKDF-SHA256), one for each use, so that none stands in for
another; SECRET_KEY_FALLBACKS keep what an earlier key sealed readable.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

import config

TOKEN_LENGTH = 43  #: characters of a minted token: 256 random bits in URL-safe base64


def mint() -> str:
    """A new token of 256 random bits."""
    return secrets.token_urlsafe(32)


def mint_code() -> str:
    """A new code of eight random digits."""
    return f"{secrets.randbelow(10**8):08}"


def digest(token: str) -> str:
    """What is stored of a token: its SHA-256 in hexadecimal."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def sign(purpose: str, *parts: object) -> str:
    """A keyed digest of the parts (HMAC-SHA256, hexadecimal): for what is too short to hash plainly."""
    return sign_with(config.current().secret_key, purpose, *parts)


def sign_with(key: str, purpose: str, *parts: object) -> str:
    """The same with a key of our choosing, to check what an earlier SECRET_KEY signed."""
    message = "\x1f".join(str(part) for part in parts).encode("utf-8", "surrogatepass")
    return hmac.new(_derive(key, f"sign:{purpose}"), message, "sha256").hexdigest()


def same(left: str, right: str) -> bool:
    """Whether two digests are equal, in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


def seal(text: str) -> str:
    """The text encrypted with the app's key."""
    return _box().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str | None:
    """What was sealed, or None where no key that we have opens it."""
    try:
        return _box().decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


def _box() -> MultiFernet:
    settings = config.current()
    return _box_of((settings.secret_key, *settings.secret_key_fallbacks))


@lru_cache(maxsize=8)
def _box_of(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(urlsafe_b64encode(_derive(key, "seal"))) for key in keys])


@lru_cache(maxsize=64)
def _derive(key: str, use: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"portico:{use}".encode()).derive(key.encode())
