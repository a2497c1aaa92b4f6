"""the first tables"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.String(length=10), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("actor_label", sa.String(length=200), nullable=False),
        sa.Column("on_behalf_of", sa.String(length=200), nullable=False),
        sa.Column("verb", sa.String(length=60), nullable=False),
        sa.Column("subject_table", sa.String(length=60), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=True),
        sa.Column("subject_label", sa.String(length=200), nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=True),
        sa.Column("person_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "changes",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "facts",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=80), nullable=False),
        sa.Column("request_id", sa.String(length=32), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
    )
    with op.batch_alter_table("audit_events", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_audit_events_actor_kind_actor_id_id"),
            ["actor_kind", "actor_id", "id"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_audit_events_created_at_id"), ["created_at", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_events_entity_id_id"), ["entity_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_events_person_id_id"), ["person_id", "id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_audit_events_subject_table_subject_id_id"),
            ["subject_table", "subject_id", "id"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_audit_events_verb_id"), ["verb", "id"], unique=False)

    op.create_table(
        "audit_head",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_head_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "companies",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("portal_name", sa.String(length=200), nullable=False),
        sa.Column("brand_colour", sa.String(length=7), nullable=False),
        sa.Column("logo_key", sa.String(length=64), nullable=True),
        sa.Column("logo_width", sa.Integer(), nullable=True),
        sa.Column("logo_height", sa.Integer(), nullable=True),
        sa.Column("support_email", sa.String(length=254), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_companies_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_companies")),
    )
    op.create_table(
        "form_submissions",
        sa.Column("actor_key", sa.String(length=40), nullable=False),
        sa.Column("form_key", sa.String(length=43), nullable=False),
        sa.Column("body_digest", sa.String(length=64), nullable=False),
        sa.Column("location", sa.String(length=500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("actor_key", "form_key", name=op.f("pk_form_submissions")),
    )
    with op.batch_alter_table("form_submissions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_form_submissions_created_at"), ["created_at"], unique=False)

    op.create_table(
        "job_runs",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_job_runs")),
    )
    op.create_table(
        "partner_organizations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_key", sa.String(length=200), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "university",
                "high_school",
                "college",
                "company",
                "nonprofit",
                name="organizationkind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("domain", sa.String(length=253), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "active",
                "suspended",
                name="organizationstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner_organizations")),
    )
    with op.batch_alter_table("partner_organizations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_partner_organizations_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_partner_organizations_domain"), ["domain"], unique=False)
        batch_op.create_index(batch_op.f("ix_partner_organizations_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_partner_organizations_name_key"), ["name_key"], unique=False)

    op.create_table(
        "partner_users",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("email_canonical", sa.String(length=254), nullable=False),
        sa.Column("full_name", sa.String(length=200), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=True),
        sa.Column("locale", sa.String(length=16), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("profile_completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("bounced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner_users")),
        sa.UniqueConstraint("email_canonical", name=op.f("uq_partner_users_email_canonical")),
    )
    with op.batch_alter_table("partner_users", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_partner_users_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_partner_users_full_name"), ["full_name"], unique=False)

    op.create_table(
        "rate_counts",
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("window_started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("window_ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", "window_started_at", name=op.f("pk_rate_counts")),
    )
    with op.batch_alter_table("rate_counts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rate_counts_window_ends_at"), ["window_ends_at"], unique=False)

    op.create_table(
        "schools",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_key", sa.String(length=200), nullable=False),
        sa.Column("city", sa.String(length=120), nullable=False),
        sa.Column("region", sa.String(length=120), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schools")),
        sa.UniqueConstraint("code", name=op.f("uq_schools_code")),
    )
    with op.batch_alter_table("schools", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_schools_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_schools_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_schools_name_key"), ["name_key"], unique=False)

    op.create_table(
        "staff_users",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("email_canonical", sa.String(length=254), nullable=False),
        sa.Column("full_name", sa.String(length=200), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "admin",
                "operations",
                "support",
                "content",
                "auditor",
                name="staffrole",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("totp_secret", sa.String(length=255), nullable=True),
        sa.Column("totp_confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("totp_last_step", sa.BigInteger(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("has_letter_keys", sa.Boolean(), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_users")),
        sa.UniqueConstraint("email_canonical", name=op.f("uq_staff_users_email_canonical")),
    )
    with op.batch_alter_table("staff_users", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_staff_users_created_at"), ["created_at"], unique=False)

    op.create_table(
        "auth_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("cause", sa.String(length=40), nullable=False),
        sa.Column("email_canonical", sa.String(length=254), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("sign_in_link_id", sa.BigInteger(), nullable=True),
        sa.Column("session_id", sa.BigInteger(), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=300), nullable=False),
        sa.Column("request_id", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["partner_users.id"], name=op.f("fk_auth_events_person_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_users.id"], name=op.f("fk_auth_events_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_auth_events")),
    )
    with op.batch_alter_table("auth_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_auth_events_created_at_id"), ["created_at", "id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_auth_events_email_canonical_id"), ["email_canonical", "id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_auth_events_person_id_id"), ["person_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_auth_events_staff_id"), ["staff_id"], unique=False)

    op.create_table(
        "partner_entities",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("organization_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "admissions",
                "program",
                "department",
                "office",
                name="entitykind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("school_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("show_in_app", sa.Boolean(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "active",
                "suspended",
                "offboarded",
                name="entitystatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "onboarding_status",
            sa.Enum(
                "not_started",
                "in_progress",
                "completed",
                name="onboardingstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "deal_visibility",
            sa.Enum(
                "own", "entity", name="dealvisibility", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("website", sa.String(length=500), nullable=False),
        sa.Column("address", sa.String(length=500), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_activity_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["partner_organizations.id"],
            name=op.f("fk_partner_entities_organization_id"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["schools.id"], name=op.f("fk_partner_entities_school_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner_entities")),
    )
    with op.batch_alter_table("partner_entities", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_partner_entities_created_at_id"), ["created_at", "id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_partner_entities_last_activity_at_id"), ["last_activity_at", "id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_partner_entities_name_id"), ["name", "id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_partner_entities_organization_id_name"), ["organization_id", "name"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_partner_entities_school_id"), ["school_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_partner_entities_status_created_at_id"),
            ["status", "created_at", "id"],
            unique=False,
        )

    op.create_table(
        "saved_views",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("page", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("query", sa.String(length=2000), nullable=False),
        sa.Column("is_shared", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_users.id"], name=op.f("fk_saved_views_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
    )
    with op.batch_alter_table("saved_views", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_saved_views_page_staff_id"), ["page", "staff_id"], unique=False)

    op.create_table(
        "staff_recovery_codes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code_digest", sa.String(length=64), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff_users.id"], name=op.f("fk_staff_recovery_codes_staff_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_recovery_codes")),
        sa.UniqueConstraint("code_digest", name=op.f("uq_staff_recovery_codes_code_digest")),
    )
    with op.batch_alter_table("staff_recovery_codes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_staff_recovery_codes_staff_id"), ["staff_id"], unique=False)

    op.create_table(
        "entity_notes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entity_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["entity_id"], ["partner_entities.id"], name=op.f("fk_entity_notes_entity_id")
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_users.id"], name=op.f("fk_entity_notes_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entity_notes")),
    )
    with op.batch_alter_table("entity_notes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_entity_notes_entity_id_id"), ["entity_id", "id"], unique=False)

    op.create_table(
        "partner_affiliations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("partner_user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entity_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "principal",
                "salesperson",
                "technical",
                "finance",
                "viewer",
                name="partnerrole",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "permissions",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entity_id"], ["partner_entities.id"], name=op.f("fk_partner_affiliations_entity_id")
        ),
        sa.ForeignKeyConstraint(
            ["partner_user_id"], ["partner_users.id"], name=op.f("fk_partner_affiliations_partner_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner_affiliations")),
    )
    with op.batch_alter_table("partner_affiliations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_partner_affiliations_created_at"), ["created_at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_partner_affiliations_entity_id_role"), ["entity_id", "role"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_partner_affiliations_partner_user_id"), ["partner_user_id"], unique=False
        )
        batch_op.create_index(
            "uq_partner_affiliations_live",
            ["partner_user_id", "entity_id"],
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
            sqlite_where=sa.text("ended_at IS NULL"),
        )

    op.create_table(
        "partner_invitations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entity_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("email_canonical", sa.String(length=254), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "principal",
                "salesperson",
                "technical",
                "finance",
                "viewer",
                name="partnerrole",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("invitation_code", sa.String(length=16), nullable=False),
        sa.Column("url_digest", sa.String(length=64), nullable=False),
        sa.Column("url_secret", sa.String(length=255), nullable=False),
        sa.Column("invited_by", sa.String(length=200), nullable=False),
        sa.Column("invited_by_staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "invited_by_person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("locale", sa.String(length=16), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "accepted",
                "expired",
                "revoked",
                "superseded",
                name="invitationstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replaces_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'accepted') = (accepted_at IS NOT NULL)",
            name=op.f("ck_partner_invitations_accepted_at_iff_accepted"),
        ),
        sa.ForeignKeyConstraint(
            ["accepted_by_id"], ["partner_users.id"], name=op.f("fk_partner_invitations_accepted_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["entity_id"], ["partner_entities.id"], name=op.f("fk_partner_invitations_entity_id")
        ),
        sa.ForeignKeyConstraint(
            ["invited_by_person_id"],
            ["partner_users.id"],
            name=op.f("fk_partner_invitations_invited_by_person_id"),
        ),
        sa.ForeignKeyConstraint(
            ["invited_by_staff_id"],
            ["staff_users.id"],
            name=op.f("fk_partner_invitations_invited_by_staff_id"),
        ),
        sa.ForeignKeyConstraint(
            ["replaces_id"], ["partner_invitations.id"], name=op.f("fk_partner_invitations_replaces_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner_invitations")),
        sa.UniqueConstraint("invitation_code", name=op.f("uq_partner_invitations_invitation_code")),
        sa.UniqueConstraint("url_digest", name=op.f("uq_partner_invitations_url_digest")),
    )
    with op.batch_alter_table("partner_invitations", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_partner_invitations_accepted_by_id"), ["accepted_by_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_partner_invitations_created_at"), ["created_at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_partner_invitations_email_canonical"), ["email_canonical"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_partner_invitations_entity_id_id"), ["entity_id", "id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_partner_invitations_status_expires_at"), ["status", "expires_at"], unique=False
        )
        batch_op.create_index(
            "uq_partner_invitations_pending",
            ["entity_id", "email_canonical"],
            unique=True,
            postgresql_where=sa.text("status = 'pending'"),
            sqlite_where=sa.text("status = 'pending'"),
        )

    op.create_table(
        "sessions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("affiliation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("browser", sa.String(length=40), nullable=False),
        sa.Column("system", sa.String(length=40), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("second_factor_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_reason", sa.String(length=32), nullable=False),
        sa.CheckConstraint("(person_id IS NULL) <> (staff_id IS NULL)", name=op.f("ck_sessions_one_owner")),
        sa.ForeignKeyConstraint(
            ["affiliation_id"], ["partner_affiliations.id"], name=op.f("fk_sessions_affiliation_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["partner_users.id"], name=op.f("fk_sessions_person_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_users.id"], name=op.f("fk_sessions_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_sessions_token_digest")),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_sessions_person_id_created_at"), ["person_id", "created_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_sessions_staff_id_created_at"), ["staff_id", "created_at"], unique=False
        )

    op.create_table(
        "sign_in_requests",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("email_canonical", sa.String(length=254), nullable=False),
        sa.Column("browser_digest", sa.String(length=64), nullable=False),
        sa.Column("invitation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("next_path", sa.String(length=500), nullable=False),
        sa.Column("code_tries", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=300), nullable=False),
        sa.Column("request_id", sa.String(length=32), nullable=False),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["invitation_id"], ["partner_invitations.id"], name=op.f("fk_sign_in_requests_invitation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_requests")),
    )
    with op.batch_alter_table("sign_in_requests", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_sign_in_requests_browser_digest"), ["browser_digest"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_sign_in_requests_created_at"), ["created_at"], unique=False)
        batch_op.create_index(
            "ix_sign_in_requests_waiting",
            ["id"],
            unique=False,
            postgresql_where=sa.text("handled_at IS NULL"),
            sqlite_where=sa.text("handled_at IS NULL"),
        )

    op.create_table(
        "mails",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("verb", sa.String(length=60), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("email_canonical", sa.String(length=254), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("entity_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("invitation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("sign_in_request_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "facts",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("message_id", sa.String(length=200), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "queued",
                "sending",
                "sent",
                "failed",
                name="mailstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["entity_id"], ["partner_entities.id"], name=op.f("fk_mails_entity_id")),
        sa.ForeignKeyConstraint(
            ["invitation_id"], ["partner_invitations.id"], name=op.f("fk_mails_invitation_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["partner_users.id"], name=op.f("fk_mails_person_id")),
        sa.ForeignKeyConstraint(
            ["sign_in_request_id"], ["sign_in_requests.id"], name=op.f("fk_mails_sign_in_request_id")
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_users.id"], name=op.f("fk_mails_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
    )
    with op.batch_alter_table("mails", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mails_created_at"), ["created_at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_mails_email_canonical_id"), ["email_canonical", "id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_mails_entity_id"), ["entity_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_mails_invitation_id"), ["invitation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_mails_person_id"), ["person_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_mails_status_id"), ["status", "id"], unique=False)
        batch_op.create_index(
            "ix_mails_waiting",
            ["due_at"],
            unique=False,
            postgresql_where=sa.text("status IN ('queued', 'sending')"),
            sqlite_where=sa.text("status IN ('queued', 'sending')"),
        )

    op.create_table(
        "sign_in_links",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column(
            "purpose",
            sa.Enum(
                "sign_in",
                "invitation",
                "email_change",
                name="linkpurpose",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("invitation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("sign_in_request_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("mail_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("email_canonical", sa.String(length=254), nullable=False),
        sa.Column("person_epoch", sa.Integer(), nullable=True),
        sa.Column("code_digest", sa.String(length=64), nullable=True),
        sa.Column("code_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_reason", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["invitation_id"], ["partner_invitations.id"], name=op.f("fk_sign_in_links_invitation_id")
        ),
        sa.ForeignKeyConstraint(["mail_id"], ["mails.id"], name=op.f("fk_sign_in_links_mail_id")),
        sa.ForeignKeyConstraint(["person_id"], ["partner_users.id"], name=op.f("fk_sign_in_links_person_id")),
        sa.ForeignKeyConstraint(
            ["sign_in_request_id"], ["sign_in_requests.id"], name=op.f("fk_sign_in_links_sign_in_request_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_links")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_sign_in_links_token_digest")),
    )
    with op.batch_alter_table("sign_in_links", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sign_in_links_invitation_id"), ["invitation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_sign_in_links_mail_id"), ["mail_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_sign_in_links_person_id"), ["person_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_sign_in_links_sign_in_request_id"), ["sign_in_request_id"], unique=False
        )

    op.create_table(
        "staff_links",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("mail_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["mail_id"], ["mails.id"], name=op.f("fk_staff_links_mail_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_users.id"], name=op.f("fk_staff_links_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_links")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_staff_links_token_digest")),
    )
    with op.batch_alter_table("staff_links", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_staff_links_mail_id"), ["mail_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_staff_links_staff_id"), ["staff_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("staff_links", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_staff_links_staff_id"))
        batch_op.drop_index(batch_op.f("ix_staff_links_mail_id"))

    op.drop_table("staff_links")
    with op.batch_alter_table("sign_in_links", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sign_in_links_sign_in_request_id"))
        batch_op.drop_index(batch_op.f("ix_sign_in_links_person_id"))
        batch_op.drop_index(batch_op.f("ix_sign_in_links_mail_id"))
        batch_op.drop_index(batch_op.f("ix_sign_in_links_invitation_id"))

    op.drop_table("sign_in_links")
    with op.batch_alter_table("mails", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_mails_waiting",
            postgresql_where=sa.text("status IN ('queued', 'sending')"),
            sqlite_where=sa.text("status IN ('queued', 'sending')"),
        )
        batch_op.drop_index(batch_op.f("ix_mails_status_id"))
        batch_op.drop_index(batch_op.f("ix_mails_person_id"))
        batch_op.drop_index(batch_op.f("ix_mails_invitation_id"))
        batch_op.drop_index(batch_op.f("ix_mails_entity_id"))
        batch_op.drop_index(batch_op.f("ix_mails_email_canonical_id"))
        batch_op.drop_index(batch_op.f("ix_mails_created_at"))

    op.drop_table("mails")
    with op.batch_alter_table("sign_in_requests", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_sign_in_requests_waiting",
            postgresql_where=sa.text("handled_at IS NULL"),
            sqlite_where=sa.text("handled_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_sign_in_requests_created_at"))
        batch_op.drop_index(batch_op.f("ix_sign_in_requests_browser_digest"))

    op.drop_table("sign_in_requests")
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sessions_staff_id_created_at"))
        batch_op.drop_index(batch_op.f("ix_sessions_person_id_created_at"))

    op.drop_table("sessions")
    with op.batch_alter_table("partner_invitations", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_partner_invitations_pending",
            postgresql_where=sa.text("status = 'pending'"),
            sqlite_where=sa.text("status = 'pending'"),
        )
        batch_op.drop_index(batch_op.f("ix_partner_invitations_status_expires_at"))
        batch_op.drop_index(batch_op.f("ix_partner_invitations_entity_id_id"))
        batch_op.drop_index(batch_op.f("ix_partner_invitations_email_canonical"))
        batch_op.drop_index(batch_op.f("ix_partner_invitations_created_at"))
        batch_op.drop_index(batch_op.f("ix_partner_invitations_accepted_by_id"))

    op.drop_table("partner_invitations")
    with op.batch_alter_table("partner_affiliations", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_partner_affiliations_live",
            postgresql_where=sa.text("ended_at IS NULL"),
            sqlite_where=sa.text("ended_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_partner_affiliations_partner_user_id"))
        batch_op.drop_index(batch_op.f("ix_partner_affiliations_entity_id_role"))
        batch_op.drop_index(batch_op.f("ix_partner_affiliations_created_at"))

    op.drop_table("partner_affiliations")
    with op.batch_alter_table("entity_notes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_entity_notes_entity_id_id"))

    op.drop_table("entity_notes")
    with op.batch_alter_table("staff_recovery_codes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_staff_recovery_codes_staff_id"))

    op.drop_table("staff_recovery_codes")
    with op.batch_alter_table("saved_views", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_saved_views_page_staff_id"))

    op.drop_table("saved_views")
    with op.batch_alter_table("partner_entities", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_partner_entities_status_created_at_id"))
        batch_op.drop_index(batch_op.f("ix_partner_entities_school_id"))
        batch_op.drop_index(batch_op.f("ix_partner_entities_organization_id_name"))
        batch_op.drop_index(batch_op.f("ix_partner_entities_name_id"))
        batch_op.drop_index(batch_op.f("ix_partner_entities_last_activity_at_id"))
        batch_op.drop_index(batch_op.f("ix_partner_entities_created_at_id"))

    op.drop_table("partner_entities")
    with op.batch_alter_table("auth_events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_auth_events_staff_id"))
        batch_op.drop_index(batch_op.f("ix_auth_events_person_id_id"))
        batch_op.drop_index(batch_op.f("ix_auth_events_email_canonical_id"))
        batch_op.drop_index(batch_op.f("ix_auth_events_created_at_id"))

    op.drop_table("auth_events")
    with op.batch_alter_table("staff_users", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_staff_users_created_at"))

    op.drop_table("staff_users")
    with op.batch_alter_table("schools", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_schools_name_key"))
        batch_op.drop_index(batch_op.f("ix_schools_name"))
        batch_op.drop_index(batch_op.f("ix_schools_created_at"))

    op.drop_table("schools")
    with op.batch_alter_table("rate_counts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rate_counts_window_ends_at"))

    op.drop_table("rate_counts")
    with op.batch_alter_table("partner_users", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_partner_users_full_name"))
        batch_op.drop_index(batch_op.f("ix_partner_users_created_at"))

    op.drop_table("partner_users")
    with op.batch_alter_table("partner_organizations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_partner_organizations_name_key"))
        batch_op.drop_index(batch_op.f("ix_partner_organizations_name"))
        batch_op.drop_index(batch_op.f("ix_partner_organizations_domain"))
        batch_op.drop_index(batch_op.f("ix_partner_organizations_created_at"))

    op.drop_table("partner_organizations")
    op.drop_table("job_runs")
    with op.batch_alter_table("form_submissions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_form_submissions_created_at"))

    op.drop_table("form_submissions")
    op.drop_table("companies")
    op.drop_table("audit_head")
    with op.batch_alter_table("audit_events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_events_verb_id"))
        batch_op.drop_index(batch_op.f("ix_audit_events_subject_table_subject_id_id"))
        batch_op.drop_index(batch_op.f("ix_audit_events_person_id_id"))
        batch_op.drop_index(batch_op.f("ix_audit_events_entity_id_id"))
        batch_op.drop_index(batch_op.f("ix_audit_events_created_at_id"))
        batch_op.drop_index(batch_op.f("ix_audit_events_actor_kind_actor_id_id"))

    op.drop_table("audit_events")
