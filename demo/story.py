"""A believable story to look around in: who we are, four weeks of onboarding, and who can sign in.

It is told through the same services that the pages call, with the clock set back, so that everything in
it – states, audit log, timelines – is what really happened, only earlier.
"""

import secrets
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

import clock
import config
from models import (
    Entity,
    EntityKind,
    Mail,
    MailStatus,
    Organization,
    OrganizationKind,
    PartnerRole,
    Person,
    School,
    Staff,
    StaffRole,
    db,
)
from permissions import Contact, System
from services import audit, company, invitations, notes, partner_moves, partners, people, staff
from services.errors import Refusal
from services.names import fold
from services.transaction import transaction

PORTICO = System()
SIGN_INS = "demo-sign-ins.txt"

OFFICE = (
    ("Sam Whitfield", "sam@northwind.example", StaffRole.ADMIN),
    ("Dana Ortiz", "dana@northwind.example", StaffRole.OPERATIONS),
    ("Priya Nair", "priya@northwind.example", StaffRole.SUPPORT),
    ("Tomás Vega", "tomas@northwind.example", StaffRole.CONTENT),
    ("Ingrid Solberg", "ingrid@northwind.example", StaffRole.AUDITOR),
)
SCHOOLS = (
    ("University of Nebraska–Lincoln", "Lincoln", "NE", "181464"),
    ("Lincoln East High School", "Lincoln", "NE", "280925"),
    ("Creighton University", "Omaha", "NE", "181002"),
    ("Doane University", "Crete", "NE", "181020"),
)
ROLE, KIND, EKIND = PartnerRole, OrganizationKind, EntityKind
UNL = "University of Nebraska–Lincoln"

#: One thread of the story; it yields how many days ago its next step happened.
Line = Generator[int, None, None]


def load(*, if_empty: bool = False) -> bool:
    """Tell the story into a database without partners; gives whether it did.

    Raises Refusal in production mode, and where there are partners already (with `if_empty` that is fine).
    """
    settings = config.current()
    if settings.is_production:
        raise Refusal("Demonstration data has sign-ins that anybody may read: not in production mode.")
    if db.session.scalar(select(func.count()).select_from(Organization)):
        if if_empty:
            return False
        raise Refusal("The database already has partners: demonstration data needs one without any.")
    today = clock.now()
    password = f"demo-{secrets.token_urlsafe(9)}"
    with _days_ago(today, 30):
        dana = _open_office(password)
        _list_schools()
    told = _Telling(today)
    for line in (_nebraska(dana, told), _counseling(dana), _hiring(dana), _fund(dana)):
        told.begin(line)
    told.tell()
    _silence_the_past(today)
    with transaction():
        audit.record(actor=PORTICO, verb="demo.loaded")
    _write_sign_ins(settings, password)
    return True


# MARK: Who we are


def _open_office(password: str) -> Staff:
    with transaction():
        made = [
            staff.create(actor=PORTICO, full_name=name, email=email, role=role, password=password)
            for name, email, role in OFFICE
        ]
    with transaction():
        company.change(
            actor=PORTICO,
            version=company.current().version,
            name="Northwind",
            portal_name="Northwind partner portal",
            brand_colour="#0b6e6e",
            support_email="partners@northwind.example",
            time_zone="America/Chicago",
        )
    return made[1]


def _list_schools() -> None:
    with transaction() as session:
        for name, city, region, code in SCHOOLS:
            school = School(name=name, name_key=fold(name), city=city, region=region, country="US", code=code)
            session.add(school)
            session.flush()
            audit.record(actor=PORTICO, verb="school.created", subject=school)


# MARK: The university


