"""What staff type about partners: a new one, its details, invitations, contacts, and reasons."""

from collections.abc import Iterable
from typing import Any

from wtforms import (
    BooleanField,
    EmailField,
    Field,
    IntegerField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from forms.base import Form, OnceForm
from forms.people import ROLE_LABELS, RoleForm
from models import DealVisibility, PartnerRole
from permissions import PARTNER_GRANTS, Permission
from services.emails import canonical_email
from services.errors import Refusal
from services.names import ENTITY_KIND_WORDS, KIND_WORDS

#: What a permission lets somebody do, as a label.
PERMISSION_LABELS: dict[Permission, str] = {
    Permission.VIEW_DASHBOARD: "Open the dashboard",
    Permission.VIEW_DEALS: "See deals",
    Permission.VIEW_AMOUNTS: "See amounts",
    Permission.SUBMIT_DEALS: "Submit deals",
    Permission.VIEW_DOCUMENTS: "Open documents",
    Permission.VIEW_QUESTIONS: "See questions",
    Permission.ASK_QUESTIONS: "Ask questions",
    Permission.TAKE_TRAINING: "Take training",
    Permission.VIEW_ANALYTICS: "See analytics",
    Permission.VIEW_TEAM: "See the team",
    Permission.MANAGE_TEAM: "Manage the team",
    Permission.EDIT_ENTITY: "Edit the public profile",
    Permission.OPEN_TICKETS: "Ask support",
}
_UNTYPED = {"autocomplete": "off", "spellcheck": "false"}


def _choices(words: dict[Any, str], empty: str = "") -> list[SelectChoice]:
    first = [SelectChoice("", empty)] if empty else []
    return [*first, *(SelectChoice(kind.value, word) for kind, word in words.items())]


def _days() -> IntegerField:
    return IntegerField(
        "Works for how many days",
        default=7,
        validators=[
            InputRequired("Enter for how many days the invitation works"),
            NumberRange(1, 60, "The days must be a number from 1 to 60"),
        ],
        render_kw={"inputmode": "numeric", "min": 1, "max": 60},
    )


class IdField(StringField):
    """The number of a row that was found by search; `text` holds the words typed beside it."""

    def __init__(self, *args: Any, is_optional: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.text = ""
        self.flags.optional = is_optional

    def process_formdata(self, valuelist: list[Any]) -> None:
        # The radio that was chosen comes after the hidden field that it replaces.
        self.data = valuelist[-1].strip() if valuelist else ""

    @property
    def number(self) -> int | None:
        """The number, or None where there is none that could be a row's."""
        text = self.data or ""
        return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 19 else None


class WithSearch:
    """Mixin: reads the words that were typed into its searching fields, `<name>_text`."""

    def validate_school_id(self, field: "IdField") -> None:
        """Words alone name no school: one has to be chosen. No words, no school."""
        if field.text and field.number is None:
            raise ValidationError("Select a school from the list")
        if not field.text:
            field.data = ""

    def read_texts(self, formdata: Any) -> None:
        """Keep what was typed beside each number."""
        for field in self:  # type: ignore[attr-defined]
            if isinstance(field, IdField):
                field.text = (formdata.get(f"{field.name}_text") or "").replace("\x00", "").strip()[:200]


def check_address(_form: Form, field: Field) -> None:
    """The address is one that could sign in, told with the form's other problems."""
    try:
        canonical_email(field.data or "")
    except Refusal as refusal:
        raise ValidationError(str(refusal.text)) from refusal


class NewPartnerForm(WithSearch, OnceForm):
    """An organization, its first entity, and perhaps its first administrator: one page, one change."""

    organization_id = IdField(
        "Organization name",
        description="Type the name. If it is in the list already, choose it there",
    )
    is_separate = BooleanField("It is a different organization with a similar name")
    organization_kind = SelectField(
        "Organization type", choices=_choices(KIND_WORDS, "Select a type"), default=""
    )
    organization_domain = StringField(
        "Website domain",
        description="Helps to find the organization again, like unl.edu",
        validators=[Optional(), Length(max=253, message="Website domain must be 253 characters or fewer")],
        render_kw={**_UNTYPED, "inputmode": "url"},
    )
    entity_name = StringField(
        "Entity name",
        description="A department, program or office, like Admissions Office",
        validators=[
            InputRequired("Enter the name of the entity"),
            Length(max=200, message="Entity name must be 200 characters or fewer"),
        ],
        render_kw={"autocomplete": "off"},
    )
    entity_kind = SelectField(
        "Entity type",
        choices=_choices(ENTITY_KIND_WORDS, "Select a type"),
        validators=[InputRequired("Select the type of the entity")],
    )
    school_id = IdField("Link to school", description="Search by name, city or code", is_optional=True)
    admin_email = EmailField(
        "Work email address",
        description="The address they will sign in with",
        validators=[
            Optional(),
            Length(max=254, message="Work email address must be 254 characters or fewer"),
            check_address,
        ],
        render_kw={**_UNTYPED, "inputmode": "email"},
    )
    admin_role = SelectField("Role", default=PartnerRole.PRINCIPAL.value)
    days = _days()
    send = BooleanField("Email the invitation now", default=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.admin_role.choices = [SelectChoice(role.value, str(word)) for role, word in ROLE_LABELS.items()]

    def leave_out_administrator(self) -> None:
        """Without what invites somebody, for those who may not."""
        for name in ("admin_email", "admin_role", "days", "send"):
            delattr(self, name)

    @property
    def body(self) -> str:
        """With the words typed: an organization that is new has no number."""
        return f"{super().body} {self.organization_id.text} {self.school_id.text}"


class OrganizationForm(Form):
    """What an organization is called and is."""

    version = IntegerField(validators=[InputRequired()])
    name = StringField(
        "Name",
        validators=[
            InputRequired("Enter the name of the organization"),
            Length(max=200, message="Name must be 200 characters or fewer"),
        ],
        render_kw={"autocomplete": "off"},
    )
    kind = SelectField("Type", choices=_choices(KIND_WORDS))
    domain = StringField(
        "Website domain",
        description="Like unl.edu",
        validators=[Optional(), Length(max=253, message="Website domain must be 253 characters or fewer")],
        render_kw={**_UNTYPED, "inputmode": "url"},
    )


class EntityForm(WithSearch, Form):
    """What an entity is called and is, and what the app shows of it."""

    version = IntegerField(validators=[InputRequired()])
    name = StringField(
        "Name",
        validators=[
            InputRequired("Enter the name of the entity"),
            Length(max=200, message="Name must be 200 characters or fewer"),
        ],
        render_kw={"autocomplete": "off"},
    )
    kind = SelectField("Type", choices=_choices(ENTITY_KIND_WORDS))
    school_id = IdField("Link to school", description="Search by name, city or code", is_optional=True)
    show_in_app = BooleanField("Show to students in the app")
    deal_visibility = RadioField(
        "Salespeople see",
        choices=[
            SelectChoice(DealVisibility.OWN.value, "Their own deals"),
            SelectChoice(DealVisibility.ENTITY.value, "Every deal of the entity"),
        ],
    )
    description = TextAreaField(
        "Description",
        validators=[Optional(), Length(max=4000, message="Description must be 4,000 characters or fewer")],
        render_kw={"rows": 4},
    )
    website = StringField(
        "Website",
        validators=[Optional(), Length(max=500, message="Website must be 500 characters or fewer")],
        render_kw={**_UNTYPED, "inputmode": "url"},
    )
    address = TextAreaField(
        "Postal address",
        validators=[Optional(), Length(max=500, message="Postal address must be 500 characters or fewer")],
        render_kw={"rows": 3, "autocomplete": "off"},
    )


class NoteForm(OnceForm):
    """Something to remember about a partner."""

    text = TextAreaField(
        "Add a note",
        validators=[
            InputRequired("Write the note first"),
            Length(max=5000, message="A note must be 5,000 characters or fewer"),
        ],
        render_kw={"rows": 2},
    )


class CodeForm(OnceForm, RoleForm):
    """Whom to invite, as what, for how long, and whether the mail goes out now."""

    email = EmailField(
        "Work email address",
        description="Must be the address they will sign in with",
        validators=[
            InputRequired("Enter the person's work email address"),
            Length(max=254, message="Work email address must be 254 characters or fewer"),
            check_address,
        ],
        render_kw={**_UNTYPED, "inputmode": "email"},
    )
    role = RadioField("Role", validators=[InputRequired("Select a role")])
    days = _days()
    send = BooleanField("Email the invitation now", default=True)


class RenewForm(OnceForm):
    """How long a renewed invitation works."""

    days = _days()


class ReasonForm(Form):
    """Why: written into the history."""

    reason = TextAreaField(
        "Reason",
        description="Goes into the history; partners do not see it",
        validators=[
            InputRequired("Enter the reason"),
            Length(max=500, message="The reason must be 500 characters or fewer"),
        ],
        render_kw={"rows": 3},
    )


class ContactReasonForm(ReasonForm):
    """Why a contact is changed; support also says on which ticket and that they know who asked."""

    ticket = StringField(
        "Ticket",
        description="Its number, like 1042",
        validators=[
            InputRequired("Enter the ticket's number"),
            Length(max=40, message="Ticket must be 40 characters or fewer"),
        ],
        render_kw=_UNTYPED,
    )
    identity_verified = BooleanField(
        "I have verified who asked for this", validators=[InputRequired("Verify first who is asking")]
    )

    def ask_for_proof(self, wanted: bool) -> None:
        """Ask for ticket and identity from those who need them, of nobody else."""
        if not wanted:
            del self.ticket
            del self.identity_verified

    @property
    def proof(self) -> dict[str, Any]:
        """Reason, ticket and identity as the services take them."""
        return {
            "reason": self.reason.data,
            "ticket": self.ticket.data if self.ticket else "",
            "identity_verified": bool(self.identity_verified and self.identity_verified.data),
        }

    @property
    def whole_reason(self) -> str:
        """The reason with its ticket, where a service takes one text."""
        return f"{self.reason.data} (ticket {self.ticket.data})" if self.ticket else str(self.reason.data)


class ContactRoleForm(ContactReasonForm, RoleForm):
    """Another role for a contact."""

    role = RadioField("Role", validators=[InputRequired("Select a role")])


class ContactOverridesForm(ContactReasonForm):
    """What a contact may beyond their role, or short of it."""

    version = IntegerField(validators=[InputRequired()])

    #: The fields made for each permission begin with this.
    OVERRIDE = "may_"

    @classmethod
    def of(cls, permissions: Iterable[Permission]) -> type["ContactOverridesForm"]:
        """The form with one choice for each permission: as the role, always, or never."""
        fields = {
            f"{cls.OVERRIDE}{permission.value}": SelectField(
                PERMISSION_LABELS[permission],
                choices=[
                    SelectChoice("", "As the role"),
                    SelectChoice("yes", "Always"),
                    SelectChoice("no", "Never"),
                ],
                default="",
                validators=[Optional()],
            )
            for permission in permissions
        }
        return type(cls.__name__, (cls,), fields)

    def read(self, overrides: dict[str, Any]) -> None:
        """Show the overrides as the contact has them now."""
        for field in self.override_fields:
            given = overrides.get(self.permission_of(field))
            field.data = "" if given is None else "yes" if given else "no"

    def permission_of(self, field: Field) -> str:
        """The permission that a field is about."""
        return str(field.name).removeprefix(self.OVERRIDE)

    @property
    def override_fields(self) -> list[Field]:
        """The choices for single permissions, in the table's order."""
        return [field for name, field in self._fields.items() if name.startswith(self.OVERRIDE)]

    @property
    def overrides(self) -> dict[str, bool]:
        """What was chosen, as the affiliation keeps it."""
        return {
            self.permission_of(field): field.data == "yes"
            for field in self.override_fields
            if field.data in {"yes", "no"}
        }


#: Permissions that can be given or taken one by one, in the order of the roles' table.
OVERRIDABLE = tuple(PARTNER_GRANTS[PartnerRole.PRINCIPAL])
