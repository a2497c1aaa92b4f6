"""What every page of ours keeps, checked on each page that any test opens."""

import re
from collections import Counter
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

UNLABELLED = {"hidden", "submit", "image", "button", "reset"}
REFERRING = ("for", "aria-labelledby", "aria-describedby", "aria-controls", "form", "list", "popovertarget")
#: What a title says first where a form is wrong: in English, or in the language of tests/pseudo.py.
ERROR = re.compile(r"^(?:Error: |⟦[^⟦⟧]*:[^⟦⟧]*⟧ )")
#: A text whose placeholders were not filled in, or a Python value that was never meant to be shown.
UNFINISHED = re.compile(r"%\(\w+\)[sd]|\{\{|\}\}|<\w+(?:\.\w+)* object at 0x|\bUndefined\b")


def faults(html: LexborHTMLParser) -> list[str]:
    """Everything a careful reviewer would send this page back for."""
    return [*_of_the_frame(html), *_of_the_policy(html), *_of_forms(html), *_of_names(html)]


def _of_the_frame(html: LexborHTMLParser) -> Iterator[str]:
    root = html.root
    if root is None or not root.attributes.get("lang"):
        yield "<html> has no lang"
    for tag in ("main", "h1"):
        if (count := len(html.css(tag))) != 1:
            yield f"there are {count} <{tag}>, not one"
    if html.css_first('meta[name="viewport"]') is None:
        yield "there is no viewport, so phones show it tiny"
    heading, title = _words(html.css_first("h1")), _words(html.css_first("title"))
    if heading and not ERROR.sub("", title).startswith(heading):
        yield f"the title {title!r} does not begin with the heading {heading!r}"
    if unfinished := UNFINISHED.search(_words(html.body)):
        yield f"it says {unfinished.group()!r}"


def _of_the_policy(html: LexborHTMLParser) -> Iterator[str]:
    """What the Content-Security-Policy would silently refuse."""
    if html.css("style, [style]"):
        yield "it has styles of its own, which the policy blocks"
    if html.css("script:not([src])"):
        yield "it has a script of its own, which the policy blocks"
    for node in html.css("body *, body"):
        for name, value in node.attributes.items():
            if name.startswith("on"):
                yield f"<{node.tag} {name}> is a handler, which the policy blocks"
            if name in {"href", "action", "src", "formaction"} and (value or "").startswith("javascript:"):
                yield f"<{node.tag} {name}> is a script"
            if name in {"src", "srcset"} and re.match(r"(https?:)?//", value or ""):
                yield f"<{node.tag}> loads from elsewhere: {value}"


def _of_forms(html: LexborHTMLParser) -> Iterator[str]:
    labelled = {label.attributes.get("for") for label in html.css("label")}
    for control in html.css("input, select, textarea"):
        kind = control.attributes.get("type") or "text"
        if control.tag == "input" and kind in UNLABELLED:
            continue
        named = control.attributes.get("aria-label") or control.attributes.get("aria-labelledby")
        if not named and control.attributes.get("id") not in labelled and not _is_within(control, "label"):
            yield f"the field {control.attributes.get('name')!r} has no label"
    for form in html.css("form"):
        unsafe = (form.attributes.get("method") or "get").lower() == "post"
        if unsafe and form.css_first('input[name="csrf_token"][value]') is None:
            yield f"the form that posts to {form.attributes.get('action') or 'itself'!r} has no csrf_token"
        if _is_within(form, "form"):
            yield "there is a form inside a form"


def _of_names(html: LexborHTMLParser) -> Iterator[str]:
    ids = Counter(node.attributes.get("id") or "" for node in html.css("[id]"))
    for name, count in ids.items():
        if count > 1 or not name:
            yield f"the id {name!r} is there {count} times"
    for node in html.css(", ".join(f"[{name}]" for name in REFERRING)):
        for attribute in REFERRING:
            for name in (node.attributes.get(attribute) or "").split():
                if name not in ids:
                    yield f"<{node.tag} {attribute}> refers to the id {name!r}, which is not there"
    for node in html.css("a[href], button"):
        if not (
            _words(node) or node.attributes.get("aria-label") or node.css_first("img[alt]:not([alt=''])")
        ):
            yield f"a <{node.tag}> has no words: {node.attributes.get('href') or node.attributes.get('name')}"
    for node in html.css("img:not([alt])"):
        yield f"the picture {node.attributes.get('src')!r} has no alt"


def _is_within(node: LexborNode, tag: str) -> bool:
    above = node.parent
    while above is not None:
        if above.tag == tag:
            return True
        above = above.parent
    return False


def _words(node: LexborNode | None) -> str:
    return " ".join(node.text(deep=True, separator=" ").split()) if node is not None else ""