def _nebraska(dana: Staff, told: "_Telling") -> Line:
    school = _school("181464")
    yield 28
    with transaction():
        admissions = partners.create(
            actor=dana,
            organization=None,
            organization_name=UNL,
            organization_kind=KIND.UNIVERSITY,
            organization_domain="unl.example",
            entity_name="Admissions Office",
            entity_kind=EKIND.ADMISSIONS,
            school_id=school,
        )
    amara = yield from _join(dana, admissions, "amara.okafor@unl.example", ROLE.PRINCIPAL, 28, 27)
    _profile(amara, "Amara Okafor", "Director of Admissions")
    with transaction():
        partners.complete_entity_profile(
            actor=amara,
            description="First contact for everybody who wants to study at Nebraska.",
            website="https://admissions.unl.example/",
            address="1410 Q Street, Lincoln, NE 68588",
            show_in_app=True,
        )
    for days, email, name, title, role in (
        (25, "kofi.mensah@unl.example", "Kofi Mensah", "Recruitment lead", ROLE.SALESPERSON),
        (24, "hana.sato@unl.example", "Hana Sato", "Systems analyst", ROLE.TECHNICAL),
        (24, "luis.romero@unl.example", "Luis Romero", "Budget officer", ROLE.FINANCE),
        (20, "grace.lindqvist@unl.example", "Grace Lindqvist", "Dean's office", ROLE.VIEWER),
    ):
        told.begin(_colleague(amara, admissions, days, email, name, title, role))
    raikes = _sister(
        dana, admissions, 18, "Raikes School of Computer Science", EKIND.PROGRAM, "Erik Lundgren"
    )
    business = _sister(dana, admissions, 15, "College of Business", EKIND.DEPARTMENT, "Maya Chen")
    told.begin(raikes)
    told.begin(business)
    told.begin(_engineering(dana, admissions.organization, school))


def _colleague(
    amara: Contact, entity: Entity, days: int, email: str, name: str, title: str, role: PartnerRole
) -> Line:
    joined = yield from _join(amara, entity, email, role, days, days - 1)
    _profile(joined, name, title)


def _sister(dana: Staff, first: Entity, days: int, name: str, kind: EntityKind, head: str) -> Line:
    """Another entity of the same university, and who leads it."""
    yield days
    with transaction():
        entity = partners.create(
            actor=dana,
            organization=first.organization,
            entity_name=name,
            entity_kind=kind,
            school_id=first.school_id,
        )
    email = f"{head.lower().replace(' ', '.')}@unl.example"
    joined = yield from _join(dana, entity, email, ROLE.PRINCIPAL, days, days - 2)
    _profile(joined, head, "Head of partnerships")
    if kind is EKIND.PROGRAM:  # one person at two entities, to switch between
        yield from _join(dana, entity, "amara.okafor@unl.example", ROLE.VIEWER, days - 3, days - 4)


def _engineering(dana: Staff, organization: Organization, school: int) -> Line:
    yield 3
    with transaction():
        engineering = partners.create(
            actor=dana,
            organization=organization,
            entity_name="College of Engineering",
            entity_kind=EKIND.DEPARTMENT,
            school_id=school,
        )
    yield 2
    with transaction():
        invitations.invite(
            actor=dana, entity=engineering, email="noah.becker@unl.example", role=ROLE.PRINCIPAL, days=7
        )
    yield 1
    with transaction():
        notes.add(
            actor=dana,
            entity=engineering,
            body="Noah asked for a call on Monday; he reads the code out to his assistant then.",
        )


# MARK: The others


def _counseling(dana: Staff) -> Line:
    yield 12
    with transaction():
        counseling = partners.create(
            actor=dana,
            organization=None,
            organization_name="Lincoln East High School",
            organization_kind=KIND.HIGH_SCHOOL,
            organization_domain="lincolneast.example",
            entity_name="Counseling Center",
            entity_kind=EKIND.OFFICE,
            school_id=_school("280925"),
        )
    ruth = yield from _join(dana, counseling, "ruth.alvarez@lincolneast.example", ROLE.PRINCIPAL, 12, 11)
    _profile(ruth, "Ruth Alvarez", "College counselor")


