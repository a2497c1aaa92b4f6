"""What staff type to come in, and about themselves and each other."""

from wtforms import (
    BooleanField,
    EmailField,
    HiddenField,
    PasswordField,
    RadioField,
    SelectChoice,
    SelectField,
    StringField,
)
from wtforms.validators import InputRequired, Length, Optional

from forms.base import Form
from models import StaffRole

LONGEST_INPUT = 320  #: characters of what should be an address
LONGEST_PASSWORD = 4096  #: characters that are read at all

#: What each role is for, in words.
ROLE_LABELS: dict[StaffRole, str] = {
    StaffRole.ADMIN: "Administrator",
    StaffRole.OPERATIONS: "Operations",
    StaffRole.SUPPORT: "Support",
    StaffRole.CONTENT: "Content",
    StaffRole.AUDITOR: "Auditor",
}
ROLE_HINTS: dict[str, str] = {
    "admin": "Can do everything here, also manage staff and check the audit log",
    "operations": "Onboards partners, invites, edits records and the brand, reads the audit log",
    "support": "Helps partners: renews invitations, changes roles with a reason, reads emails",
    "content": "Sees the home page; documents, training and pages when they arrive",
    "auditor": "Reads partners, emails, staff and the audit log, and changes nothing",
}
ROLE_CHOICES = [SelectChoice(value=role.value, label=label) for role, label in ROLE_LABELS.items()]


class SignInForm(Form):
    """Email and password, and where to go on to."""

    email = EmailField(
        "Email address",
        validators=[
            InputRequired("Enter your email address"),
            Length(max=LONGEST_INPUT, message="Email address must be 254 characters or fewer"),
        ],
        render_kw={"autocomplete": "username", "spellcheck": "false"},
    )
    password = PasswordField(
        "Password",
        validators=[
            InputRequired("Enter your password"),
            Length(max=LONGEST_PASSWORD, message="Password must have 256 characters or fewer"),
        ],
        render_kw={"autocomplete": "current-password"},
    )
    next = HiddenField()


class CodeForm(Form):
    """The six digits that the authenticator app shows."""

    code = StringField(
        "6-digit code",
        validators=[
            InputRequired("Enter the code that your app shows"),
            Length(max=20, message="The code has 6 digits, like 123 456"),
        ],
        render_kw={"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"},
    )
    next = HiddenField()


class RecoveryForm(Form):
    """One of the ten codes for when the app is gone."""

    code = StringField(
        "Recovery code",
        validators=[
            InputRequired("Enter one of your recovery codes"),
            Length(max=40, message="A recovery code has 16 characters"),
        ],
        render_kw={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"},
    )
    next = HiddenField()


class AgainForm(Form):
    """Password and code once more, before something that matters."""

    password = SignInForm.password
    code = StringField(
        "6-digit code",
        validators=[Optional(), Length(max=20, message="The code has 6 digits, like 123 456")],
        render_kw={"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"},
    )
    next = HiddenField()


class AskPasswordForm(Form):
    """Where to send the link for a new password."""

    email = SignInForm.email


class ChoosePasswordForm(Form):
    """A password, seen by nobody else."""

    password = PasswordField(
        "New password",
        validators=[
            InputRequired("Enter a password"),
            Length(max=LONGEST_PASSWORD, message="Password must have 256 characters or fewer"),
        ],
        render_kw={"autocomplete": "new-password"},
    )


class SetupForm(Form):
    """The first code of a new second factor."""

    state = HiddenField()
    code = CodeForm.code


class PreferencesForm(Form):
    """How the desk looks to oneself."""

    time_zone = SelectField("Time zone", validators=[Optional()])
    has_letter_keys = BooleanField("Single letters are shortcuts, like n for new")


class StaffForm(Form):
    """Name and role of a colleague."""

    version = HiddenField()
    full_name = StringField(
        "Full name",
        validators=[
            InputRequired("Enter the full name"),
            Length(max=200, message="Full name must be 200 characters or fewer"),
        ],
        render_kw={"autocomplete": "off"},
    )
    role = RadioField("Role", choices=ROLE_CHOICES, validators=[InputRequired("Select a role")])


class NewStaffForm(StaffForm):
    """A colleague who gets an account, and a link to choose a password."""

    email = EmailField(
        "Email address",
        validators=[
            InputRequired("Enter the email address"),
            Length(max=LONGEST_INPUT, message="Email address must be 254 characters or fewer"),
        ],
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )


class ReasonForm(Form):
    """Why something is done to somebody's account."""

    reason = StringField(
        "Reason",
        validators=[
            InputRequired("Enter the reason"),
            Length(max=500, message="Reason must be 500 characters or fewer"),
        ],
        render_kw={"autocomplete": "off"},
    )
