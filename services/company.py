"""Us, the tenant: the one row of names, brand and support address, and how it is changed."""

import re
from dataclasses import dataclass

from sqlalchemy.orm import Session

from language import TIME_ZONES
from models import Company, db
from permissions import Actor, Permission
from services import audit, brand, logo, storage
from services.access import require
from services.emails import canonical_email
from services.errors import NotFound, Refusal, Stale
from services.transaction import locked

LONGEST_NAME = 200  #: characters
LOGOS = "logos"  #: the storage's room for them


@dataclass(frozen=True)
class KeptLogo:
    """A logo in the storage that nothing shows yet."""

    key: str
    width: int  #: pixels
    height: int  #: pixels


def current() -> Company:
    """The company's row, read once per request or job, however often it is asked for."""
    session: Session = db.session()
    row = session.get(Company, 1)
    if row is None:
        raise RuntimeError("no company: `flask db upgrade` makes the row")
    session.info["company"] = row  # the session alone would forget what nobody holds
    return row


def keep(row: Company | None) -> None:
    """Take the row that another query read along, so that `current` needs none of its own."""
    if row is not None:
        db.session().info["company"] = row


def change(
    *,
    actor: Actor,
    version: int,
    name: str,
    portal_name: str,
    brand_colour: str,
    support_email: str,
    time_zone: str,
) -> Company:
    """Change names, colour, support address and time zone.

    Raises Stale when somebody saved after that version, or Refusal on the field that is wrong.
    """
    row = _locked(actor, version)
    row.name = _name(name, "name", "the name of your organization")
    row.portal_name = _name(portal_name, "portal_name", "the name of the portal")
    row.brand_colour = _colour(brand_colour)
    try:
        canonical_email(support_email)
    except Refusal as refusal:
        raise Refusal(refusal.text, field="support_email") from refusal
    row.support_email = support_email.strip()
    if time_zone not in TIME_ZONES:
        raise Refusal("Select a time zone of the list", field="time_zone")
    row.time_zone = time_zone
    if db.session.is_modified(row):
        audit.record(actor=actor, verb="company.changed", subject=row)
    return row


def keep_logo(*, actor: Actor, uploaded: bytes) -> KeptLogo:
    """Draw and store a logo, before the transaction that shows it: storage may be slow.

    Raises Refusal on `logo`.
    """
    require(actor, Permission.MANAGE_BRAND)
    drawn = logo.clean(uploaded)
    return KeptLogo(storage.put(LOGOS, drawn.png), drawn.width, drawn.height)


def change_logo(*, actor: Actor, kept: KeptLogo) -> Company:
    """Show another logo from now on; mails that were sent keep the one before."""
    row = _locked(actor)
    row.logo_key, row.logo_width, row.logo_height = kept.key, kept.width, kept.height
    audit.record(actor=actor, verb="company.changed", subject=row)
    return row


def remove_logo(*, actor: Actor) -> Company:
    """Show the portal's name instead of a logo."""
    row = _locked(actor)
    row.logo_key = row.logo_width = row.logo_height = None
    if db.session.is_modified(row):
        audit.record(actor=actor, verb="company.changed", subject=row)
    return row


def reset(*, actor: Actor) -> Company:
    """The colour that Portico came with, and no logo; names and addresses stay."""
    row = _locked(actor)
    row.brand_colour = brand.DEFAULT
    row.logo_key = row.logo_width = row.logo_height = None
    if db.session.is_modified(row):
        audit.record(actor=actor, verb="company.changed", subject=row)
    return row


def logo_png(number: str) -> bytes:
    """The logo with that number, also one of before: mails still name it. Raises NotFound."""
    found = storage.get(f"{LOGOS}/{number}") if re.fullmatch(r"[0-9a-f]{32}", number) else None
    if found is None:
        raise NotFound
    return found


def _locked(actor: Actor, version: int | None = None) -> Company:
    require(actor, Permission.MANAGE_BRAND)
    row = locked(Company, 1)
    if version is not None and row.version != version:
        raise Stale("Somebody else changed this in the meantime. Nothing was saved.")
    return row


def _name(text: str, field: str, what: str) -> str:
    name = " ".join(text.split())
    if not name:
        raise Refusal(f"Enter {what}", field=field)
    if len(name) > LONGEST_NAME:
        raise Refusal(f"This must be {LONGEST_NAME} characters or fewer", field=field)
    return name


def _colour(typed: str) -> str:
    try:
        return brand.parse(typed)
    except ValueError as error:
        raise Refusal(str(error), field="brand_colour") from error
