"""How often one IP address may ask for sign-in mails, and how often it may be wrong; asked by the doors."""

from datetime import timedelta

from services import audit, auth_log, limits
from services.errors import TooMany
from services.transaction import transaction

#: How often one IP address may ask, and how often it may be wrong.
ASKING = (20, timedelta(minutes=15))
FAILING = (30, timedelta(minutes=15))


def allow_asking() -> None:
    """Count one request for a mail from this IP address, before the transaction. Raises TooMany."""
    address = audit.origin.get().address
    try:
        limits.hit(f"sign_in.ask:{address}", limit=ASKING[0], per=ASKING[1])
    except TooMany:
        _note_limit(f"sign_in.ask:{address}", ASKING[1])
        raise


def allow_opening() -> None:
    """Refuse an IP address that was wrong too often, before the transaction. Raises TooMany."""
    key = f"sign_in.fail:{audit.origin.get().address}"
    if limits.is_over(key, limit=FAILING[0], per=FAILING[1]):
        _note_limit(key, FAILING[1])
        raise limits.refusal(key, limit=FAILING[0], per=FAILING[1])


def count_failure() -> None:
    """Count a link or code that was refused, after the transaction."""
    with transaction():
        limits.take(f"sign_in.fail:{audit.origin.get().address}", limit=FAILING[0], per=FAILING[1])


def _note_limit(key: str, per: timedelta) -> None:
    """Write down that a limit was reached, once in its time, so that hammering fills no table."""
    with transaction():
        if limits.take(f"noted.{key}", limit=1, per=per):
            auth_log.note("rate_limited", "refused", cause=key.partition(":")[0])
