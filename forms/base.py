"""What every form shares: trimmed text, refusals shown at their field, and forms that act once."""

import json
import re
from typing import Any

import wtforms
from wtforms.fields import HiddenField

import language
from language import _, _l
from services import keys
from services.errors import Refusal

#: C0 controls but tab and line breaks, and the marks that turn the direction of text around.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


def clean(text: str | None) -> str | None:
    """The text without surrounding space and without characters that nobody can see."""
    return _UNSEEN.sub("", text).strip() if isinstance(text, str) else text


class _Words:
    """WTForms' own sentences in the reader's language."""

    KNOWN = (_l("Not a valid choice."),)  #: so that translators see those that a form of the portal can say

    def gettext(self, text: str) -> str:
        return str(language.gettext(text))

    def ngettext(self, one: str, many: str, count: int) -> str:
        return language.plural(one, many, count)


class Form(wtforms.Form):
    """A form of ours. The token against forgery is not a field: components/forms.html writes it."""

    class Meta:
        def get_translations(self, form: wtforms.Form) -> _Words:
            return _Words()

        def bind_field(self, form: wtforms.Form, unbound_field: Any, options: dict[str, Any]) -> Any:
            if issubclass(unbound_field.field_class, wtforms.StringField) and not issubclass(
                unbound_field.field_class, wtforms.PasswordField
            ):
                filters = [clean, *unbound_field.kwargs.get("filters", [])]
                return unbound_field.bind(form=form, **{**options, "filters": filters})
            return unbound_field.bind(form=form, **options)

    def refuse(self, refusal: Refusal) -> None:
        """Show a service's refusal at the field it names, or above the form."""
        if refusal.field and refusal.field in self._fields:
            field = self._fields[refusal.field]
            field.errors = [*field.errors, str(refusal.text)]
        else:
            self.form_errors.append(str(refusal.text))

    @property
    def has_errors(self) -> bool:
        return bool(self.errors or self.form_errors)


class OnceForm(Form):
    """A form that acts once however often it is sent: see services/submissions.py."""

    form_key = HiddenField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.form_key.data:
            self.form_key.data = keys.mint()

    def validate_form_key(self, field: HiddenField) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]{43}", field.data or ""):
            raise wtforms.ValidationError(_("Open this form anew."))

    @property
    def body(self) -> str:
        """What was typed, as one text: two submissions are the same when it is equal."""
        values = {name: field.data for name, field in self._fields.items() if name != "form_key"}
        return json.dumps(values, sort_keys=True, default=str)
