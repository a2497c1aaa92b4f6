"""Staff accounts: made by administrators, with passwords that only their owners know."""

import pytest
from sqlalchemy import select

from models import AuditEvent, AuthEvent, Mail, RecoveryCode, Session, Staff, StaffLink, StaffRole, db
from permissions import System
from services import passwords, second_factor, staff, staff_sign_in
from services.errors import Gone, IllegalMove, NotAllowed, NotFound, Refusal, Stale, TooMany
from services.transaction import transaction
from tests import cast, make

pytestmark = pytest.mark.usefixtures("app")

GOOD = "a lantern under the wet bridge"
KEPT = passwords.hash_of(GOOD)
BETTER = "seven foxes argue about lemons"


def verbs() -> list[str]:
    return list(db.session.scalars(select(AuditEvent.verb).order_by(AuditEvent.id)))


def mails(verb: str) -> list[Mail]:
    return list(db.session.scalars(select(Mail).where(Mail.verb == verb).order_by(Mail.id)))


def link_for(who: Staff) -> str:
    """The token of the newest password mail, minted as the worker does."""
    letter = [letter for letter in mails("staff.password_link") if letter.staff_id == who.id][-1]
    with transaction():
        return staff.mint_staff_link(letter)


# MARK: Accounts


def test_a_new_colleague_gets_a_link_and_no_password():
    sam = cast.staff(cast.SAM)
    with transaction():
        made = staff.create(
            actor=sam, email="  Zoe@Northwind.Example ", full_name=" Zoe  Quist ", role=StaffRole.SUPPORT
        )

    assert (made.email_canonical, made.email, made.full_name) == (
        "zoe@northwind.example",
        "Zoe@Northwind.Example",
        "Zoe Quist",
    )
    assert made.password_hash is None
    assert [letter.staff_id for letter in mails("staff.password_link")] == [made.id]
    assert verbs()[-1] == "staff.created"


def test_the_first_administrator_comes_from_a_command_with_a_password():
    with transaction():
        made = staff.create(
            actor=System(),
            email="first@northwind.example",
            full_name="First",
            role=StaffRole.ADMIN,
            password=GOOD,
        )

    assert passwords.verify(made.password_hash, GOOD)
    assert mails("staff.password_link") == []
    assert GOOD not in str([event.changes for event in db.session.scalars(select(AuditEvent))])
    assert str(made.password_hash) not in str(
        [event.changes for event in db.session.scalars(select(AuditEvent))]
    )


def test_no_administrator_chooses_a_password_for_somebody():
    sam = cast.staff(cast.SAM)
    with pytest.raises(NotAllowed), transaction():
        staff.create(
            actor=sam,
            email="z@northwind.example",
            full_name="Z",
            role=StaffRole.ADMIN,
            password=GOOD,
        )


@pytest.mark.parametrize("who", [cast.DANA, cast.PRIYA, cast.TOMAS, cast.INGRID, cast.AMARA])
def test_only_administrators_manage_staff(who):
    actor, sam = cast.actor(who), cast.staff(cast.SAM)
    changes = [
        lambda: staff.create(actor=actor, email="z@northwind.example", full_name="Z", role=StaffRole.ADMIN),
        lambda: staff.change(actor=actor, staff=sam, full_name="Z", role=StaffRole.ADMIN),
        lambda: staff.deactivate(actor=actor, staff=sam),
        lambda: staff.reactivate(actor=actor, staff=sam),
        lambda: staff.send_link(actor=actor, staff=sam),
        lambda: staff_sign_in.end_all(actor=actor, staff=sam),
        lambda: second_factor.remove(actor=actor, staff=sam, reason="x"),
    ]
    for change in changes:
        with pytest.raises(NotAllowed), transaction():
            change()


@pytest.mark.parametrize(
    ("who", "may"),
    [(cast.SAM, True), (cast.INGRID, True), (cast.DANA, False), (cast.PRIYA, False), (cast.TOMAS, False)],
)
def test_administrators_and_auditors_read_staff(who, may):
    actor = cast.staff(who)
    if may:
        assert staff.find(actor=actor, staff_id=actor.id).id == actor.id
        assert actor.id in [row.id for row in staff.everyone(actor=actor)]
    else:
        with pytest.raises(NotAllowed):
            staff.everyone(actor=actor)


def test_nobody_is_found_under_a_number_that_is_nobodys():
    with pytest.raises(NotFound):
        staff.find(actor=cast.staff(cast.SAM), staff_id=987_654)


