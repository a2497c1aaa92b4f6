"""Create New Partner: organization, first entity and first administrator, made together or not at all."""

from typing import Any

from flask import Response, flash, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from admin.base import staff
from forms.partners import NewPartnerForm
from models import EntityKind, Organization, OrganizationKind, PartnerRole
from permissions import Permission, allowed, requires
from services import names, onboarding, partners, submissions
from services.errors import Refusal
from services.names import Found
from services.transaction import transaction
from web import see_other

P = Permission
SIMILAR = "Use an organization that is there, or say that this is a different one"


class NewPartner:
    """The page that makes a partner, and what its searching fields ask; mixed into the view of partners."""

    @expose("/new", methods=["GET", "POST"])
    @requires(P.EDIT_PARTNERS)
    def new(self) -> ResponseReturnValue:
        """Create a partner; nothing is kept before the whole of it is."""
        form = NewPartnerForm(request.form if request.method == "POST" else None)
        if not allowed(staff(), P.CREATE_INVITATIONS):
            form.leave_out_administrator()
        if request.method == "GET":
            return self._choose(form, request.args.get("organization", ""))
        form.read_texts(request.form)
        if "use" in request.form:
            return self._choose(form, request.form["use"])
        if "change" in request.form:
            form.organization_id.data = ""
            return self._new_page(form)
        organization = self._chosen(form)
        similar = [] if organization else names.similar_organizations(form.organization_id.text)
        is_valid = form.validate()
        if not organization:
            is_valid = self._check_new_organization(form) and is_valid
        if not is_valid:
            return self._new_page(form, organization, similar)
        try:
            with transaction():
                where = submissions.claim(staff(), form.form_key.data, form.body)
                if where is None:
                    if similar and not form.is_separate.data:
                        raise Refusal(SIMILAR, field="organization_id")
                    where = self._make(form, organization)
                    submissions.settle(staff(), form.form_key.data, where)
        except Refusal as refusal:
            if refusal.field == "organization_name":
                refusal.field = "organization_id"
            form.refuse(refusal)
            return self._new_page(form, self._chosen(form), similar)
        return see_other(where or url_for("partners.index"))

    def _make(self, form: NewPartnerForm, organization: Organization | None) -> str:
        """Do it, in the transaction at hand; gives the page to go on to."""
        kind = form.organization_kind.data
        entity, invitation = onboarding.onboard(
            actor=staff(),
            organization=organization,
            organization_name=form.organization_id.text,
            organization_kind=OrganizationKind(kind) if kind else None,
            organization_domain=form.organization_domain.data or "",
            is_separate=form.is_separate.data,
            entity_name=form.entity_name.data,
            entity_kind=EntityKind(form.entity_kind.data),
            school_id=form.school_id.number,
            admin_email=(form.admin_email.data or "") if form.admin_email else "",
            admin_role=PartnerRole(form.admin_role.data) if form.admin_role else PartnerRole.PRINCIPAL,
            days=form.days.data if form.days else 7,
            send=bool(form.send and form.send.data),
        )
        flash(f"{entity.name} of {entity.organization.name} is created.", "success")
        if invitation is not None:
            return url_for("partners.invitation", entity_id=entity.id, invitation_id=invitation.id)
        return url_for("partners.show", entity_id=entity.id)

    def _choose(self, form: NewPartnerForm, number: str) -> ResponseReturnValue:
        """The page with that organization chosen, everything else as it was typed."""
        form.organization_id.data = number
        organization = None
        if form.organization_id.number is not None:
            organization = partners.find_organization(
                actor=staff(), organization_id=form.organization_id.number
            )
            form.organization_id.text = organization.name
            form.is_separate.data = False
        return self._new_page(form, organization)

    def _chosen(self, form: NewPartnerForm) -> Organization | None:
        """The organization that was chosen; words changed after choosing mean another one."""
        number = form.organization_id.number
        if number is None:
            return None
        organization = partners.find_organization(actor=staff(), organization_id=number)
        if form.organization_id.text and names.fold(form.organization_id.text) != organization.name_key:
            form.organization_id.data = ""
            return None
        form.organization_id.text = organization.name
        return organization

    def _check_new_organization(self, form: NewPartnerForm) -> bool:
        """What only a new organization needs: a name and a type."""
        problems = []
        if not form.organization_id.text:
            problems.append(("organization_id", "Enter the name of the organization"))
        if not form.organization_kind.data:
            problems.append(("organization_kind", "Select the type of the organization"))
        for field, text in problems:
            form.refuse(Refusal(text, field=field))
        return not problems

    def _new_page(
        self,
        form: NewPartnerForm,
        organization: Organization | None = None,
        similar: list[Found] | None = None,
    ) -> ResponseReturnValue:
        school_choices = None
        if form.school_id.text and form.school_id.number is None:
            school_choices = names.search_schools(form.school_id.text)
        page = render_template(
            "admin/partners/new.html",
            form=form,
            organization=organization,
            organization_kind_words=names.KIND_WORDS,
            similar=similar or [],
            school_choices=school_choices,
        )
        return page, 422 if form.has_errors else 200

    @expose("/organizations.json")
    @requires(P.READ_PARTNERS)
    def find_organizations(self) -> Response:
        """At most twenty organizations for the words typed so far, similar spellings among them."""
        needle = request.args.get("q", "")[:100]
        found = {one.id: one for one in names.search_organizations(needle)}
        for one in names.similar_organizations(needle):
            found.setdefault(one.id, one)
        return jsonify(_suggestions(list(found.values())))

    @expose("/schools.json")
    @requires(P.READ_PARTNERS)
    def find_schools(self) -> Response:
        """At most twenty schools for the words typed so far."""
        return jsonify(_suggestions(names.search_schools(request.args.get("q", "")[:100])))


def _suggestions(found: list[Found]) -> list[dict[str, Any]]:
    return [one._asdict() for one in found[: names.MOST_FOUND]]
