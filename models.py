"""What exists: every table, its columns, constraints and the facts computable from one row.

No queries, no mail, no permissions, no web. Moments are aware and UTC; enums are stored as their
values with a CHECK; history is kept, so rows end (`ended_at`) rather than disappear.
"""

import enum
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    declared_attr,
    mapped_column,
    registry,
    relationship,
)
from sqlalchemy.types import TypeDecorator

import clock

# MARK: Ground


class Moment(TypeDecorator[datetime]):
    """An aware moment in UTC: timestamptz on PostgreSQL, UTC text on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


BigId = BigInteger().with_variant(Integer, "sqlite")
Json = JSON().with_variant(JSONB, "postgresql")

#: The greatest number that a row can have.
GREATEST_ID = 2**63 - 1

pk = Annotated[int, mapped_column(BigId, primary_key=True)]
short = Annotated[str, mapped_column(String(200))]
address = Annotated[str, mapped_column(String(254))]
digest = Annotated[str, mapped_column(String(64))]
long = Annotated[str, mapped_column(Text)]
moment = Annotated[datetime, mapped_column(Moment)]
created = Annotated[datetime, mapped_column(Moment, default=clock.now)]
#: The values of the row as JSON: overrides, mail contexts, differences.
json = Annotated[dict[str, Any], mapped_column(Json, default=dict)]


def _values(kind: type[enum.Enum]) -> list[str]:
    return [member.value for member in kind]


class Base(DeclarativeBase):
    """The registry of all tables, with names for every constraint so that migrations can find them."""

    registry = registry(
        metadata=MetaData(
            naming_convention={
                "ix": "ix_%(table_name)s_%(column_0_N_name)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
                "fk": "fk_%(table_name)s_%(column_0_name)s",
                "pk": "pk_%(table_name)s",
            }
        ),
        type_annotation_map={
            enum.Enum: Enum(
                enum.Enum, native_enum=False, create_constraint=True, length=32, values_callable=_values
            ),
            int: Integer,
        },
    )


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model


class Audited:
    """Rows whose every change must leave an audit event in the same transaction."""

    #: Columns whose values are secret: the audit says that they changed, never from what to what.
    audit_masked: ClassVar[frozenset[str]] = frozenset()
    #: Columns that move by themselves (last seen, counters) and are no change of the record.
    audit_skipped: ClassVar[frozenset[str]] = frozenset({"version", "last_seen_at", "last_activity_at"})


class Versioned:
    """Rows that refuse a save made on an older reading than the newest."""

    version: Mapped[int] = mapped_column(default=1)

    @declared_attr.directive
    @classmethod
    def __mapper_args__(cls) -> Mapping[str, Any]:
        return {"version_id_col": cls.__dict__.get("version") or cls.version}


# MARK: Company


class Company(Audited, Versioned, Model):
    """Us, the tenant: one row with our name, brand and support address."""

    __tablename__ = "companies"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[pk]
    name: Mapped[short]
    portal_name: Mapped[short]
    brand_colour: Mapped[str] = mapped_column(String(7), default="#2b59c3")  #: "#rrggbb", lower case
    logo_key: Mapped[str | None] = mapped_column(String(64))  #: where the storage keeps the PNG
    logo_width: Mapped[int | None]  #: pixels
    logo_height: Mapped[int | None]  #: pixels
    support_email: Mapped[address]
    time_zone: Mapped[str] = mapped_column(String(64), default="UTC")  #: IANA name
    locale: Mapped[str] = mapped_column(String(16), default="en")

    @property
    def logo_url(self) -> str | None:
        """The path of the logo; another logo has another one, so it may be kept for good."""
        return f"/brand/{self.logo_key.rpartition('/')[2]}.png" if self.logo_key else None

    def __str__(self) -> str:
        return self.name


# MARK: Schools


class School(Audited, Versioned, Model):
    """An institution that an entity may be linked to."""

    __tablename__ = "schools"
    __table_args__ = (Index(None, "country", "id"),)

    id: Mapped[pk]
    name: Mapped[short] = mapped_column(index=True)
    name_key: Mapped[short] = mapped_column(index=True)  #: folded name, for finding other spellings
    city: Mapped[str] = mapped_column(String(120), default="")
    region: Mapped[str] = mapped_column(String(120), default="")
    country: Mapped[str] = mapped_column(String(2), default="US")  #: ISO 3166-1 alpha-2
    code: Mapped[str | None] = mapped_column(String(32), unique=True)  #: the code others know it by
    created_at: Mapped[created] = mapped_column(index=True)

    def __str__(self) -> str:
        return self.name


# MARK: Partners


class OrganizationKind(enum.StrEnum):
    UNIVERSITY = "university"
    HIGH_SCHOOL = "high_school"
    COLLEGE = "college"
    COMPANY = "company"
    NONPROFIT = "nonprofit"


class OrganizationStatus(enum.StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"


class EntityKind(enum.StrEnum):
    ADMISSIONS = "admissions"
    PROGRAM = "program"
    DEPARTMENT = "department"
    OFFICE = "office"


class EntityStatus(enum.StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    OFFBOARDED = "offboarded"


class OnboardingStatus(enum.StrEnum):
    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


class DealVisibility(enum.StrEnum):
    OWN = "own"
    ENTITY = "entity"


class Organization(Audited, Versioned, Model):
    """A legal body that works with us through its entities."""

    __tablename__ = "partner_organizations"
    __table_args__ = (
        Index(None, "kind", "id"),
        Index(None, "status", "id"),
    )

    id: Mapped[pk]
    name: Mapped[short] = mapped_column(index=True)
    name_key: Mapped[short] = mapped_column(index=True)  #: folded name, for finding other spellings
    kind: Mapped[OrganizationKind]
    domain: Mapped[str | None] = mapped_column(String(253), index=True)  #: lower case, punycode
    status: Mapped[OrganizationStatus] = mapped_column(default=OrganizationStatus.ACTIVE)
    created_at: Mapped[created] = mapped_column(index=True)

    entities: Mapped[list["Entity"]] = relationship(
        back_populates="organization", order_by="Entity.name", passive_deletes="all"
    )

    def __str__(self) -> str:
        return self.name


class Entity(Audited, Versioned, Model):
    """A department, program or office of an organization: the partner."""

    __tablename__ = "partner_entities"
    __table_args__ = (
        Index(None, "kind", "id"),
        Index(None, "onboarding_status", "id"),
        Index(None, "organization_id", "name"),
        Index(None, "status", "created_at", "id"),
        Index(None, "created_at", "id"),
        Index(None, "name", "id"),
        Index(None, "last_activity_at", "id"),
    )

    id: Mapped[pk]
    organization_id: Mapped[int] = mapped_column(ForeignKey("partner_organizations.id"))
    name: Mapped[short]
    kind: Mapped[EntityKind]
    school_id: Mapped[int | None] = mapped_column(ForeignKey("schools.id"), index=True)
    show_in_app: Mapped[bool] = mapped_column(default=True)
    status: Mapped[EntityStatus] = mapped_column(default=EntityStatus.PENDING)
    onboarding_status: Mapped[OnboardingStatus] = mapped_column(default=OnboardingStatus.NOT_STARTED)
    deal_visibility: Mapped[DealVisibility] = mapped_column(default=DealVisibility.OWN)
    description: Mapped[long] = mapped_column(default="")
    website: Mapped[str] = mapped_column(String(500), default="")
    address: Mapped[str] = mapped_column(String(500), default="")
    activated_at: Mapped[moment | None]
    last_activity_at: Mapped[moment] = mapped_column(default=clock.now)
    created_at: Mapped[created]

    organization: Mapped[Organization] = relationship(back_populates="entities")
    school: Mapped[School | None] = relationship()

    def __str__(self) -> str:
        return self.name


class Note(Audited, Model):
    """What one of us wrote down about a partner; only staff read it."""

    __tablename__ = "entity_notes"
    __table_args__ = (Index(None, "entity_id", "id"),)

    id: Mapped[pk]
    entity_id: Mapped[int] = mapped_column(ForeignKey("partner_entities.id"))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff_users.id"))
    body: Mapped[long]
    created_at: Mapped[created]

    def __str__(self) -> str:
        return self.body[:60]


# MARK: People


class PartnerRole(enum.StrEnum):
    PRINCIPAL = "principal"
    SALESPERSON = "salesperson"
    TECHNICAL = "technical"
    FINANCE = "finance"
    VIEWER = "viewer"


class Person(Audited, Versioned, Model):
    """Somebody who signs in to the portal."""

    __tablename__ = "partner_users"
    __table_args__ = (Index(None, "is_active", "id"),)

    id: Mapped[pk]
    email: Mapped[address]  #: as it was typed, for display
    email_canonical: Mapped[address] = mapped_column(unique=True)  #: what everything matches
    full_name: Mapped[short] = mapped_column(default="", index=True)
    title: Mapped[short] = mapped_column(default="")
    phone: Mapped[str] = mapped_column(String(40), default="")  #: E.164 where it could be read
    time_zone: Mapped[str | None] = mapped_column(String(64))  #: IANA name; None follows the company
    locale: Mapped[str | None] = mapped_column(String(16))
    is_active: Mapped[bool] = mapped_column(default=True)
    profile_completed_at: Mapped[moment | None]
    bounced_at: Mapped[moment | None]  #: when their mail server last refused our mail for good
    epoch: Mapped[int] = mapped_column(default=1)  #: raised to end every session and link at once
    last_seen_at: Mapped[moment | None]
    created_at: Mapped[created] = mapped_column(index=True)

    affiliations: Mapped[list["Affiliation"]] = relationship(back_populates="person", passive_deletes="all")

    @property
    def name(self) -> str:
        """What to call them: the full name, or the address while there is none."""
        return self.full_name or self.email

    def __str__(self) -> str:
        return self.name


class Affiliation(Audited, Versioned, Model):
    """A person's role in one entity; seen from the entity, a contact."""

    __tablename__ = "partner_affiliations"
    __table_args__ = (
        Index(None, "role", "id"),
        Index(None, "ended_at", "id"),
        Index(
            "uq_partner_affiliations_live",
            "partner_user_id",
            "entity_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
        Index(None, "entity_id", "role"),
    )

    id: Mapped[pk]
    partner_user_id: Mapped[int] = mapped_column(ForeignKey("partner_users.id"), index=True)
    entity_id: Mapped[int] = mapped_column(ForeignKey("partner_entities.id"))
    role: Mapped[PartnerRole]
    permissions: Mapped[json]  #: overrides on the role: {"manage_team": true, "view_amounts": false}
    is_primary: Mapped[bool] = mapped_column(default=False)
    valid_until: Mapped[moment | None]
    ended_at: Mapped[moment | None]
    created_at: Mapped[created] = mapped_column(index=True)

    person: Mapped[Person] = relationship(back_populates="affiliations")
    entity: Mapped[Entity] = relationship()

    def is_live(self, at: datetime) -> bool:
        """Whether the affiliation holds at that moment."""
        return self.ended_at is None and (self.valid_until is None or at < self.valid_until)

    def __str__(self) -> str:
        return f"affiliation {self.id}"


class InvitationStatus(enum.StrEnum):
    PENDING = "pending"
    ACCEPTED = "accepted"
    EXPIRED = "expired"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"


class Invitation(Audited, Versioned, Model):
    """An offer of an affiliation to an email address, with a code and an expiry."""

    __tablename__ = "partner_invitations"
    __table_args__ = (
        Index(
            "uq_partner_invitations_pending",
            "entity_id",
            "email_canonical",
            unique=True,
            postgresql_where=text("status = 'pending'"),
            sqlite_where=text("status = 'pending'"),
        ),
        Index(None, "status", "expires_at"),
        Index(None, "entity_id", "id"),
        CheckConstraint("(status = 'accepted') = (accepted_at IS NOT NULL)", name="accepted_at_iff_accepted"),
    )
    audit_masked = frozenset({"url_digest", "url_secret"})

    id: Mapped[pk]
    entity_id: Mapped[int] = mapped_column(ForeignKey("partner_entities.id"))
    email: Mapped[address]
    email_canonical: Mapped[address] = mapped_column(index=True)
    role: Mapped[PartnerRole]
    invitation_code: Mapped[str] = mapped_column(String(16), unique=True)
    url_digest: Mapped[digest] = mapped_column(unique=True)  #: SHA-256 of the secret in the copied URL
    url_secret: Mapped[str] = mapped_column(String(255))  #: the same secret, encrypted with the app's key
    invited_by: Mapped[short]  #: their name at that time
    invited_by_staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff_users.id"))
    invited_by_person_id: Mapped[int | None] = mapped_column(ForeignKey("partner_users.id"))
    locale: Mapped[str | None] = mapped_column(String(16))
    status: Mapped[InvitationStatus] = mapped_column(default=InvitationStatus.PENDING)
    expires_at: Mapped[moment]
    accepted_at: Mapped[moment | None]
    accepted_by_id: Mapped[int | None] = mapped_column(ForeignKey("partner_users.id"), index=True)
    ended_at: Mapped[moment | None]  #: when it was revoked, superseded or noticed to have expired
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("partner_invitations.id"))
    created_at: Mapped[created] = mapped_column(index=True)

    entity: Mapped[Entity] = relationship()

    def state(self, at: datetime) -> InvitationStatus:
        """The status that holds at that moment: an overdue one is expired before the sweep says so."""
        if self.status is InvitationStatus.PENDING and at >= self.expires_at:
            return InvitationStatus.EXPIRED
        return self.status

    def __str__(self) -> str:
        return self.email


