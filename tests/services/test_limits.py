"""How often something may happen: counted in the database, free again after a while."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from models import AuthEvent, RateCount, db
from services import limits
from services.errors import TooMany
from services.transaction import transaction
from tests.crowd import at_once

pytestmark = pytest.mark.usefixtures("app")
QUARTER = timedelta(minutes=15)


def hits(key: str, times: int, limit: int = 5) -> None:
    for _time in range(times):
        limits.hit(key, limit=limit, per=QUARTER)


def test_the_limit_is_the_last_that_passes():
    hits("door:1", 5)
    with pytest.raises(TooMany):
        hits("door:1", 1)


def test_keys_are_counted_apart():
    hits("door:1", 5)
    hits("door:2", 5)


def test_it_is_free_again_when_the_time_is_over(time):
    hits("door:1", 5)
    time.pass_(minutes=15)
    hits("door:1", 5)


def test_what_was_counted_late_still_counts_when_the_first_is_forgotten(time):
    hits("door:1", 1)
    time.pass_(minutes=12)
    hits("door:1", 4)
    time.pass_(minutes=4)
    hits("door:1", 1)
    with pytest.raises(TooMany):
        hits("door:1", 1)


def test_the_refusal_knows_when_it_is_free_again(time):
    hits("door:1", 5)
    time.pass_(minutes=5)
    with pytest.raises(TooMany) as caught:
        hits("door:1", 1)
    time.pass_(seconds=caught.value.retry_after - 1)
    with pytest.raises(TooMany):
        hits("door:1", 1)
    time.pass_(seconds=1)
    hits("door:1", 1)


def test_what_was_refused_does_not_count(time):
    hits("door:1", 5)
    for _minute in range(14):
        time.pass_(minutes=1)
        with pytest.raises(TooMany):
            hits("door:1", 1)
    time.pass_(minutes=1)
    hits("door:1", 1)


def test_a_limit_that_is_reached_is_logged_once():
    hits("door:1", 5)
    for _time in range(3):
        with pytest.raises(TooMany):
            hits("door:1", 1)
    assert db.session.scalars(select(AuthEvent.kind)).all() == ["rate_limited"]


def test_checking_counts_nothing():
    for _time in range(9):
        limits.check("door:1", limit=1, per=QUARTER)
    hits("door:1", 1, limit=1)
    with pytest.raises(TooMany):
        limits.check("door:1", limit=1, per=QUARTER)


def test_what_was_no_failure_is_given_back():
    for _time in range(9):
        hits("door:1", 1, limit=1)
        limits.give_back("door:1", per=QUARTER)


def test_taking_within_a_change_is_undone_with_it():
    def take_and_fail() -> None:
        with transaction():
            limits.take("door:1", limit=1, per=QUARTER)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        take_and_fail()
    with transaction():
        assert limits.take("door:1", limit=1, per=QUARTER)
        assert not limits.take("door:1", limit=1, per=QUARTER)


def test_counting_by_itself_is_refused_within_a_change():
    with pytest.raises(RuntimeError), transaction():
        limits.hit("door:1", limit=1, per=QUARTER)


def test_long_keys_are_kept_apart():
    hits("k" * 300 + "a", 5)
    hits("k" * 300 + "b", 5)


def test_what_no_longer_counts_is_forgotten(time):
    hits("door:1", 5)
    time.pass_(minutes=10)
    hits("door:2", 1)
    time.pass_(minutes=5)
    assert limits.forget_old() == 1
    assert db.session.scalar(select(func.count()).select_from(RateCount)) == 1


def test_of_many_at_once_no_more_pass_than_may(app: Flask):
    def knock() -> int:
        passed = 0
        for _time in range(4):
            try:
                limits.hit("door:1", limit=10, per=QUARTER)
            except TooMany:
                continue
            passed += 1
        return passed

    came = at_once(app, [knock] * 8)
    assert all(isinstance(one, int) for one in came), came
    assert sum(one for one in came if isinstance(one, int)) == 10
