"""HTML forms as a browser treats them: which fields are sent, with which values, in which order."""

from io import BytesIO
from typing import Any
from urllib.parse import urlencode

from selectolax.lexbor import LexborHTMLParser, LexborNode
from werkzeug.datastructures import FileStorage, MultiDict

CONTROLS = "input, select, textarea, button"
PRESSED = {"submit", "image"}
UNSENT = {"button", "reset"}


class Form:
    """One form of a page, with what is typed into it."""

    def __init__(self, page: LexborHTMLParser, node: LexborNode, button: str | None) -> None:
        self.node = node
        number = node.attributes.get("id")
        outside = page.css(f'[form="{number}"]') if number else []
        inside = [control for control in node.css(CONTROLS) if "form" not in control.attributes]
        self._controls = [control for control in [*inside, *outside] if _is_enabled(control)]
        self._button = self._find_button(button)
        given = self._button.attributes if self._button else {}
        self.action = given.get("formaction") or node.attributes.get("action") or ""
        self.method = (given.get("formmethod") or node.attributes.get("method") or "get").upper()
        self.enctype = node.attributes.get("enctype") or ""
        self._typed: dict[str, Any] = {}

    @classmethod
    def find(cls, page: LexborHTMLParser, form: str | None, button: str | None) -> "Form":
        """The form meant: by selector, id, or the words on its button; else the only one that posts."""
        forms = page.css("form")
        if form is None:
            fitting = [node for node in forms if (node.attributes.get("method") or "").lower() == "post"]
            fitting = [
                node for node in fitting if page.css_first("main") is None or _is_in_main(node)
            ] or fitting
        elif any(mark in form for mark in "#.[>:"):
            fitting = [node for node in page.css(form) if node.tag == "form"]
        else:
            fitting = [node for node in forms if form == node.attributes.get("id")]
            fitting = fitting or [node for node in forms if form in _buttons(page, node)]
            button = button or (form if fitting and form in _buttons(page, fitting[0]) else None)
        there = [f"{node.attributes.get('action')}: {_buttons(page, node)}" for node in forms]
        assert fitting, f"No form {form or 'that posts'!r}; the page has {there or 'none'}."
        assert form or len(fitting) == 1, f"Say which form is meant; the page has {there}."
        return cls(page, fitting[0], button)

    def fill(self, fields: dict[str, Any]) -> None:
        """Type, choose and tick: a text, a number, a bool for a checkbox, a list for several of one name,
        an option's value or words for a select or radio, (content, filename) for a file."""
        known = {control.attributes.get("name") for control in self._controls}
        for name, value in fields.items():
            assert name in known, f"The form has no field {name!r}; it has {sorted(filter(None, known))}."
            self._typed[name] = value
            self._values_of(name)  # says so if nobody could enter that

    def values(self) -> list[tuple[str, Any]]:
        """What is sent: name and value of every field in order, and of the button that is pressed."""
        sent: list[tuple[str, Any]] = []
        for name in dict.fromkeys(control.attributes.get("name") for control in self._controls):
            if name:
                sent += [(name, value) for value in self._values_of(name)]
        return sent

    def query(self) -> str:
        """It as the query of an address."""
        return urlencode(self.values())

    def body(self) -> dict[str, Any]:
        """The arguments of the test client that send it."""
        data: MultiDict[str, Any] = MultiDict(self.values())
        if self.enctype == "multipart/form-data":
            return {"data": data, "content_type": self.enctype}
        return {"data": urlencode(self.values()), "content_type": "application/x-www-form-urlencoded"}

    def _values_of(self, name: str) -> list[Any]:
        controls = [control for control in self._controls if control.attributes.get("name") == name]
        typed = self._typed.get(name)
        has_typed = name in self._typed
        first = controls[0]
        kind = _kind(first)
        if kind in PRESSED | UNSENT:
            return [_value(control) for control in controls if self._button and control == self._button]
        if kind in {"checkbox", "radio"}:
            return self._ticked(name, controls, typed) if has_typed else _ticked_already(controls)
        if kind == "select":
            return _choose(first, typed) if has_typed else _chosen(first)
        if kind == "file":
            content, filename = typed or (b"", "")
            return [FileStorage(BytesIO(content), filename=filename, name=name)]
        if not has_typed:
            return [_sent(_value(control)) for control in controls]
        assert "readonly" not in first.attributes, f"The field {name!r} cannot be changed."
        several = typed if isinstance(typed, list | tuple) else [typed]
        return [_sent("" if value is None else str(value)) for value in several]

    def _ticked(self, name: str, controls: list[LexborNode], typed: Any) -> list[str]:
        if isinstance(typed, bool):
            assert len(controls) == 1, f"Say which of {name!r} to tick: {[_value(one) for one in controls]}"
            return [_value(controls[0])] if typed else []
        wanted = [str(value) for value in typed] if isinstance(typed, list | tuple | set) else [str(typed)]
        offered = [_value(control) for control in controls]
        unknown = [value for value in wanted if value not in offered]
        assert not unknown, f"The field {name!r} does not offer {unknown}, only {offered}."
        return [value for value in offered if value in wanted]

    def _find_button(self, text: str | None) -> LexborNode | None:
        buttons = [control for control in self._controls if _kind(control) in PRESSED]
        if text is None:
            return buttons[0] if buttons else None
        for button in buttons:
            if _label(button) == text:
                return button
        raise AssertionError(f"No button {text!r}; the form has {[_label(button) for button in buttons]}.")