def test_an_address_is_used_once_however_it_is_typed():
    sam = cast.staff(cast.SAM)
    with pytest.raises(Refusal, match="already") as caught, transaction():
        staff.create(actor=sam, email=" SAM@northwind.EXAMPLE", full_name="Sam again", role=StaffRole.SUPPORT)
    assert caught.value.field == "email"


def test_a_name_is_asked_for():
    with pytest.raises(Refusal, match="full name") as caught, transaction():
        staff.create(actor=System(), email="z@northwind.example", full_name="  ", role=StaffRole.SUPPORT)
    assert caught.value.field == "full_name"


def test_a_changed_role_is_in_the_audit_log():
    sam, dana = cast.staff(cast.SAM), cast.staff(cast.DANA)
    with transaction():
        staff.change(actor=sam, staff=dana, full_name="Dana Ortiz", role=StaffRole.SUPPORT)

    event = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1)).one()
    assert event.verb == "staff.changed"
    assert event.changes == {f"staff_users:{dana.id}": {"role": ["operations", "support"]}}


def test_a_save_without_a_change_leaves_no_trace():
    sam, dana = cast.staff(cast.SAM), cast.staff(cast.DANA)
    before = verbs()
    with transaction():
        staff.change(actor=sam, staff=dana, full_name=dana.full_name, role=dana.role)
    assert verbs() == before


def test_a_save_on_an_older_reading_is_refused():
    sam, dana = cast.staff(cast.SAM), cast.staff(cast.DANA)
    read = dana.version
    with transaction():
        staff.change(actor=sam, staff=dana, full_name="Dana O.", role=dana.role, version=read)
    with pytest.raises(Stale, match=r"Dana O\."), transaction():
        staff.change(actor=sam, staff=dana, full_name="Dana Z.", role=dana.role, version=read)


def test_nobody_changes_their_own_role_or_closes_their_own_account():
    sam = cast.staff(cast.SAM)
    cast.staff(cast.DANA)
    with pytest.raises(NotAllowed, match="your role"), transaction():
        staff.change(actor=sam, staff=sam, full_name=sam.full_name, role=StaffRole.SUPPORT)
    with pytest.raises(NotAllowed, match="your account"), transaction():
        staff.deactivate(actor=sam, staff=sam)


def test_the_last_administrator_stays_one():
    sam = cast.staff(cast.SAM)
    with pytest.raises(IllegalMove, match="only administrator"), transaction():
        staff.change(actor=System(), staff=sam, full_name=sam.full_name, role=StaffRole.SUPPORT)
    with pytest.raises(IllegalMove, match="only administrator"), transaction():
        staff.deactivate(actor=System(), staff=sam)

    make.staff(StaffRole.ADMIN, email="second@northwind.example", full_name="Second")
    with transaction():
        staff.deactivate(actor=System(), staff=sam)
    assert not sam.is_active


def test_a_closed_account_ends_every_session_and_link_and_opens_without_its_old_password():
    sam = cast.staff(cast.SAM)
    dana = make.staff(StaffRole.OPERATIONS, email=cast.DANA.email, password_hash=KEPT)
    token = make.desk(dana)
    with transaction():
        staff.send_link(actor=sam, staff=dana)
    link = link_for(dana)
    with transaction():
        staff.deactivate(actor=sam, staff=dana, reason="left")

    assert staff_sign_in.session_of(token, "Other", "Other") is None
    with pytest.raises(Gone):
        staff.look(link)
    with pytest.raises(IllegalMove), transaction():
        staff.deactivate(actor=sam, staff=dana)
    with pytest.raises(IllegalMove), transaction():
        staff.send_link(actor=sam, staff=dana)

    with transaction():
        staff.reactivate(actor=sam, staff=dana)
    assert dana.password_hash is None
    assert len(mails("staff.password_link")) == 2


# MARK: Links and passwords


def test_a_link_chooses_a_password_once_within_the_hour(time):
    dana = cast.staff(cast.DANA)
    with transaction():
        staff.send_link(actor=System(), staff=dana)
    token = link_for(dana)
    assert staff.look(token).id == staff.look(token).id == dana.id  # looking spends nothing

    time.pass_(minutes=59)
    with transaction():
        staff.choose(token=token, password=GOOD)

    assert passwords.verify(dana.password_hash, GOOD)
    with pytest.raises(Gone) as caught, transaction():
        staff.choose(token=token, password=BETTER)
    assert caught.value.cause == "used"
    assert passwords.verify(dana.password_hash, GOOD)


def test_a_link_ends_after_an_hour(time):
    dana = cast.staff(cast.DANA)
    with transaction():
        staff.send_link(actor=System(), staff=dana)
    token = link_for(dana)
    time.pass_(hours=1)
    with pytest.raises(Gone) as caught:
        staff.look(token)
    assert caught.value.cause == "expired"


