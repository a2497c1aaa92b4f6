"""What tests of coming in to the portal share: spending a link or code, and what was mailed and noted."""

import pytest
from sqlalchemy import select

from models import AuthEvent, Mail, db
from services import keys, sign_in
from services.errors import Gone
from services.sign_in import SignedIn
from services.transaction import transaction
from tests import make

ANOTHER_COOKIE = "c" * keys.TOKEN_LENGTH


def redeem(token: str, browser: str = "Firefox", system: str = "Linux") -> SignedIn:
    with transaction():
        return sign_in.redeem(token=token, browser=browser, system=system)


def redeem_code(code: str, cookie: str = make.COOKIE) -> SignedIn:
    with transaction():
        return sign_in.redeem_code(code=code, browser_token=cookie, browser="Firefox", system="Linux")


def refused(token: str) -> str:
    with pytest.raises(Gone) as caught:
        redeem(token)
    return caught.value.cause


def mails(verb: str) -> list[str]:
    return list(db.session.scalars(select(Mail.email).where(Mail.verb == verb).order_by(Mail.id)))


def log(kind: str) -> list[tuple[str, str]]:
    rows = select(AuthEvent.outcome, AuthEvent.cause).where(AuthEvent.kind == kind).order_by(AuthEvent.id)
    return [(row.outcome, row.cause) for row in db.session.execute(rows)]
