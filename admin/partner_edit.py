"""Changing a partner: its details, its organization, and the moves of both."""

from typing import Any

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from admin.base import staff
from admin.partner_page import find
from forms.base import Form
from forms.partners import EntityForm, IdField, OrganizationForm, ReasonForm
from models import DealVisibility, Entity, EntityKind, OrganizationKind
from permissions import Permission, requires
from services import partner_moves, partner_overview, partners
from services.errors import Refusal, Stale
from services.names import search_schools
from services.transaction import transaction
from web import see_other

P = Permission


def _entity_form(entity: Entity) -> EntityForm:
    """The form as the partner is now."""
    form = EntityForm(obj=entity)
    form.kind.data = entity.kind.value
    form.deal_visibility.data = entity.deal_visibility.value
    form.school_id.data = str(entity.school_id or "")
    form.school_id.text = str(entity.school or "")
    return form


def _differences(mine: Form, theirs: Form) -> list[dict[str, str]]:
    """Where the form differs from what somebody else saved in between: label and both values."""
    return [
        {"label": field.label.text, "theirs": _said(theirs[field.name]), "mine": _said(field)}
        for field in mine
        if field.name != "version" and _said(field) != _said(theirs[field.name])
    ]


def _said(field: Any) -> str:
    if isinstance(field, IdField):
        return field.text
    if isinstance(field.data, bool):
        return "yes" if field.data else "no"
    words = {choice.value: choice.label for choice in getattr(field, "choices", None) or ()}
    return str(words.get(field.data, field.data or ""))


class PartnerEdit:
    """What changes a partner and its organization; mixed into the view of partners."""

    @expose("/<int:entity_id>/edit", methods=["GET", "POST"])
    @requires(P.EDIT_PARTNERS)
    def edit(self, entity_id: int) -> ResponseReturnValue:
        """Change what the partner is called, its type, school and profile."""
        entity = find(entity_id)
        form = EntityForm(request.form) if request.method == "POST" else _entity_form(entity)
        if request.method == "GET":
            return self._edit_page(entity, form)
        form.read_texts(request.form)
        if form.validate():
            try:
                with transaction():
                    partners.change_entity(
                        actor=staff(),
                        entity=entity,
                        version=form.version.data,
                        name=form.name.data,
                        kind=EntityKind(form.kind.data),
                        school_id=form.school_id.number if form.school_id.text else None,
                        show_in_app=form.show_in_app.data,
                        deal_visibility=DealVisibility(form.deal_visibility.data),
                        description=form.description.data or "",
                        website=form.website.data or "",
                        address=form.address.data or "",
                    )
            except Stale:
                return self._edit_page(find(entity_id), form, is_stale=True)
            except Refusal as refusal:
                entity = find(entity_id)
                form.refuse(refusal)
            else:
                flash("Partner saved.", "success")
                return see_other(url_for("partners.show", entity_id=entity_id))
        return self._edit_page(entity, form)

    def _edit_page(self, entity: Entity, form: EntityForm, *, is_stale: bool = False) -> ResponseReturnValue:
        theirs = []
        if is_stale:
            theirs = _differences(form, _entity_form(entity))
            form.version.data, form.version.raw_data = entity.version, [str(entity.version)]
        needs_choice = bool(form.school_id.errors and form.school_id.text)
        page = render_template(
            "admin/partners/edit.html",
            entity=entity,
            form=form,
            theirs=theirs,
            is_stale=is_stale,
            school_choices=search_schools(form.school_id.text) if needs_choice else None,
        )
        return page, 409 if is_stale else 422 if form.has_errors else 200

    @expose("/<int:entity_id>/organization", methods=["GET", "POST"])
    @requires(P.EDIT_PARTNERS)
    def edit_organization(self, entity_id: int) -> ResponseReturnValue:
        """Change what the organization of the partner is called and is."""
        entity = find(entity_id)
        organization = entity.organization
        form = OrganizationForm(request.form if request.method == "POST" else None, obj=organization)
        if request.method == "GET":
            form.kind.data = organization.kind.value
        elif form.validate():
            try:
                with transaction():
                    partners.change_organization(
                        actor=staff(),
                        organization=organization,
                        version=form.version.data,
                        name=form.name.data,
                        kind=OrganizationKind(form.kind.data),
                        domain=form.domain.data or "",
                    )
            except Stale:
                now = find(entity_id).organization
                fresh = OrganizationForm(obj=now)
                fresh.kind.data = now.kind.value
                theirs = _differences(form, fresh)
                form.version.data, form.version.raw_data = now.version, [str(now.version)]
                return self._organization_page(entity, form, 409, theirs)
            except Refusal as refusal:
                entity = find(entity_id)
                form.refuse(refusal)
            else:
                flash("Organization saved.", "success")
                return see_other(url_for("partners.show", entity_id=entity_id))
        return self._organization_page(entity, form, 422 if form.has_errors else 200, [])

    def _organization_page(
        self, entity: Entity, form: OrganizationForm, status: int, theirs: list[Any]
    ) -> ResponseReturnValue:
        page = render_template(
            "admin/partners/edit_organization.html",
            entity=entity,
            form=form,
            theirs=theirs,
            is_stale=status == 409,
            kin=partner_overview.kin_of(entity),
        )
        return page, status

    @expose("/<int:entity_id>/<any(suspend, resume, offboard):move>", methods=["GET", "POST"])
    @requires(P.EDIT_PARTNERS)
    def move(self, entity_id: int, move: str) -> ResponseReturnValue:
        """Suspend, resume or offboard the partner, after a page that says what follows."""
        entity = find(entity_id)
        form = ReasonForm(request.form)
        if request.method == "POST" and form.validate():
            try:
                with transaction():
                    partner_moves.move(actor=staff(), entity=entity, name=move, reason=form.reason.data)
            except Refusal as refusal:
                form.refuse(refusal)
            else:
                done = {"suspend": "suspended", "resume": "active again", "offboard": "offboarded"}[move]
                flash(f"{entity.name} is {done}.", "success")
                return see_other(url_for("partners.show", entity_id=entity_id))
        entity = find(entity_id)
        page = render_template(
            "admin/partners/move.html",
            entity=entity,
            form=form,
            move=move,
            label=partner_moves.MOVES[move].label,
            is_open=entity.status in partner_moves.MOVES[move].sources,
            counts=partner_overview.counts_of(entity),
        )
        return page, 422 if form.has_errors else 200

    @expose("/<int:entity_id>/organization/<any(suspend, resume):move>", methods=["GET", "POST"])
    @requires(P.EDIT_PARTNERS)
    def move_organization(self, entity_id: int, move: str) -> ResponseReturnValue:
        """Suspend or resume the whole organization, after a page that says what follows."""
        entity = find(entity_id)
        form = ReasonForm(request.form)
        if request.method == "POST" and form.validate():
            try:
                with transaction():
                    partner_moves.move_organization(
                        actor=staff(), organization=entity.organization, name=move, reason=form.reason.data
                    )
            except Refusal as refusal:
                form.refuse(refusal)
            else:
                done = {"suspend": "suspended", "resume": "active again"}[move]
                flash(f"{entity.organization.name} is {done}.", "success")
                return see_other(url_for("partners.show", entity_id=entity_id))
        page = render_template(
            "admin/partners/move_organization.html",
            entity=find(entity_id),
            form=form,
            move=move,
            label=partner_moves.ORGANIZATION_MOVES[move].label,
            kin=partner_overview.kin_of(entity),
        )
        return page, 422 if form.has_errors else 200