# MARK: Staff


class StaffRole(enum.StrEnum):
    ADMIN = "admin"
    OPERATIONS = "operations"
    SUPPORT = "support"
    CONTENT = "content"
    AUDITOR = "auditor"


class Staff(Audited, Versioned, Model):
    """Somebody of ours who signs in to the admin with a password and a second factor."""

    __tablename__ = "staff_users"
    __table_args__ = (Index(None, "full_name", "id"),)
    audit_masked = frozenset({"password_hash", "totp_secret"})
    audit_skipped = Audited.audit_skipped | {"totp_last_step"}

    id: Mapped[pk]
    email: Mapped[address]
    email_canonical: Mapped[address] = mapped_column(unique=True)
    full_name: Mapped[short]
    role: Mapped[StaffRole]
    password_hash: Mapped[str | None] = mapped_column(String(200))  #: Argon2id; None until they chose one
    totp_secret: Mapped[str | None] = mapped_column(String(255))  #: encrypted with the app's key
    totp_confirmed_at: Mapped[moment | None]
    totp_last_step: Mapped[int | None] = mapped_column(BigInteger)  #: 30 s steps; none is accepted twice
    is_active: Mapped[bool] = mapped_column(default=True)
    has_letter_keys: Mapped[bool] = mapped_column(default=True)  #: single-letter shortcuts of the desk
    time_zone: Mapped[str | None] = mapped_column(String(64))
    epoch: Mapped[int] = mapped_column(default=1)
    last_seen_at: Mapped[moment | None]
    created_at: Mapped[created] = mapped_column(index=True)

    @property
    def has_second_factor(self) -> bool:
        return self.totp_confirmed_at is not None

    @property
    def name(self) -> str:
        return self.full_name

    # What Flask-Login asks of a user; is_active is the column above.
    is_authenticated = True
    is_anonymous = False

    def get_id(self) -> str:
        return f"staff:{self.id}"

    def __str__(self) -> str:
        return self.full_name


