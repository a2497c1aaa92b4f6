"""What operations types about our own brand."""

from wtforms import EmailField, FileField, HiddenField, SelectField, StringField
from wtforms.validators import InputRequired, Length

from forms.base import Form


class BrandForm(Form):
    """Names, colour, support address and time zone of the company."""

    version = HiddenField()
    name = StringField(
        "Organization",
        validators=[
            InputRequired("Enter the name of your organization"),
            Length(max=200, message="Organization must be 200 characters or fewer"),
        ],
        description="Your name in emails and invitations",
    )
    portal_name = StringField(
        "Name of the portal",
        validators=[
            InputRequired("Enter the name of the portal"),
            Length(max=200, message="Name of the portal must be 200 characters or fewer"),
        ],
        description="Partners read it on every page where there is no logo",
    )
    brand_colour = StringField(
        "Colour",
        validators=[
            InputRequired("Enter a colour, like #2b59c3"),
            Length(max=20, message="Colour must be written like #2b59c3"),
        ],
        description="Buttons, links and the line on top, like #2b59c3",
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )
    support_email = EmailField(
        "Support address",
        validators=[
            InputRequired("Enter the address that partners write to for help"),
            Length(max=254, message="Support address must be 254 characters or fewer"),
        ],
        description="Partners see it below every page and in every email",
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )
    time_zone = SelectField(
        "Time zone",
        description="For everybody who has not chosen their own",
        validators=[InputRequired("Select a time zone")],
    )


class LogoForm(Form):
    """A picture file."""

    logo = FileField(
        "Logo",
        description="PNG, JPEG or WebP, up to 1 MB and 2000 × 2000 pixels",
        render_kw={"accept": "image/png,image/jpeg,image/webp"},
    )
