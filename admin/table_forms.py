"""Forms for rows that are edited directly, made from the model's columns and nothing else.

Each field says as text what a browser would send for it (`raw`), so that what somebody read, what they
typed and what stands there now can be compared.
"""

import json
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import flask_babel
from sqlalchemy import DateTime, Enum, Text
from wtforms import (
    BooleanField,
    EmailField,
    Field,
    HiddenField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Optional, ValidationError

import language
from admin.filters import Suggested, read_id, spoken
from forms.base import Form
from forms.choices import LongSelectField
from language import TIME_ZONES, locales
from models import Base, Moment
from permissions import PARTNER_PERMISSIONS, Permission
from services.sentences import word

_ZONES = (("", "Same as the company"), *((zone, zone.replace("_", " ")) for zone in sorted(TIME_ZONES)))
#: Names that never stand in a form, a list, a page or an export, whatever a view asks for.
SECRETS = ("hash", "digest", "secret", "token", "epoch", "totp", "password", "code_tries")


class RecordForm(Form):
    """A row's editable columns, the version that was read, and what stood there then."""

    version = HiddenField()
    original = HiddenField()
    columns: ClassVar[tuple[str, ...]] = ()

    def values(self) -> dict[str, Any]:
        """The columns as services.records takes them."""
        return {name: self._fields[name].data for name in self.columns}

    def raw(self) -> dict[str, str]:
        """The columns as a browser sends them."""
        return {name: raw(self._fields[name]) for name in self.columns}

    def remember(self, row: Any) -> None:
        """Keep what the row says now, to tell later who changed what."""
        self.version.data = str(row.version)
        self.original.data = json.dumps(type(self)(obj=row).raw())

    def remembered(self) -> dict[str, str]:
        """What the row said when the form was opened; only ever compared, so junk does no harm."""
        try:
            found = json.loads(self.original.data or "{}")
        except ValueError:
            return {}
        if not isinstance(found, dict):
            return {}
        return {str(name): value for name, value in found.items() if isinstance(value, str)}

    @property
    def read_version(self) -> int:
        return read_id(str(self.version.data)) or 0

    def search(self) -> bool:
        """Look for the words typed for references that were not chosen; whether there are any."""
        fields = [field for field in self if isinstance(field, ReferenceField)]
        for field in fields:
            field.look()
        return any(field.choices is not None for field in fields)


def raw(field: Field) -> str:
    """The one text that stands for the field's value."""
    if isinstance(field, BooleanField):
        return "yes" if field.data else ""
    if isinstance(field, OverridesField):
        return json.dumps(field.data or {}, sort_keys=True)
    if isinstance(field, SelectField):
        return "" if field.data is None else str(getattr(field.data, "value", field.data))
    if isinstance(field, ReferenceField):
        return str(field.data or "")
    text = field._value()
    return str(text).replace("\r\n", "\n").strip()


# MARK: Fields


class MomentField(Field):
    """A day and time in the reader's zone, to the minute."""

    from wtforms.widgets import DateTimeLocalInput

    widget = DateTimeLocalInput()
    FORMAT = "%Y-%m-%dT%H:%M"

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return self.data.astimezone(_zone()).strftime(self.FORMAT) if self.data else ""

    def process_formdata(self, valuelist: list[str]) -> None:
        text = (valuelist[0] if valuelist else "").strip()
        if not text:
            self.data = None
            return
        try:
            read = datetime.strptime(text[:16], self.FORMAT).replace(tzinfo=_zone())
        except ValueError:
            raise ValueError(f"{self.label.text} must be a day and time, like 2026-11-21T14:30") from None
        # The seconds that the field does not show are no change.
        was = self.object_data
        self.data = was if was and was.astimezone(_zone()).strftime(self.FORMAT) == text[:16] else read


def _zone() -> Any:
    return flask_babel.get_timezone() or ZoneInfo("UTC")


class ReferenceField(Field):
    """The number of another row, found by typing a part of its name: components/forms.html typeahead."""

    from wtforms.widgets import HiddenInput

    widget = HiddenInput()

    def __init__(
        self, *args: Any, suggested: Suggested, endpoint: str, is_optional: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.suggested = suggested
        self.endpoint = endpoint
        self.is_optional = is_optional
        self.typed: str | None = None
        self.was_offered = False  #: whether what was chosen stood among what was found
        self.choices: list[dict[str, Any]] | None = None

    def process(self, formdata: Any, *args: Any, **kwargs: Any) -> None:
        super().process(formdata, *args, **kwargs)
        if formdata is not None and f"{self.name}_text" in formdata:
            self.typed = formdata[f"{self.name}_text"].strip()[:100]
            self.was_offered = f"{self.name}_offered" in formdata

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = read_id(valuelist[-1] if valuelist else "")

    @property
    def text(self) -> str:
        """The words in the box: those typed, or the name of the row chosen."""
        return self.typed if self.typed is not None else self.suggested.name_of(self.data)

    def look(self) -> None:
        """Where words were typed that are not those of the row chosen, find what they mean."""
        if self.typed is None or self.typed == self.suggested.name_of(self.data):
            return
        if not self.typed and self.is_optional:
            self.data = None
            return
        found = self.suggested.find(self.typed)
        if self.was_offered and self.data in {one["id"] for one in found}:
            self.typed = self.suggested.name_of(self.data)  # a choice among those that were offered
            return
        self.data = None
        self.choices = found


class OverridesField(Field):
    """What is granted or taken away on top of a role: one choice for each permission."""

    data: dict[str, bool]

    def process_formdata(self, valuelist: list[str]) -> None:
        """The choices have names of their own, see `process`."""

    def process(self, formdata: Any, *args: Any, **kwargs: Any) -> None:
        super().process(None, *args, **kwargs)
        if formdata is None or not any(f"{self.name}-{each.value}" in formdata for each in Permission):
            return
        said = {"yes": True, "no": False}
        given = {
            each.value: said[formdata.get(f"{self.name}-{each.value}", "")]
            for each in Permission
            if each in PARTNER_PERMISSIONS and formdata.get(f"{self.name}-{each.value}", "") in said
        }
        if formdata.get(f"{self.name}-all") == "yes":
            given["all"] = True
        self.data = given

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """Name, words and choice ("yes", "no" or "") of each permission."""
        data: dict[str, bool] = dict(self.data or {})
        keys = [each.value for each in Permission if each in PARTNER_PERMISSIONS]
        keys += ["all"] if "all" in data or "all" in (self.object_data or {}) else []
        said: dict[bool | None, str] = {True: "yes", False: "no"}
        return [
            (key, "Everything (given long ago)" if key == "all" else spoken(key), said.get(data.get(key), ""))
            for key in keys
        ]


# MARK: From columns to fields


def form_of(
    model: type[Base],
    columns: tuple[str, ...],
    *,
    labels: dict[str, str],
    references: dict[str, tuple[Suggested, str]],
) -> type[RecordForm]:
    """The form of those columns; `references` says for foreign keys what is suggested, and where.

    Raises TypeError for a column that is secret, owned by something else, or of a kind without a field.
    """
    fields: dict[str, Any] = {"columns": columns}
    for name in columns:
        if is_secret(name) or name in {"id", "version", "status", "original"}:
            raise TypeError(f"{model.__name__}.{name} is not for forms")
        label = labels.get(name, spoken(name))
        fields[name] = _field(model, name, label, references)
    return type(f"{model.__name__}Form", (RecordForm,), fields)


def is_secret(name: str) -> bool:
    """Whether a column of that name holds what nobody is shown."""
    return any(mark in name for mark in SECRETS)


def _field(model: type[Base], name: str, label: str, references: dict[str, tuple[Suggested, str]]) -> Any:
    column = model.__table__.columns[name]
    optional = [Optional()] if column.nullable else []
    if name == "time_zone":
        return LongSelectField(label, known=_ZONES, validators=[Optional()])
    if name == "locale":
        return _select(label, [(locale, _language(locale)) for locale in locales()], "Same as the company")
    if name == "permissions":
        return OverridesField(label)
    if name in references:
        suggested, endpoint = references[name]
        return ReferenceField(
            label, suggested=suggested, endpoint=endpoint, is_optional=column.nullable, validators=optional
        )
    if column.foreign_keys:
        raise TypeError(f"{model.__name__}.{name}: an unbounded choice; say what is suggested")
    kind = column.type
    if isinstance(kind, Enum) and kind.enum_class is not None:
        return _enum(label, kind.enum_class)
    if column.type.python_type is bool:
        return BooleanField(label, false_values=(False, "false", "", "no"))
    if isinstance(kind, Moment | DateTime):
        return MomentField(label, validators=optional)
    if isinstance(kind, Text) and not getattr(kind, "length", None):
        return TextAreaField(label, validators=[Optional()])
    if name == "email":
        return EmailField(label)
    if column.type.python_type is str:
        needed = name in {"name", "full_name", "country"}
        return StringField(label, validators=[] if needed else [Optional()])
    raise TypeError(f"{model.__name__}.{name}: no field for {kind!r}")


def _select(label: str, choices: list[tuple[str, str]], none: str) -> SelectField:
    return SelectField(
        label,
        choices=[SelectChoice("", none), *(SelectChoice(value, words) for value, words in choices)],
        coerce=lambda value: value or None,
        validators=[Optional()],
    )


def _enum(label: str, kinds: Any) -> SelectField:
    def coerce(value: Any) -> Any:
        return value if isinstance(value, kinds) else kinds(value)

    def known(_form: Any, field: Any) -> None:
        if field.data not in list(kinds):
            raise ValidationError(f"Select {label.lower()}")

    return SelectField(
        label,
        choices=[SelectChoice(kind.value, spoken(kind.value)) for kind in kinds],
        coerce=coerce,
        validators=[known],
    )


def _language(locale: str) -> str:
    from babel import Locale

    return str(Locale.parse(locale).get_display_name("en") or locale)


def words_of(value: Any) -> str:
    """A value as pages show it: moments in the reader's zone, roles and kinds as words."""
    if isinstance(value, datetime):
        return language.moment(value)
    if value is None or value in ("", {}):
        return ""
    if hasattr(value, "value"):
        return spoken(str(value.value))
    return word(value).capitalize() if isinstance(value, bool) else word(value)
