"""How often one IP address may ask for sign-in mails, and how often it may be wrong; asked by the doors."""

from datetime import timedelta

from services import audit, limits
from services.transaction import transaction

ASKING = (20, timedelta(minutes=15))
FAILING = (30, timedelta(minutes=15))


def allow_asking() -> None:
    """Count one request for a mail from this IP address, before the transaction. Raises TooMany."""
    limits.hit(f"sign_in.ask:{limits.network(audit.origin.get().address)}", limit=ASKING[0], per=ASKING[1])


def allow_opening() -> None:
    """Refuse an IP address that was wrong too often, before the transaction. Raises TooMany."""
    limits.check(_failures(), limit=FAILING[0], per=FAILING[1])


def count_failure() -> None:
    """Count a link or code that was refused, after the transaction."""
    with transaction():
        limits.take(_failures(), limit=FAILING[0], per=FAILING[1])


def _failures() -> str:
    return f"sign_in.fail:{limits.network(audit.origin.get().address)}"
