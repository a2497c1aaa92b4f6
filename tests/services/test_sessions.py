"""Browsers that are signed in: read anew at every request, ended from anywhere, at once."""

import pytest
from sqlalchemy import select, update

from models import (
    AuditEvent,
    Entity,
    EntityStatus,
    OrganizationStatus,
    PartnerRole,
    Person,
    Session,
    db,
)
from permissions import Contact, Permission, decide
from services import audit, people, sessions
from services.errors import Gone, NotAllowed, NotFound
from services.transaction import transaction
from tests import cast, make

pytestmark = pytest.mark.usefixtures("app")


def who(token: str, browser: str = make.BROWSER, system: str = make.SYSTEM) -> Contact | None:
    """Who holds the token, asked as a new request asks."""
    db.session.rollback()
    db.session.expunge_all()
    return sessions.session_of(token, browser, system)


def test_a_session_names_the_person_and_their_place():
    amara = cast.contact(cast.AMARA)
    found = who(make.session(amara))
    assert found is not None
    assert (found.person.id, found.affiliation.id, found.entity.name) == (
        amara.person.id,
        amara.affiliation.id,
        "Admissions Office",
    )


def test_it_takes_one_query_and_loads_nothing_later(queries):
    token = make.session(cast.contact(cast.AMARA))
    db.session.rollback()
    db.session.expunge_all()
    with queries() as log:
        found = sessions.session_of(token, make.BROWSER, make.SYSTEM)
        assert found is not None
        assert decide(found, Permission.MANAGE_TEAM)
        assert found.entity.organization.name
    assert len(log) == 1


def test_a_refused_change_leaves_its_actor_readable():
    """A rollback lets go of what was loaded; the page that is shown again still names the person."""
    token = make.session(cast.contact(cast.AMARA))
    found = who(token)
    assert found is not None
    with pytest.raises(NotFound), transaction():
        raise NotFound
    assert (found.name, found.entity.organization.name) == (
        "Amara Okafor",
        "University of Nebraska–Lincoln",
    )


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "é" * 43, "\ud800" * 43, "x" * 9999])
def test_what_is_no_token_is_nobody(token):
    make.session(cast.contact(cast.AMARA))
    assert who(token) is None


def test_it_lasts_thirty_days_however_often_it_is_used(time):
    token = make.session(cast.contact(cast.AMARA))
    for _day in range(29):
        time.pass_(days=1)
        assert who(token) is not None
    time.pass_(days=1, seconds=-1)
    assert who(token) is not None
    time.pass_(seconds=1)
    assert who(token) is None


@pytest.mark.parametrize(
    ("browser", "running_on"), [("Chrome", "macOS"), ("Firefox", "macOS"), ("Chrome", "Linux")]
)
def test_another_kind_of_browser_ends_it(browser, running_on):
    token = make.session(cast.contact(cast.AMARA), "Firefox", "Linux")
    assert who(token, "Firefox", "Linux") is not None
    assert who(token, browser, running_on) is None
    assert who(token, "Firefox", "Linux") is None
    assert "session.binding_mismatch" in db.session.scalars(select(AuditEvent.verb)).all()


def test_being_seen_is_written_every_five_minutes_at_most(time, queries):
    token = make.session(cast.contact(cast.AMARA))
    time.pass_(minutes=4)
    with queries() as log:
        who(token)
    assert not any(statement.startswith("UPDATE") for statement in log)
    time.pass_(minutes=1)
    who(token)
    db.session.rollback()
    for column in (Session.last_seen_at, Person.last_seen_at, Entity.last_activity_at):
        assert db.session.scalars(select(column)).one() == time.now


def test_being_seen_does_not_revive_what_was_revoked(time):
    amara = cast.contact(cast.AMARA)
    found = who(make.session(amara))
    assert found is not None
    with transaction():
        sessions.sign_out(contact=found)
    time.pass_(minutes=9)
    sessions._touch(found)  # a request that was already running
    row = db.session.scalars(select(Session).execution_options(populate_existing=True)).one()
    assert row.revoked_at is not None
    assert row.last_seen_at < time.now


