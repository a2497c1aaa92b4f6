"""What people type about themselves, their partner and their team; and what each role may, in words."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from wtforms import (
    BooleanField,
    EmailField,
    RadioField,
    SelectField,
    StringField,
    TelField,
    TextAreaField,
    URLField,
)
from wtforms.validators import InputRequired, Length, Optional

from forms.base import Form, OnceForm
from language import TIME_ZONES, LazyString, _, _l, listed
from models import PartnerRole
from permissions import PARTNER_GRANTS, Permission, Scope

P = Permission

# MARK: Roles in words

ROLE_LABELS: dict[PartnerRole, LazyString] = {
    PartnerRole.PRINCIPAL: _l("Principal"),
    PartnerRole.SALESPERSON: _l("Salesperson"),
    PartnerRole.TECHNICAL: _l("Technical"),
    PartnerRole.FINANCE: _l("Finance"),
    PartnerRole.VIEWER: _l("Viewer"),
}

#: How a permission reads after "can"; where how far it reaches matters, by scope.
_WORDS: dict[Permission, LazyString | dict[Scope, LazyString]] = {
    P.VIEW_DEALS: {
        Scope.ENTITY: _l("see every deal"),
        Scope.OWN: _l("see their own deals"),
        Scope.STATUS_ONLY: _l("see where deals stand"),
    },
    P.VIEW_AMOUNTS: _l("see amounts"),
    P.SUBMIT_DEALS: _l("submit deals"),
    P.VIEW_DOCUMENTS: _l("open documents"),
    P.VIEW_QUESTIONS: {
        Scope.ENTITY: _l("see every question"),
        Scope.OWN: _l("see their own questions"),
    },
    P.ASK_QUESTIONS: _l("ask questions"),
    P.TAKE_TRAINING: _l("take training"),
    P.VIEW_ANALYTICS: _l("see analytics"),
    P.VIEW_TEAM: _l("see the team"),
    P.MANAGE_TEAM: _l("manage the team"),
    P.EDIT_ENTITY: _l("edit the public profile"),
    P.OPEN_TICKETS: _l("ask support"),
}
#: What people expect of a role and ask about when it is not there.
_MISSED = {
    P.VIEW_AMOUNTS: _l("see amounts"),
    P.SUBMIT_DEALS: _l("submit deals"),
    P.MANAGE_TEAM: _l("manage the team"),
}


def can(role: PartnerRole) -> str:
    """Everything that the role may do, as one sentence made from the table that decides it."""
    return _("Can %(what)s.", what=listed(_granted_words(role)))


def cannot(role: PartnerRole) -> str:
    """What somebody might expect of the role and which it has not; "" where there is none."""
    missing = [str(words) for permission, words in _MISSED.items() if permission not in PARTNER_GRANTS[role]]
    return _("Cannot %(what)s.", what=listed(missing, "or")) if missing else ""


def chips(overrides: Mapping[str, Any]) -> list[dict[str, str]]:
    """What an affiliation adds to its role or takes away, each as a word and a tone for a badge."""
    if overrides.get("all") is True:
        return [{"label": _("can do everything"), "tone": "info"}]
    found = []
    for permission, said in _WORDS.items():
        granted = overrides.get(permission.value)
        if not isinstance(granted, bool):
            continue
        words = said[Scope.ENTITY] if isinstance(said, dict) else said
        label = _("can %(what)s", what=words) if granted else _("cannot %(what)s", what=words)
        found.append({"label": label, "tone": "info" if granted else "warn"})
    return found


def _granted_words(role: PartnerRole) -> list[str]:
    words = []
    for permission, scope in PARTNER_GRANTS[role].items():
        said = _WORDS.get(permission)
        if isinstance(said, dict):
            said = said.get(scope)
        if said is not None:
            words.append(str(said))
    return words


# MARK: Oneself


@cache
def _zones() -> dict[str, list[str]]:
    """The zones that people live in, by continent."""
    found: dict[str, list[str]] = {}
    for name in sorted(TIME_ZONES):
        continent, _slash, place = name.partition("/")
        if place and continent in _CONTINENTS:
            found.setdefault(continent, []).append(name)
    return found


_CONTINENTS = ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


def zone_choices(company_zone: str) -> dict[str, list[tuple[str, str]]]:
    """Every time zone by continent, with the company's own in front for who does not care."""
    choices = {_("Usual"): [("", _("As %(zone)s", zone=_place(company_zone))), ("UTC", "UTC")]}
    for continent, names in _zones().items():
        choices[continent] = [(name, _place(name)) for name in names]
    return choices


def _place(zone: str) -> str:
    continent, slash, place = zone.partition("/")
    return (place if slash else continent).replace("_", " ").replace("/", ", ")


class ProfileForm(Form):
    """Who somebody is: name, title, phone, time zone."""

    full_name = StringField(
        _l("Full name"),
        validators=[
            InputRequired(_l("Enter your full name")),
            Length(max=200, message=_l("Full name must be 200 characters or fewer")),
        ],
        render_kw={"autocomplete": "name"},
    )
    title = StringField(
        _l("Job title"),
        validators=[
            Optional(),
            Length(max=200, message=_l("Job title must be 200 characters or fewer")),
        ],
        render_kw={"autocomplete": "organization-title"},
    )
    phone = TelField(
        _l("Phone"),
        validators=[Optional()],
        render_kw={"autocomplete": "tel", "maxlength": 60},
    )
    time_zone = SelectField(_l("Time zone"), validators=[Optional()])


class EntityProfileForm(Form):
    """What students and other visitors read about a partner."""

    description = TextAreaField(
        _l("Description"),
        validators=[
            InputRequired(_l("Enter a description")),
            Length(max=4000, message=_l("Description must be 4,000 characters or fewer")),
        ],
        render_kw={"rows": 5},
    )
    website = URLField(
        _l("Website"),
        validators=[Optional(), Length(max=500, message=_l("Website must be 500 characters or fewer"))],
        render_kw={"autocomplete": "url", "inputmode": "url", "spellcheck": "false"},
    )
    address = TextAreaField(
        _l("Postal address"),
        validators=[
            Optional(),
            Length(max=500, message=_l("Postal address must be 500 characters or fewer")),
        ],
        render_kw={"autocomplete": "street-address", "rows": 3},
    )
    show_in_app = BooleanField(_l("Show us to students in the app"))


# MARK: The team


class RoleForm(Form):
    """Another role for somebody of the team."""

    role = RadioField(_l("Role"), validators=[InputRequired(_l("Select a role"))])

    def offer(self, roles: Iterable[PartnerRole]) -> None:
        """Let only these roles be chosen."""
        self.role.choices = [(role.value, ROLE_LABELS[role]) for role in roles]

    @property
    def chosen(self) -> PartnerRole:
        """The role that was chosen, once the form is valid."""
        return PartnerRole(self.role.data)


class InviteForm(OnceForm, RoleForm):
    """Somebody to invite, and as what."""

    email = EmailField(
        _l("Work email address"),
        validators=[
            InputRequired(_l("Enter the person's work email address")),
            Length(max=254, message=_l("Work email address must be 254 characters or fewer")),
        ],
        render_kw={"autocomplete": "off", "inputmode": "email", "spellcheck": "false"},
    )
    role = RadioField(_l("Role"), validators=[InputRequired(_l("Select a role"))])