class RecoveryCode(Model):
    """One of the ten codes that stand in for a lost second factor, each once."""

    __tablename__ = "staff_recovery_codes"

    id: Mapped[pk]
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff_users.id"), index=True)
    code_digest: Mapped[digest] = mapped_column(unique=True)
    used_at: Mapped[moment | None]
    created_at: Mapped[created]


class StaffLink(Model):
    """A one-time link with which one of us chooses a password."""

    __tablename__ = "staff_links"

    id: Mapped[pk]
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff_users.id"), index=True)
    token_digest: Mapped[digest] = mapped_column(unique=True)
    mail_id: Mapped[int | None] = mapped_column(ForeignKey("mails.id"), index=True)
    expires_at: Mapped[moment]
    used_at: Mapped[moment | None]
    revoked_at: Mapped[moment | None]
    created_at: Mapped[created]


class SavedView(Model):
    """A list as one of us left it: a name for a page's query string."""

    __tablename__ = "saved_views"
    __table_args__ = (Index(None, "page", "staff_id"),)

    id: Mapped[pk]
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff_users.id"))
    page: Mapped[str] = mapped_column(String(80))
    name: Mapped[str] = mapped_column(String(60))
    query: Mapped[str] = mapped_column(String(2000))
    is_shared: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[created]


