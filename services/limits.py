"""How often something may happen: counters in the database, the same for every process and after a restart.

A happening counts for the length of the limit, give or take a tenth of it, and no longer; what was
refused does not count, so that waiting always helps.
"""

import hashlib
import math
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Any, NoReturn

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

import clock
from language import _l
from models import RateCount, db
from services import auth_log
from services.errors import TooMany
from services.transaction import aside, transaction

PARTS = 10  #: into how many counted parts the length of a limit is cut
LONGEST_KEY = 120  # characters
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def network(address: str) -> str:
    """What counts as one visitor: an address of IPv4, of IPv6 the /64 that every household has of its own."""
    try:
        read = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(read, IPv4Address):
        return str(read)
    return str(read.ipv4_mapped or IPv6Network((int(read), 64), strict=False))


def hit(key: str, *, limit: int, per: timedelta) -> None:
    """Count one, in a transaction of its own; never inside of transaction().

    Raises TooMany, with the seconds until it is free again, when `limit` were counted within `per`.
    """
    with aside() as connection:
        allowed = _count(connection, _fit(key), limit, per)
    if not allowed:
        _refuse(key, limit, per)


def take(key: str, *, limit: int, per: timedelta) -> bool:
    """Count one in the transaction at hand, and say whether it is within the limit."""
    return _count(db.session(), _fit(key), limit, per)


def give_back(key: str, *, per: timedelta) -> None:
    """Uncount one of this moment: what was counted first, and then was no failure."""
    here = (RateCount.key == _fit(key), RateCount.window_started_at == _window(per))
    with aside() as connection:
        less = update(RateCount).where(*here, RateCount.count > 0).values(count=RateCount.count - 1)
        connection.execute(less)


def is_over(key: str, *, limit: int, per: timedelta) -> bool:
    """Whether the next one would be too many; counts nothing."""
    with db.engine.connect() as connection:  # what is true now, whatever the session has read before
        return _counted(connection, _fit(key), per) >= limit


def check(key: str, *, limit: int, per: timedelta) -> None:
    """Raise TooMany where the next one would be too many; counts nothing. Never inside of transaction()."""
    if is_over(key, limit=limit, per=per):
        _refuse(key, limit, per)


def _refuse(key: str, limit: int, per: timedelta) -> NoReturn:
    """Refuse, and write it down once in the limit's time, so that hammering fills no table."""
    with transaction():
        if take(f"noted.{key}", limit=1, per=per):
            auth_log.note("rate_limited", "refused", cause=key.partition(":")[0][:40])
    raise refusal(key, limit=limit, per=per)


def refusal(key: str, *, limit: int, per: timedelta) -> TooMany:
    """The refusal of a limit that is reached, knowing when it is free again."""
    return TooMany(
        _l("That was too often in a short time. Wait a few minutes, then try again."),
        retry_after=_seconds_until_free(_fit(key), limit, per),
    )


def forget_old() -> int:
    """Delete what no longer counts; how many rows that were."""
    with aside() as connection:
        gone = connection.execute(delete(RateCount).where(RateCount.window_ends_at <= clock.now()))
        return int(gone.rowcount)


def _fit(key: str) -> str:
    """The key, its end replaced by a digest where it is too long to be stored."""
    if len(key) <= LONGEST_KEY:
        return key
    return f"{key[:50]}#{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _window(per: timedelta) -> datetime:
    """When the part of time began that is counted in now."""
    part = per / PARTS
    return _EPOCH + ((clock.now() - _EPOCH) // part) * part


def _count(place: Connection | Session, key: str, limit: int, per: timedelta) -> bool:
    began = _window(per)
    insert: Any = postgresql.insert if db.engine.dialect.name == "postgresql" else sqlite.insert
    row = insert(RateCount).values(key=key, window_started_at=began, window_ends_at=began + per, count=1)
    # Adding first takes the row's lock: of two that come at once, the second reads the first's count.
    place.execute(
        row.on_conflict_do_update(
            index_elements=[RateCount.key, RateCount.window_started_at],
            set_={"count": RateCount.count + 1},
        )
    )
    if _counted(place, key, per) <= limit:
        return True
    here = (RateCount.key == key) & (RateCount.window_started_at == began)
    place.execute(
        update(RateCount).where(here).values(count=RateCount.count - 1),
        **({"execution_options": {"synchronize_session": False}} if isinstance(place, Session) else {}),
    )
    return False


def _counted(place: Connection | Session, key: str, per: timedelta) -> int:
    total = select(func.coalesce(func.sum(RateCount.count), 0)).where(
        RateCount.key == key, RateCount.window_started_at > clock.now() - per
    )
    return int(place.execute(total).scalar_one())


def _seconds_until_free(key: str, limit: int, per: timedelta) -> int:
    now = clock.now()
    windows = (
        select(RateCount.window_started_at, RateCount.count.label("counted"))
        .where(RateCount.key == key, RateCount.window_started_at > now - per)
        .order_by(RateCount.window_started_at)
    )
    with db.engine.connect() as connection:
        rows = connection.execute(windows).all()
    total = sum(row.counted for row in rows)
    for row in rows:
        total -= row.counted
        if total < limit:
            return max(1, math.ceil((row.window_started_at + per - now).total_seconds()))
    return 1