def test_a_newer_link_ends_the_one_before():
    dana = cast.staff(cast.DANA)
    with transaction():
        staff.send_link(actor=System(), staff=dana)
    older, newer = link_for(dana), link_for(dana)

    assert staff.look(newer).id == dana.id
    with pytest.raises(Gone) as caught:
        staff.look(older)
    assert caught.value.cause == "revoked"


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "\ud800", "../../x"])
def test_a_made_up_link_opens_nothing(token):
    with pytest.raises(Gone) as caught:
        staff.look(token)
    assert caught.value.cause == "unknown"


def test_a_refused_password_leaves_the_link_as_it_was():
    dana = cast.staff(cast.DANA)
    with transaction():
        staff.send_link(actor=System(), staff=dana)
    token = link_for(dana)
    for guessable in ("password1234", "Dana-Ortiz-2026!", "short"):
        with pytest.raises(Refusal) as caught, transaction():
            staff.choose(token=token, password=guessable)
        assert caught.value.field == "password"
    assert staff.look(token).id == dana.id


def test_only_the_digest_of_a_link_is_kept():
    dana = cast.staff(cast.DANA)
    with transaction():
        staff.send_link(actor=System(), staff=dana)
    token = link_for(dana)
    row = db.session.scalars(select(StaffLink)).one()
    assert token not in (row.token_digest, str(vars(row)))
    assert token not in str([letter.facts for letter in mails("staff.password_link")])


def test_a_new_password_ends_sessions_and_leaves_the_second_factor():
    dana = make.staff(
        StaffRole.OPERATIONS, email=cast.DANA.email, totp_secret="sealed", totp_confirmed_at=make.clock.now()
    )
    token = make.desk(dana, second_factor=True)
    with transaction():
        staff.send_link(actor=System(), staff=dana)
    link = link_for(dana)
    with transaction():
        staff.choose(token=link, password=GOOD)

    assert dana.has_second_factor
    assert staff_sign_in.session_of(token, "Other", "Other") is None
    assert verbs()[-1] == "staff.password_set"


def test_changing_ones_own_password_keeps_this_browser_and_ends_the_others():
    dana = cast.staff(cast.DANA)
    here, there = make.desk(dana), make.desk(dana)
    mine = staff_sign_in.session_of(here, "Other", "Other")
    assert mine
    with transaction():
        staff.change_password(staff=dana, password=GOOD, session_id=mine.id)

    still = staff_sign_in.session_of(here, "Other", "Other")
    assert still
    assert still.id == mine.id
    assert staff_sign_in.session_of(there, "Other", "Other") is None


def test_asking_for_a_link_mails_only_those_who_are_here():
    dana = cast.staff(cast.DANA)
    closed = make.staff(StaffRole.SUPPORT, email="gone@northwind.example", is_active=False)
    for address in (" DANA@northwind.example ", closed.email, "nobody@northwind.example", "no address", ""):
        staff.ask_for_link(email=address)

    assert [letter.staff_id for letter in mails("staff.password_link")] == [dana.id]
    events = db.session.scalars(select(AuthEvent).where(AuthEvent.kind == "password_link_requested"))
    assert [(event.outcome, event.cause) for event in events] == [("ok", "")] + [("ignored", "unknown")] * 4


def test_one_account_gets_few_mails_and_nobody_sees_which():
    dana = cast.staff(cast.DANA)
    for _ in range(8):
        staff.ask_for_link(email=dana.email)
    assert len(mails("staff.password_link")) == 5
    for _ in range(2):
        staff.ask_for_link(email="nobody@northwind.example")
    with pytest.raises(TooMany):
        staff.ask_for_link(email="nobody@northwind.example")


def test_preferences_are_ones_own():
    dana = cast.staff(cast.DANA)
    with transaction():
        staff.change_preferences(staff=dana, time_zone="America/Chicago", has_letter_keys=False)
    assert (dana.time_zone, dana.has_letter_keys) == ("America/Chicago", False)
    with pytest.raises(Refusal), transaction():
        staff.change_preferences(staff=dana, time_zone="Mars/Olympus", has_letter_keys=True)
    with transaction():
        staff.change_preferences(staff=dana, time_zone="", has_letter_keys=True)
    assert dana.time_zone is None


def test_what_is_kept_tells_no_secret():
    """A leaked table opens nothing: digests and hashes alone."""
    dana = cast.staff(cast.DANA)
    token = make.desk(dana)
    assert token not in str([vars(row) for row in db.session.scalars(select(Session))])
    assert db.session.scalars(select(RecoveryCode)).all() == []
