"""Whatever people do in whatever order, a link opens at most once and a session holds only while it should.

A machine makes up stories – asking, pressing, waiting, being revoked – and keeps its own simple account
of what must be true; every step is compared with it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from models import Mail, MailStatus, Session, SignInLink, SignInRequest, db
from services import sessions, sign_in
from services.errors import Gone
from services.transaction import transaction
from tests import cast, make
from tests.clocks import StillClock

#: Enough to find a link that opens twice, one that outlives another's use, and one that opens at its last
#: moment; 60 miss the latter two.
EXAMPLES, STEPS = 100, 8


class Story(RuleBasedStateMachine):
    """Two people, any number of links and browsers."""

    time: StillClock
    restart: Callable[[], None]

    tokens = Bundle("tokens")
    cookies = Bundle("cookies")

    def __init__(self) -> None:
        super().__init__()
        type(self).restart()
        self.people = [cast.contact(who) for who in (cast.AMARA, cast.RUTH)]
        self.began = self.time.now
        #: token → [owner, when it ends, whether it still may open]
        self.links: dict[str, list] = {}
        self.order: dict[int, list[str]] = {0: [], 1: []}
        #: cookie → [owner, when it ends, whether it still holds]
        self.browsers: dict[str, list] = {}
        self.signed_in = 0

    def _live(self, who: int) -> list[str]:
        return [token for token in self.order[who] if self.links[token][2]]

    @initialize(target=tokens)
    def begin(self) -> MultipleResults[str]:
        """Every story begins with links, so that the short ones are about them too."""
        return multiple(*(self.ask_for(0) for _link in range(3)), self.ask_for(1))

    @rule(target=tokens, who=st.sampled_from([0, 0, 0, 1]))
    def ask(self, who: int) -> str:
        """A link is asked for and mailed; limits of mails are another test's."""
        return self.ask_for(who)

    def ask_for(self, who: int) -> str:
        with transaction():
            request = SignInRequest(
                email_canonical=self.people[who].person.email_canonical, browser_digest="0" * 64
            )
            db.session.add(request)
            db.session.flush()
            mail = Mail(
                verb="sign_in.link",
                email=self.people[who].person.email,
                email_canonical=self.people[who].person.email_canonical,
                person_id=self.people[who].person.id,
                sign_in_request_id=request.id,
                facts={},
                status=MailStatus.SENT,
            )
            db.session.add(mail)
            db.session.flush()
            token, _code = sign_in.mint_link(mail)
        self.links[token] = [who, self.time.now + timedelta(minutes=30), True]
        self.order[who].append(token)
        unexpired = [one for one in self._live(who) if self.time.now < self.links[one][1]]
        for old in unexpired[:-3]:
            self.links[old][2] = False
        return token

    @rule(token=tokens)
    def look(self, token: str) -> None:
        """Opening a link changes nothing."""
        _who, until, may_open = self.links[token]
        assert (sign_in.look(token).state == "ok") == (may_open and self.time.now < until)

    @rule(target=cookies, token=tokens)
    def press(self, token: str) -> str:
        """The button opens exactly where the account says so; one use ends the person's other links."""
        who, until, may_open = self.links[token]
        opens = may_open and self.time.now < until
        try:
            with transaction():
                cookie = sign_in.redeem(token=token, browser="Other", system="Other").session_token
        except Gone:
            assert not opens
            return ""
        assert opens
        for one in self.order[who]:
            self.links[one][2] = False
        mine = [one for one, row in self.browsers.items() if row[0] == who and self._holds(row)]
        for old in mine[:-9]:
            self.browsers[old][2] = False
        self.browsers[cookie] = [who, self.time.now + timedelta(days=30), True]
        self.signed_in += 1
        return cookie

    def _holds(self, row: list) -> bool:
        until: datetime = row[1]
        return bool(row[2]) and self.time.now < until

    @rule(cookie=cookies, other=st.booleans())
    def visit(self, cookie: str, other: bool) -> None:
        """A page is asked for, at times from another kind of browser, which ends the session."""
        db.session.rollback()
        found = sessions.session_of(cookie, "Firefox" if other else "Other", "Other")
        row = self.browsers.get(cookie)
        holds = row is not None and self._holds(row)
        if row is not None and holds and other:
            row[2] = False
        assert (found is not None) == (holds and not other)
        assert found is None or row is None or found.person.id == self.people[row[0]].person.id

    @rule(cookie=cookies)
    def sign_out(self, cookie: str) -> None:
        """Leaving ends this browser's session alone."""
        db.session.rollback()
        found = sessions.session_of(cookie, "Other", "Other")
        if found is not None:
            with transaction():
                sessions.sign_out(contact=found)
            self.browsers[cookie][2] = False

    @rule(who=st.integers(0, 1))
    def sign_out_everywhere(self, who: int) -> None:
        """Every session and every link of the person ends."""
        with transaction():
            sessions.end_all(actor=make.PORTICO, person=self.people[who].person)
        for token in self.order[who]:
            self.links[token][2] = False
        for row in self.browsers.values():
            row[2] = row[2] and row[0] != who

    @rule(minutes=st.sampled_from([1, 29, 30, 31, 60 * 24 * 29, 60 * 24 * 30]))
    def wait(self, minutes: int) -> None:
        """Time passes."""
        self.time.pass_(minutes=minutes)

    @precondition(lambda self: self.time.now > self.began + timedelta(hours=1))
    @rule()
    def clock_jumps_back(self) -> None:
        """A clock that was set wrong is set right; what was used or revoked stays so."""
        self.time.pass_(hours=-1)

    @invariant()
    def one_session_for_each_use(self) -> None:
        used = select(func.count()).select_from(SignInLink).where(SignInLink.used_at.is_not(None))
        assert db.session.scalar(used) == self.signed_in
        assert db.session.scalar(select(func.count()).select_from(Session)) == self.signed_in


@pytest.mark.databases("sqlite")
def test_no_story_opens_a_link_twice(app, system, time, request):
    def restart() -> None:
        db.session.rollback()
        db.session.expunge_all()
        system.restore()
        time.now = StillClock().now

    Story.time, Story.restart = time, staticmethod(restart)
    run_state_machine_as_test(
        Story,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