def _kind(control: LexborNode) -> str:
    if control.tag == "input":
        return (control.attributes.get("type") or "text").lower()
    if control.tag == "button":
        return (control.attributes.get("type") or "submit").lower()
    return str(control.tag)


def _value(control: LexborNode) -> str:
    if control.tag == "textarea":
        return control.text(deep=True).removeprefix("\n")
    return control.attributes.get("value") or ("on" if _kind(control) in {"checkbox", "radio"} else "")


def _sent(text: str) -> str:
    """Browsers end the lines of what is typed with CR LF."""
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def _ticked_already(controls: list[LexborNode]) -> list[str]:
    return [_value(control) for control in controls if "checked" in control.attributes]


def _options(select: LexborNode) -> list[tuple[str, str, bool]]:
    """Value, words and whether it is chosen, of every option that can be chosen."""
    found = []
    for option in select.css("option"):
        if "disabled" not in option.attributes:
            text = " ".join(option.text(deep=True).split())
            value = option.attributes.get("value")
            found.append((text if value is None else value, text, "selected" in option.attributes))
    return found


def _chosen(select: LexborNode) -> list[str]:
    options = _options(select)
    chosen = [value for value, _, is_chosen in options if is_chosen]
    if "multiple" in select.attributes:
        return chosen
    return chosen[-1:] or [value for value, _, _ in options[:1]]


def _choose(select: LexborNode, typed: Any) -> list[str]:
    options = _options(select)
    chosen = []
    for wanted in typed if isinstance(typed, list | tuple | set) else [typed]:
        fitting = [value for value, _, _ in options if value == str(wanted)]
        fitting = fitting or [value for value, text, _ in options if text == str(wanted)]
        name = select.attributes.get("name")
        assert fitting, (
            f"The field {name!r} does not offer {wanted!r}, only {[value for value, _, _ in options]}."
        )
        chosen.append(fitting[0])
    return chosen


def _is_enabled(control: LexborNode) -> bool:
    node: LexborNode | None = control
    while node is not None:
        if "disabled" in node.attributes and (node is control or node.tag == "fieldset"):
            return False
        node = node.parent
    return True


def _is_in_main(node: LexborNode) -> bool:
    above = node.parent
    while above is not None:
        if above.tag == "main":
            return True
        above = above.parent
    return False


def _label(button: LexborNode) -> str:
    named = button.attributes.get("aria-label")
    written = button.attributes.get("value") or "" if button.tag == "input" else button.text(deep=True)
    return " ".join((named or written or "").split())


def _buttons(page: LexborHTMLParser, form: LexborNode) -> list[str]:
    number = form.attributes.get("id")
    outside = page.css(f'[form="{number}"]') if number else []
    return [_label(node) for node in [*form.css(CONTROLS), *outside] if _kind(node) in PRESSED]