# MARK: On the very next request


@pytest.mark.parametrize(
    ("what", "step"),
    [
        ("person", "person"),
        ("organization", "organization"),
        ("entity", "entity"),
        ("ended", "affiliation"),
        ("ran out", "affiliation"),
    ],
)
def test_who_lost_access_is_known_and_refused_with_the_reason(time, what, step):
    amara = cast.contact(cast.AMARA)
    token = make.session(amara)
    if what == "person":
        make.person(cast.AMARA.email, is_active=False)
    elif what == "organization":
        make.organization(status=OrganizationStatus.SUSPENDED)
    elif what == "entity":
        make.entity(status=EntityStatus.SUSPENDED)
    else:
        with transaction():
            setattr(amara.affiliation, "ended_at" if what == "ended" else "valid_until", time.now)
            audit.record(actor=make.PORTICO, verb="contact.ended", subject=amara.affiliation)

    found = who(token)
    assert found is not None
    decision = decide(found, Permission.VIEW_DASHBOARD)
    assert not decision
    assert decision.steps[-1].name == step
    assert str(decision.refusal)


def test_a_changed_role_holds_at_once():
    kofi, dana = cast.contact(cast.KOFI), cast.actor(cast.DANA)
    token = make.session(kofi)
    with transaction():
        people.change_role(actor=dana, affiliation=kofi.affiliation, role=PartnerRole.VIEWER)
    found = who(token)
    assert found is not None
    assert not decide(found, Permission.SUBMIT_DEALS)


# MARK: Several places


def test_somebody_with_several_places_works_in_the_one_they_chose():
    amara = cast.contact(cast.AMARA)
    second = make.contact(entity=make.entity("Second"), email=cast.AMARA.email, role=PartnerRole.VIEWER)
    token = make.session(amara)
    found = who(token)
    assert found is not None
    assert [one.id for one in sessions.affiliations_of(found.person)] == [
        amara.affiliation.id,
        second.affiliation.id,
    ]
    with transaction():
        sessions.switch(contact=found, affiliation_id=second.affiliation.id)
    again = who(token)
    assert again is not None
    assert again.affiliation.id == second.affiliation.id


def test_the_place_that_ended_gives_way_to_another():
    amara, dana = cast.contact(cast.AMARA), cast.actor(cast.DANA)
    second = make.contact(entity=make.entity("Second"), email=cast.AMARA.email)
    token = make.session(amara)
    with transaction():
        people.end(actor=dana, affiliation=amara.affiliation)
    found = who(token)
    assert found is not None
    assert found.affiliation.id == second.affiliation.id


def test_nobody_switches_to_a_place_that_is_not_theirs():
    found = who(make.session(cast.contact(cast.AMARA)))
    assert found is not None
    for affiliation_id in (cast.contact(cast.RUTH).affiliation.id, 10**9):
        with pytest.raises(NotFound), transaction():
            sessions.switch(contact=found, affiliation_id=affiliation_id)


def test_one_lands_where_one_last_was_else_at_the_primary_place_else_at_the_newest():
    amara = cast.contact(cast.AMARA)
    second = make.contact(entity=make.entity("Second"), email=cast.AMARA.email)
    third = make.contact(entity=make.entity("Third"), email=cast.AMARA.email)

    def landing() -> int:
        chosen = sessions.default_affiliation(amara.person)
        assert chosen is not None
        return chosen.id

    assert landing() == amara.affiliation.id
    make.session(second)
    assert landing() == second.affiliation.id
    make.entity("Second", status=EntityStatus.SUSPENDED)
    assert landing() == amara.affiliation.id
    make.entity(status=EntityStatus.SUSPENDED)
    assert landing() == third.affiliation.id
    make.entity("Third", status=EntityStatus.SUSPENDED)
    assert sessions.default_affiliation(amara.person) is None


# MARK: Ending


def test_the_eleventh_browser_signs_the_first_one_out():
    amara = cast.contact(cast.AMARA)
    tokens = [make.session(amara) for _time in range(11)]
    assert who(tokens[0]) is None
    assert all(who(token) is not None for token in tokens[1:])
    assert len(sessions.sessions_of(amara.person)) == 10


