"""What people type about themselves, their partner and their team; and what each role may, in words."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from babel import Locale
from babel.core import get_global
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
from wtforms.validators import DataRequired, Length, Optional

from forms.base import Form, OnceForm
from language import TIME_ZONES, LazyString, _, _l, listed, locales
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

#: What the role lets somebody see, and by scope where it matters how far; then what they may do.
_SEES: dict[Permission, LazyString | dict[Scope, LazyString]] = {
    P.VIEW_DEALS: {
        Scope.ENTITY: _l("every deal"),
        Scope.OWN: _l("their own deals"),
        Scope.STATUS_ONLY: _l("where deals stand"),
    },
    P.VIEW_AMOUNTS: _l("amounts"),
    P.VIEW_DOCUMENTS: _l("documents"),
    P.VIEW_QUESTIONS: {Scope.ENTITY: _l("every question"), Scope.OWN: _l("their own questions")},
    P.VIEW_ANALYTICS: _l("analytics"),
    P.VIEW_TEAM: _l("the team"),
}
_DOES: dict[Permission, LazyString] = {
    P.SUBMIT_DEALS: _l("submit deals"),
    P.ASK_QUESTIONS: _l("ask questions"),
    P.TAKE_TRAINING: _l("take training"),
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
    """Everything that the role may see and do, in two sentences made from the table that decides it."""
    granted = PARTNER_GRANTS[role]
    seen = [_seen(permission, scope) for permission, scope in granted.items() if permission in _SEES]
    done = [str(_DOES[permission]) for permission in granted if permission in _DOES]
    return " ".join(
        sentence
        for sentence in (
            _("Sees %(what)s.", what=listed(seen)) if seen else "",
            _("Can %(what)s.", what=listed(done)) if done else "",
        )
        if sentence
    )


def _seen(permission: Permission, scope: Scope) -> str:
    said = _SEES[permission]
    return str(said.get(scope, said[Scope.ENTITY]) if isinstance(said, dict) else said)


def wording(permission: Permission) -> str:
    """The permission as it reads after "can": "see the team", "manage the team"."""
    if permission in _SEES:
        return _("see %(what)s", what=_seen(permission, Scope.ENTITY))
    return str(_DOES[permission]) if permission in _DOES else _("open this page")


def cannot(role: PartnerRole) -> str:
    """What somebody might expect of the role and which it has not; "" where there is none."""
    missing = [str(words) for permission, words in _MISSED.items() if permission not in PARTNER_GRANTS[role]]
    return _("Cannot %(what)s.", what=listed(missing, "or")) if missing else ""


def chips(overrides: Mapping[str, Any]) -> list[dict[str, str]]:
    """What an affiliation adds to its role or takes away, each as a word and a tone for a badge."""
    if overrides.get("all") is True:
        return [{"label": _("can do everything"), "tone": "info"}]
    found = []
    for permission in (*_SEES, *_DOES):
        granted = overrides.get(permission.value)
        if isinstance(granted, bool):
            what = wording(permission)
            label = _("can %(what)s", what=what) if granted else _("cannot %(what)s", what=what)
            found.append({"label": label, "tone": "info" if granted else "warn"})
    return found


# MARK: Oneself


@cache
def _zones() -> dict[str, list[str]]:
    """The zones that people live in, by continent, each under its newest name alone.

    Counties and provinces ("America/Indiana/Knox") are left out, which have kept a larger city's time for
    years: they would be a tenth of the page. Who has one already keeps it.
    """
    found: dict[str, list[str]] = {}
    for name in sorted(TIME_ZONES & get_global("zone_territories").keys()):
        continent, _slash, place = name.partition("/")
        if place and continent in _CONTINENTS and ("/" not in place or name in _CAPITALS):
            found.setdefault(continent, []).append(name)
    return found


#: The one of its provinces' zones that stands for the country.
_CAPITALS = {"America/Argentina/Buenos_Aires", "America/Indiana/Indianapolis", "America/Kentucky/Louisville"}
_CONTINENTS = ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


def zone_choices(company_zone: str, own: str | None) -> dict[str, list[tuple[str, str]]]:
    """Every time zone by continent, with the company's in front for who does not care, and one's own."""
    usual = [("", _("Same as the company: %(zone)s", zone=_place(company_zone))), ("UTC", "UTC")]
    if own and own != "UTC" and not any(own in names for names in _zones().values()):
        usual.append((own, _place(own)))
    choices = {_("Usual"): usual}
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
            DataRequired(_l("Enter your full name")),
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
    locale = SelectField(_l("Language"), validators=[Optional()])

    def offer_languages(self) -> None:
        """Let the languages that the portal speaks be chosen; no question where there is but one."""
        if len(locales()) == 1:
            del self.locale
            return
        named = [(name, Locale.parse(name).get_display_name(name) or name) for name in locales()]
        self.locale.choices = [("", _("Same as the browser")), *named]


class EntityProfileForm(Form):
    """What students and other visitors read about a partner."""

    description = TextAreaField(
        _l("Description"),
        validators=[
            DataRequired(_l("Enter a description")),
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

    role = RadioField(_l("Role"), validators=[DataRequired(_l("Select a role"))])

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
            DataRequired(_l("Enter the person's work email address")),
            Length(max=254, message=_l("Work email address must be 254 characters or fewer")),
        ],
        render_kw={"autocomplete": "off", "inputmode": "email", "spellcheck": "false"},
    )
    role = RadioField(_l("Role"), validators=[DataRequired(_l("Select a role"))])