# MARK: Sign-in


class SignInRequest(Model):
    """Somebody asked for a sign-in mail; the same row is written whatever address was typed."""

    __tablename__ = "sign_in_requests"
    __table_args__ = (
        Index(
            "ix_sign_in_requests_waiting",
            "id",
            postgresql_where=text("handled_at IS NULL"),
            sqlite_where=text("handled_at IS NULL"),
        ),
        Index(None, "created_at"),
    )

    id: Mapped[pk]
    email_canonical: Mapped[address]  #: "" where what was typed is no address
    browser_digest: Mapped[digest] = mapped_column(index=True)  #: SHA-256 of the same-browser cookie
    invitation_id: Mapped[int | None] = mapped_column(ForeignKey("partner_invitations.id"))
    next_path: Mapped[str] = mapped_column(String(500), default="")
    code_tries: Mapped[int] = mapped_column(default=0)
    address: Mapped[str] = mapped_column(String(64), default="")  #: IP address
    agent: Mapped[str] = mapped_column(String(300), default="")
    request_id: Mapped[str] = mapped_column(String(32), default="")
    handled_at: Mapped[moment | None]
    created_at: Mapped[created]


class LinkPurpose(enum.StrEnum):
    SIGN_IN = "sign_in"
    INVITATION = "invitation"
    EMAIL_CHANGE = "email_change"