def _hiring(dana: Staff) -> Line:
    yield 10
    with transaction():
        hiring = partners.create(
            actor=dana,
            organization=None,
            organization_name="Prairie Analytics",
            organization_kind=KIND.COMPANY,
            organization_domain="prairie-analytics.example",
            entity_name="Campus Hiring",
            entity_kind=EKIND.PROGRAM,
        )
    ben = yield from _join(dana, hiring, "ben.haddad@prairie-analytics.example", ROLE.PRINCIPAL, 10, 9)
    _profile(ben, "Ben Haddad", "Talent partner")
    yield 4
    with transaction():
        partner_moves.move(
            actor=dana,
            entity=hiring,
            name="suspend",
            reason="The agreement is being renewed; back in December.",
        )


def _fund(dana: Staff) -> Line:
    yield 16
    with transaction():
        fund = partners.create(
            actor=dana,
            organization=None,
            organization_name="Bright Futures Foundation",
            organization_kind=KIND.NONPROFIT,
            organization_domain="brightfutures.example",
            entity_name="Scholarship Program",
            entity_kind=EKIND.PROGRAM,
        )
        invitations.invite(
            actor=dana,
            entity=fund,
            email="olivia.park@brightfutures.example",
            role=ROLE.PRINCIPAL,
            days=7,
            send=False,
        )
    yield 8
    invitations.expire_due()


# MARK: Telling it


class _Telling:
    """Lines of the story told in the order of their days, so that the log reads as it happened."""

    def __init__(self, today: datetime) -> None:
        self.today = today
        self._lines: list[tuple[int, Line]] = []  #: when each goes on, in days before today

    def begin(self, line: Line) -> None:
        """Add a line; it goes on at the day that it yields."""
        self._lines.append((next(line), line))

    def tell(self) -> None:
        """Go on with the earliest line until every one is told."""
        steps: Counter[int] = Counter()
        while self._lines:
            days, line = max(self._lines, key=lambda entry: entry[0])
            self._lines.remove((days, line))
            with _days_ago(self.today, days, minutes=3 * steps[days]):
                steps[days] += 1
                following = next(line, None)
            if following is not None:
                self._lines.append((following, line))


@contextmanager
def _days_ago(today: datetime, days: int, minutes: int = 0) -> Iterator[None]:
    """Let it be that many days ago, in office hours; `minutes` later for what follows on the same day."""
    then = (today - timedelta(days=days)).replace(hour=15, minute=(days * 7) % 30, second=days)
    then += timedelta(minutes=minutes)
    kept, clock.read = clock.read, lambda: min(then, today)
    try:
        yield
    finally:
        clock.read = kept


def _school(code: str) -> int:
    return db.session.scalars(select(School.id).where(School.code == code)).one()


def _join(
    actor: Staff | Contact, entity: Entity, email: str, role: PartnerRole, invited: int, accepted: int
) -> Generator[int, None, Contact]:
    """Somebody is invited so many days ago, and accepts that many days ago."""
    yield invited
    with transaction():
        invitation = invitations.invite(actor=actor, entity=entity, email=email, role=role, send=False)
    yield accepted
    with transaction():
        return people.accept(invitation=invitation, email_canonical=email)


def _profile(contact: Contact, name: str, title: str) -> None:
    with transaction():
        people.complete_profile(
            actor=contact, full_name=name, title=title, phone="", time_zone="America/Chicago"
        )
        contact.person.last_seen_at = clock.now()


def _silence_the_past(today: datetime) -> None:
    """Mails of the story's past are not sent today; the invitation that is still open is."""
    with transaction() as session:
        past = Mail.created_at < today - timedelta(days=2, hours=12)
        session.execute(delete(Mail).where(Mail.status == MailStatus.QUEUED, past))


def _write_sign_ins(settings: config.Settings, password: str) -> None:
    lines = [
        f"Staff      {settings.base_url}/admin/login   password of all: {password}",
        *(f"           {email:<42} {role.value}" for _name, email, role in OFFICE),
        "",
        f"Partners   {settings.base_url}/partners/login   the link arrives in {settings.mail_url}",
        *(f"           {row.email:<42} {row.full_name}" for row in _partners()),
        "",
    ]
    file = settings.data_dir / SIGN_INS
    file.touch(mode=0o600)
    file.write_text("\n".join(lines), encoding="utf-8")


def _partners() -> list[Person]:
    return list(db.session.scalars(select(Person).order_by(Person.id)))