def test_signing_out_ends_this_browser_only():
    amara = cast.contact(cast.AMARA)
    first, second = make.session(amara), make.session(amara)
    found = who(first)
    assert found is not None
    with transaction():
        sessions.sign_out(contact=found)
    assert who(first) is None
    assert who(second) is not None


def test_one_ends_ones_own_sessions_and_nobody_elses():
    amara, kofi = cast.contact(cast.AMARA), cast.contact(cast.KOFI)
    mine, theirs = make.session(amara), make.session(kofi)
    number, their_number = db.session.scalars(select(Session.id).order_by(Session.id)).all()
    for foreign in (their_number, 10**9):
        with pytest.raises(NotFound), transaction():
            sessions.end_session(actor=amara, session_id=foreign)
    with transaction():
        sessions.end_session(actor=amara, session_id=number)
    assert who(mine) is None
    assert who(theirs) is not None


def test_ending_all_the_others_keeps_this_one():
    amara = cast.contact(cast.AMARA)
    here, other = make.session(amara), make.session(amara)
    found = who(here)
    assert found is not None
    with transaction():
        sessions.end_all(actor=found, person=found.person, but=found.session_id)
    assert who(other) is None
    assert who(here) is not None


@pytest.mark.parametrize("who_acts", [cast.AMARA, cast.SAM, cast.DANA, cast.PRIYA])
def test_principals_and_staff_sign_a_contact_out_everywhere(who_acts):
    kofi, actor = cast.contact(cast.KOFI), cast.actor(who_acts)
    tokens = [make.session(kofi) for _time in range(3)]
    with transaction():
        sessions.end_all(actor=actor, person=kofi.person, reason="Lost the phone")
    assert [who(token) for token in tokens] == [None] * 3


@pytest.mark.parametrize(
    ("who_acts", "refusal"),
    [(cast.HANA, NotAllowed), (cast.RUTH, NotFound), (cast.TOMAS, NotAllowed), (cast.INGRID, NotAllowed)],
)
def test_nobody_else_does(who_acts, refusal):
    kofi, actor = cast.contact(cast.KOFI), cast.actor(who_acts)
    with pytest.raises(refusal), transaction():
        sessions.end_all(actor=actor, person=kofi.person)


def test_who_says_that_it_was_not_them_is_signed_out_everywhere():
    amara = cast.contact(cast.AMARA)
    tokens = [make.session(amara) for _time in range(2)]
    number = db.session.scalars(select(Session.id)).first()
    assert number is not None
    secret = sessions.notice_secret(number)
    with transaction():
        sessions.disown(secret=secret)
    assert [who(token) for token in tokens] == [None, None]


def test_a_notice_ends_with_the_address_it_went_to():
    """Whoever has the old mailbox now signs nobody out."""
    amara = cast.contact(cast.AMARA)
    token = make.session(amara)
    secret = sessions.notice_secret(db.session.scalars(select(Session.id)).one())
    db.session.execute(
        update(Person).values(email_canonical="new@unl.example").execution_options(logged=True)
    )
    db.session.commit()
    with pytest.raises(Gone), transaction():
        sessions.disown(secret=secret)
    assert who(token) is not None


@pytest.mark.parametrize("secret", ["", "1", "1-", "x-y", f"1-{'0' * 43}", "9" * 99, "\u0661-x"])
def test_a_made_up_notice_ends_nothing(secret):
    token = make.session(cast.contact(cast.AMARA))
    with pytest.raises(Gone), transaction():
        sessions.disown(secret=secret)
    assert who(token) is not None


def test_sessions_are_listed_latest_seen_first_without_those_that_ended(time):
    amara = cast.contact(cast.AMARA)
    make.session(amara, "Firefox", "Linux")
    time.pass_(hours=1)
    make.session(amara, "Safari", "iOS")
    assert [row.browser for row in sessions.sessions_of(amara.person)] == ["Safari", "Firefox"]
    time.pass_(days=30, minutes=-30)
    assert [row.browser for row in sessions.sessions_of(amara.person)] == ["Safari"]