class SignInLink(Model):
    """A mailed link with its code; only digests are kept."""

    __tablename__ = "sign_in_links"
    __table_args__ = (Index(None, "issued_at", "id"),)

    id: Mapped[pk]
    token_digest: Mapped[digest] = mapped_column(unique=True)
    purpose: Mapped[LinkPurpose]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("partner_users.id"), index=True)
    invitation_id: Mapped[int | None] = mapped_column(ForeignKey("partner_invitations.id"), index=True)
    sign_in_request_id: Mapped[int | None] = mapped_column(ForeignKey("sign_in_requests.id"), index=True)
    mail_id: Mapped[int | None] = mapped_column(ForeignKey("mails.id"), index=True)
    email_canonical: Mapped[address]  #: the link dies when the person's address is another
    person_epoch: Mapped[int | None]
    code_digest: Mapped[digest | None]
    code_expires_at: Mapped[moment | None]
    issued_at: Mapped[created]
    expires_at: Mapped[moment]
    used_at: Mapped[moment | None]
    revoked_at: Mapped[moment | None]
    revoked_reason: Mapped[str] = mapped_column(String(32), default="")  #: used, newer, resent, staff…

    person: Mapped[Person | None] = relationship()
    invitation: Mapped[Invitation | None] = relationship()


class Session(Model):
    """A browser that is signed in: of a person to the portal or of staff to the admin."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index(None, "created_at", "id"),
        CheckConstraint("(person_id IS NULL) <> (staff_id IS NULL)", name="one_owner"),
        Index(None, "person_id", "created_at"),
        Index(None, "staff_id", "created_at"),
    )

    id: Mapped[pk]
    token_digest: Mapped[digest] = mapped_column(unique=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("partner_users.id"))
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff_users.id"))
    affiliation_id: Mapped[int | None] = mapped_column(ForeignKey("partner_affiliations.id"))
    epoch: Mapped[int]  #: the owner's at sign-in; a raised one ends the session
    browser: Mapped[str] = mapped_column(String(40), default="")  #: family only: "Firefox"
    system: Mapped[str] = mapped_column(String(40), default="")  #: family only: "Windows"
    address: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[created]
    authenticated_at: Mapped[moment] = mapped_column(default=clock.now)
    second_factor_at: Mapped[moment | None]
    last_seen_at: Mapped[moment] = mapped_column(default=clock.now)
    expires_at: Mapped[moment]
    revoked_at: Mapped[moment | None]
    revoked_reason: Mapped[str] = mapped_column(String(32), default="")

    person: Mapped[Person | None] = relationship()
    staff: Mapped[Staff | None] = relationship()


class AuthEvent(Model):
    """Who tried to get in, how, and how it ended; never changed."""

    __tablename__ = "auth_events"
    __table_args__ = (
        Index(None, "kind", "id"),
        Index(None, "outcome", "id"),
        Index(None, "email_canonical", "id"),
        Index(None, "person_id", "id"),
        Index(None, "created_at", "id"),
    )

    id: Mapped[pk]
    kind: Mapped[str] = mapped_column(String(40))  #: link_requested, link_sent, link_opened, signed_in…
    outcome: Mapped[str] = mapped_column(String(20))  #: ok, refused, ignored
    cause: Mapped[str] = mapped_column(String(40), default="")  #: reason code of a refusal
    email_canonical: Mapped[address] = mapped_column(default="")
    person_id: Mapped[int | None] = mapped_column(ForeignKey("partner_users.id"))
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff_users.id"), index=True)
    sign_in_link_id: Mapped[int | None] = mapped_column(BigInteger)
    session_id: Mapped[int | None] = mapped_column(BigInteger)
    address: Mapped[str] = mapped_column(String(64), default="")
    agent: Mapped[str] = mapped_column(String(300), default="")
    request_id: Mapped[str] = mapped_column(String(32), default="")
    created_at: Mapped[created]


class RateCount(Model):
    """How often something counted happened in one window of time."""

    __tablename__ = "rate_counts"
    __table_args__ = (Index(None, "window_ends_at"),)

    key: Mapped[str] = mapped_column(String(120), primary_key=True)
    window_started_at: Mapped[moment] = mapped_column(primary_key=True)
    window_ends_at: Mapped[moment]
    count: Mapped[int] = mapped_column(default=0)


# MARK: Audit


class AuditEvent(Model):
    """Who changed or fetched what; append-only, each row chained to the one before by a hash."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index(None, "entity_id", "id"),
        Index(None, "person_id", "id"),
        Index(None, "actor_kind", "actor_id", "id"),
        Index(None, "subject_table", "subject_id", "id"),
        Index(None, "verb", "id"),
        Index(None, "created_at", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)  #: gap-free
    created_at: Mapped[moment]
    actor_kind: Mapped[str] = mapped_column(String(10))  #: staff, person, system
    actor_id: Mapped[int | None] = mapped_column(BigInteger)
    actor_label: Mapped[short]
    on_behalf_of: Mapped[short] = mapped_column(default="")
    verb: Mapped[str] = mapped_column(String(60))
    subject_table: Mapped[str] = mapped_column(String(60), default="")
    subject_id: Mapped[int | None] = mapped_column(BigInteger)
    subject_label: Mapped[short] = mapped_column(default="")
    entity_id: Mapped[int | None] = mapped_column(BigInteger)
    person_id: Mapped[int | None] = mapped_column(BigInteger)  #: the person whom it concerns
    #: {"partner_entities:12": {"status": ["pending", "active"]}}: before and after, secrets masked.
    changes: Mapped[json]
    facts: Mapped[json]  #: what the sentence of the timeline names beside actor and subject
    reason: Mapped[str] = mapped_column(String(500), default="")
    address: Mapped[str] = mapped_column(String(64), default="")
    agent: Mapped[str] = mapped_column(String(80), default="")
    request_id: Mapped[str] = mapped_column(String(32), default="")
    previous_hash: Mapped[digest]
    hash: Mapped[digest]


