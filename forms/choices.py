"""One of very many: a select whose options are drawn once a process, and not at every page."""

from functools import lru_cache
from typing import Any

from markupsafe import Markup
from wtforms import SelectField
from wtforms.fields.choices import Choice
from wtforms.widgets import Select, html_params

#: Value and words of each option.
Known = tuple[tuple[str, str], ...]

_OPTION = Markup('<option value="{}">{}</option>')
_START, _CHOSEN = Markup('<option value="{}"'), Markup('<option selected value="{}"')


class _LongSelect(Select):
    """Draws the options of a LongSelectField from what was drawn before, with another one selected."""

    def __call__(self, field: Any, **attributes: Any) -> Markup:
        value = field.data or ""
        options = _options(field.known).replace(_START.format(value), _CHOSEN.format(value), 1)
        start = Markup("<select {}>").format(_attributes(name=field.name, id=field.id, **attributes))
        return start + options + Markup("</select>")


class LongSelectField(SelectField):
    """A select of hundreds of choices that are the same for every reader, "" for none of them."""

    widget = _LongSelect()

    def __init__(self, *args: Any, known: Known, **kwargs: Any) -> None:
        super().__init__(*args, choices=[], coerce=lambda value: value or None, **kwargs)
        self.choices = self.known = known

    def iter_choices(self) -> list[Choice]:
        """Every choice, for the check of what was sent."""
        chosen = self.data or ""
        return [Choice(value, words, value == chosen, {}) for value, words in self.known]

    def has_groups(self) -> bool:
        return False


@lru_cache(maxsize=16)
def _options(known: Known) -> Markup:
    return Markup("").join(_OPTION.format(value, words) for value, words in known)


def _attributes(**attributes: Any) -> Markup:
    # html_params escapes every value; it says so by no type of its own.
    return Markup(html_params(**attributes))  # noqa: S704
