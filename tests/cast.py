"""The people of every test: one name, one situation; the same ones that the demonstration story tells of.

    amara = cast.actor(cast.AMARA)

makes her on first use, with her team and organization, and gives the actor that services take.
"""

from dataclasses import dataclass

from models import PartnerRole, Staff, StaffRole
from permissions import Contact


@dataclass(frozen=True)
class Place:
    """An entity that people belong to."""

    organization: str
    entity: str


@dataclass(frozen=True)
class Who:
    """Somebody: with us where `role` is one of ours, else at their place."""

    name: str
    email: str
    role: PartnerRole | StaffRole
    place: Place | None = None


ADMISSIONS = Place("University of Nebraska–Lincoln", "Admissions Office")
RAIKES = Place("University of Nebraska–Lincoln", "Raikes School of Computer Science")
COUNSELING = Place("Lincoln East High School", "Counseling Center")

# With us, one of each role.
SAM = Who("Sam Whitfield", "sam@northwind.example", StaffRole.ADMIN)
DANA = Who("Dana Ortiz", "dana@northwind.example", StaffRole.OPERATIONS)
PRIYA = Who("Priya Nair", "priya@northwind.example", StaffRole.SUPPORT)
TOMAS = Who("Tomás Vega", "tomas@northwind.example", StaffRole.CONTENT)
INGRID = Who("Ingrid Solberg", "ingrid@northwind.example", StaffRole.AUDITOR)
STAFF = (SAM, DANA, PRIYA, TOMAS, INGRID)

# At Admissions, one of each role.
AMARA = Who("Amara Okafor", "amara.okafor@unl.example", PartnerRole.PRINCIPAL, ADMISSIONS)
KOFI = Who("Kofi Mensah", "kofi.mensah@unl.example", PartnerRole.SALESPERSON, ADMISSIONS)
HANA = Who("Hana Sato", "hana.sato@unl.example", PartnerRole.TECHNICAL, ADMISSIONS)
LUIS = Who("Luis Romero", "luis.romero@unl.example", PartnerRole.FINANCE, ADMISSIONS)
GRACE = Who("Grace Lindqvist", "grace.lindqvist@unl.example", PartnerRole.VIEWER, ADMISSIONS)
TEAM = (AMARA, KOFI, HANA, LUIS, GRACE)

# In the same organization but another team, and in another organization.
ERIK = Who("Erik Lundgren", "erik.lundgren@unl.example", PartnerRole.PRINCIPAL, RAIKES)
RUTH = Who("Ruth Alvarez", "ruth.alvarez@lincolneast.example", PartnerRole.PRINCIPAL, COUNSELING)

#: Somebody whom nobody knows yet.
NOAH_EMAIL = "noah.becker@unl.example"


def actor(who: Who) -> Contact | Staff:
    """The actor that this person is; their rows are made when they are not there yet."""
    return contact(who) if who.place is not None else staff(who)


def contact(who: Who) -> Contact:
    """The same, for somebody at a partner."""
    from tests import make

    assert isinstance(who.role, PartnerRole), f"{who.name} is one of us."
    assert who.place is not None
    entity = make.entity(name=who.place.entity, organization=who.place.organization)
    return make.contact(entity=entity, role=who.role, email=who.email, full_name=who.name)


def staff(who: Who) -> Staff:
    """The same, for one of us."""
    from tests import make

    assert isinstance(who.role, StaffRole), f"{who.name} is somebody at a partner."
    return make.staff(role=who.role, email=who.email, full_name=who.name)