class AuditHead(Model):
    """The end of the audit chain: one row, locked while an event is appended."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[pk]
    event_id: Mapped[int] = mapped_column(BigInteger, default=0)
    hash: Mapped[digest] = mapped_column(default="0" * 64)


# MARK: Machinery


class MailStatus(enum.StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"  #: given up; staff can retry


class Mail(Model):
    """A mail that a change caused: written with the change, delivered after it by the worker."""

    __tablename__ = "mails"
    __table_args__ = (
        Index(
            "ix_mails_waiting",
            "due_at",
            postgresql_where=text("status IN ('queued', 'sending')"),
            sqlite_where=text("status IN ('queued', 'sending')"),
        ),
        Index(None, "status", "id"),
        Index(None, "email_canonical", "id"),
    )

    id: Mapped[pk]
    verb: Mapped[str] = mapped_column(String(60))  #: which mail, named by what happened
    email: Mapped[address]
    email_canonical: Mapped[address]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("partner_users.id"), index=True)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff_users.id"))
    entity_id: Mapped[int | None] = mapped_column(ForeignKey("partner_entities.id"), index=True)
    invitation_id: Mapped[int | None] = mapped_column(ForeignKey("partner_invitations.id"), index=True)
    sign_in_request_id: Mapped[int | None] = mapped_column(ForeignKey("sign_in_requests.id"))
    facts: Mapped[json]  #: what the text names; never a token
    locale: Mapped[str] = mapped_column(String(16), default="en")
    subject: Mapped[short] = mapped_column(default="")  #: as it was sent
    message_id: Mapped[short] = mapped_column(default="")
    status: Mapped[MailStatus] = mapped_column(default=MailStatus.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[moment] = mapped_column(default=clock.now)
    leased_until: Mapped[moment | None]
    last_error: Mapped[str] = mapped_column(String(500), default="")
    sent_at: Mapped[moment | None]
    created_at: Mapped[created] = mapped_column(index=True)

    def __str__(self) -> str:
        return f"{self.verb} to {self.email}"


class FormSubmission(Model):
    """A form that was already done: the same form again shows its result instead of repeating it."""

    __tablename__ = "form_submissions"

    actor_key: Mapped[str] = mapped_column(String(40), primary_key=True)  #: "person:12", "staff:3"
    form_key: Mapped[str] = mapped_column(String(43), primary_key=True)  #: random, from the hidden field
    body_digest: Mapped[digest]
    location: Mapped[str] = mapped_column(String(500), default="")
    created_at: Mapped[created] = mapped_column(index=True)


class JobRun(Model):
    """A periodic job: who holds it, and when it last ran."""

    __tablename__ = "job_runs"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    leased_until: Mapped[moment | None]
    last_started_at: Mapped[moment | None]
    last_ended_at: Mapped[moment | None]
    last_error: Mapped[str] = mapped_column(String(500), default="")
