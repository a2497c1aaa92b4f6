"""What people type to come in: an address, the code from the mail, an invitation's code."""

from wtforms import EmailField, HiddenField, StringField
from wtforms.validators import DataRequired, Length, Regexp

from forms.base import Form
from language import _l

#: Longer than any address, so that what is no address gets the same answer as one we do not know.
LONGEST_INPUT = 320


def _without_gaps(text: str | None) -> str | None:
    """Digits as they were read from a mail: spaces, dashes and dots between them do not count."""
    return "".join(text.split()).replace("-", "").replace(".", "") if text else text


class AddressForm(Form):
    """An address: where to send a sign-in link, or the one that an invitation was made for."""

    email = EmailField(
        _l("Work email address"),
        validators=[
            DataRequired(_l("Enter your work email address")),
            Length(max=LONGEST_INPUT, message=_l("Work email address must be 254 characters or fewer")),
        ],
        render_kw={"autocomplete": "email", "inputmode": "email", "spellcheck": "false"},
    )


class AskForm(AddressForm):
    """Where to send a sign-in link, and where to go on to after it."""

    next = HiddenField()


class CodeForm(Form):
    """The eight digits from the mail, in the browser that asked for it."""

    code = StringField(
        _l("8-digit code"),
        filters=[_without_gaps],
        validators=[
            DataRequired(_l("Enter the code from the email")),
            Regexp(r"^[0-9]{8}$", message=_l("The code has 8 digits, like 1234 5678")),
        ],
        render_kw={
            "autocomplete": "one-time-code",
            "inputmode": "numeric",
            "maxlength": 16,
            "spellcheck": "false",
        },
    )


class InvitationCodeForm(AddressForm):
    """An invitation's code as it was read out on a call, and the address it was made for."""

    code = StringField(
        _l("Invitation code"),
        validators=[
            DataRequired(_l("Enter the invitation code")),
            Length(max=40, message=_l("The code has 5 characters after INV-")),
        ],
        render_kw={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"},
    )
