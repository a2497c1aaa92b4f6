"""How a record is edited: the form, the page that shows what would change, the page of a conflict.

Each step is a form that works by itself; what was typed goes along as hidden fields and is never lost.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, StringField, TextAreaField
from wtforms.validators import Optional

import language
from admin.base import staff
from admin.listing import Listing
from admin.table_forms import RecordForm, raw, words_of
from forms.base import Form
from models import Base, db
from services import records
from services.errors import NotFound, Refusal
from services.transaction import transaction
from web import see_other

#: Fields of the review page, which are not among what the form carries along.
REVIEW = {"reason", "ticket", "identity_verified", "step", "csrf_token"}


class Editable(Protocol):
    """What is asked of the view of a table, so that its rows can be edited."""

    endpoint: str
    model: type[Base]
    listing: Listing
    hints: Mapping[str, str]

    @property
    def record_form(self) -> type[RecordForm]: ...

    def get_one(self, id: Any) -> Any: ...  # noqa: A002 – Flask-Admin's name

    def name_of(self, row: Any) -> str: ...

    def label(self, name: str) -> str: ...


class ReviewForm(Form):
    """What a save asks beside the values: why, and of support for whom."""

    reason = TextAreaField("Reason", description="It stays in the audit log beside your name")
    ticket = StringField("Ticket", validators=[Optional()], description="The number under which they asked")
    identity_verified = BooleanField("I verified that they are who they say")


def edit_record(view: Editable, row: Any) -> ResponseReturnValue:
    """Answer a request of the editing page."""
    if request.method == "GET":
        form = view.record_form(obj=row)
        form.remember(row)
        return _form_page(view, row, form)
    form = view.record_form(request.form, obj=row)
    is_searching = form.search()
    if not form.validate() or is_searching:
        return _form_page(view, row, form, 422)
    step = request.form.get("step", "")
    if step == "back":
        return _form_page(view, row, form)
    try:
        if step == "save":
            return _save(view, row, form)
        return _review_page(view, row, form, ReviewForm())
    except records.Conflict as conflict:
        db.session.rollback()
        return _conflict_page(view, conflict, form)
    except NotFound:
        raise
    except Refusal as refusal:
        db.session.rollback()
        form.refuse(refusal)
        return _form_page(view, view.get_one(row.id), form, refusal.status)


def new_record(view: Editable) -> ResponseReturnValue:
    """Answer a request of the page that makes a row."""
    form = view.record_form(request.form if request.method == "POST" else None)
    if request.method == "POST" and not form.search() and form.validate():
        try:
            with transaction():
                row = records.create(actor=staff(), model=view.model, values=form.values())
        except Refusal as refusal:
            form.refuse(refusal)
        else:
            flash(f"{row} created", "success")
            return see_other(url_for(f"{view.endpoint}.details_view", record_id=row.id))  # type: ignore[attr-defined]
    return _form_page(view, None, form, 422 if request.method == "POST" else 200)


def _save(view: Editable, row: Any, form: RecordForm) -> ResponseReturnValue:
    review = ReviewForm(request.form)
    number = row.id
    try:
        with transaction():
            saved = records.save(
                actor=staff(),
                model=view.model,
                record_id=number,
                version=form.read_version,
                values=form.values(),
                reason=review.reason.data or "",
                ticket=review.ticket.data or "",
                identity_verified=bool(review.identity_verified.data),
            )
    except records.Conflict as conflict:
        if _is_same(view, conflict.row, form):  # pressed twice: the first press saved this very text
            return see_other(url_for(f"{view.endpoint}.details_view", record_id=number))
        raise
    except Refusal as refusal:
        if refusal.field not in REVIEW:
            raise
        review.refuse(refusal)
        return _review_page(view, row, form, review, refusal.status)
    flash(f"{view.name_of(saved)} saved", "success")
    return see_other(url_for(f"{view.endpoint}.details_view", record_id=number))


def _is_same(view: Editable, row: Any, form: RecordForm) -> bool:
    return view.record_form(obj=row).raw() == form.raw()


# MARK: Pages


def _form_page(view: Editable, row: Any, form: RecordForm, status: int = 200) -> ResponseReturnValue:
    home = url_for(f"{view.endpoint}.index_view")
    page = render_template(
        "admin/records/edit.html",
        view=view,
        row=row,
        name=view.name_of(row) if row is not None else f"New {view.listing.nouns[0]}",
        form=form,
        hints=view.hints,
        back=url_for(f"{view.endpoint}.details_view", record_id=row.id) if row is not None else home,
        home=home,
    )
    return page, status


def _review_page(
    view: Editable, row: Any, form: RecordForm, review: ReviewForm, status: int = 200
) -> ResponseReturnValue:
    planned = records.plan(
        actor=staff(),
        model=view.model,
        record_id=row.id,
        version=form.read_version,
        values=form.values(),
    )
    if not planned.changes:
        flash("Nothing was changed.", "info")
        return see_other(url_for(f"{view.endpoint}.details_view", record_id=row.id))
    page = render_template(
        "admin/records/review.html",
        view=view,
        row=row,
        name=view.name_of(row),
        form=review,
        needs_reason=records.needs_reason(view.model),
        needs_proof=records.needs_proof(staff(), view.model),
        changes=[
            {"label": view.label(name), "old": words_of(before), "new": words_of(after)}
            for name, before, after in planned.changes
        ],
        effects=planned.effects,
        kept=_kept(),
        home=url_for(f"{view.endpoint}.index_view"),
        back=url_for(f"{view.endpoint}.details_view", record_id=row.id),
    )
    return page, status


def _kept() -> list[tuple[str, str]]:
    """What was typed, to go along to the next step."""
    return [(name, value) for name, values in request.form.lists() for value in values if name not in REVIEW]


def _conflict_page(view: Editable, conflict: records.Conflict, mine: RecordForm) -> ResponseReturnValue:
    """Both versions side by side, above a form with theirs, and mine where I changed something."""
    row = view.get_one(conflict.row.id)  # type: ignore[attr-defined]
    theirs = view.record_form(obj=row)
    merged = view.record_form(obj=row)
    was, now, typed = mine.remembered(), theirs.raw(), mine.raw()
    lines = []
    for name in mine.columns:
        is_mine = typed[name] != was.get(name, now[name])
        is_theirs = now[name] != was.get(name, now[name])
        if is_mine:
            merged[name].data = mine[name].data
        if (is_mine or is_theirs) and typed[name] != now[name]:
            lines.append(
                {
                    "label": view.label(name),
                    "theirs": _shown(theirs[name]),
                    "mine": _shown(mine[name]) if is_mine else "",
                    "is_kept": is_mine,
                }
            )
    merged.remember(row)
    page = render_template(
        "admin/records/conflict.html",
        view=view,
        row=row,
        name=view.name_of(row),
        form=merged,
        hints=view.hints,
        by=conflict.by or "Somebody else",
        at=language.moment(conflict.at) if conflict.at else "",
        lines=lines,
        back=url_for(f"{view.endpoint}.details_view", record_id=row.id),
        home=url_for(f"{view.endpoint}.index_view"),
    )
    return page, conflict.status


def _shown(field: Any) -> str:
    """A field's value in words."""
    if hasattr(field, "suggested"):
        return str(field.suggested.name_of(field.data))
    return words_of(field.data) if field.data is not None else raw(field)
