"""Email addresses: the one form in which they match, and what of them may be shown to a stranger."""

import re

from language import _l
from services.errors import Refusal

LONGEST = 254  # characters, RFC 5321
LONGEST_LOCAL_PART = 64  # characters
#: What people paste around an address. Anything else that is not visible ASCII makes it another one.
_SURROUNDINGS = " \t\r\n"
_LOCAL_PART = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)


def canonical_email(text: str) -> str:
    """The form in which addresses match: trimmed, ASCII, lower case; domains as punycode, as typed.

    Raises Refusal (field email) for what is no address, and for look-alike and other non-ASCII letters.
    """
    kept = shown_email(text)
    if not kept:
        raise Refusal(_l("Enter an email address, like name@example.edu"), field="email")
    if not kept.isascii():
        raise Refusal(
            _l("This address has letters that email addresses here cannot have. Type it, do not paste it."),
            field="email",
        )
    local_part, _at, domain = kept.lower().rpartition("@")
    if (
        len(kept) > LONGEST
        or len(local_part) > LONGEST_LOCAL_PART
        or not _LOCAL_PART.fullmatch(local_part)
        or not _DOMAIN.fullmatch(domain)
    ):
        raise Refusal(_l("Enter an email address, like name@example.edu"), field="email")
    return f"{local_part}@{domain}"


def shown_email(text: str) -> str:
    """The address as it was typed, without what surrounds it."""
    return text.strip(_SURROUNDINGS)


def mask(email: str) -> str:
    """An address as a stranger may see it: "a•••@acme.test"."""
    local_part, _at, domain = email.rpartition("@")
    return f"{local_part[:1]}•••@{domain}" if domain and local_part else ""
