"""The contacts of a partner: who they are, what they may, and how their access is changed or ended."""

from functools import partial
from typing import Any

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from admin.base import staff
from admin.partner_page import find, frame, paged
from admin.sign_in import again_first
from forms.partners import (
    OVERRIDABLE,
    ContactOverridesForm,
    ContactReasonForm,
    ContactRoleForm,
)
from forms.people import ROLE_LABELS, can, cannot
from models import Affiliation, PartnerRole
from permissions import Permission, granted, requires
from services import partner_overview, people, sessions
from services.access import must_prove
from services.errors import Refusal, Stale
from services.transaction import transaction
from web import see_other

P = Permission


def role_descriptions() -> dict[str, str]:
    """What each role may, in words, for the choice of one."""
    return {role.value: f"{can(role)} {cannot(role)}".strip() for role in PartnerRole}


class Contacts:
    """The contacts tab and the changes of one contact; mixed into the view of partners."""

    @expose("/<int:entity_id>/contacts")
    @requires(P.READ_PARTNERS)
    def contacts(self, entity_id: int) -> ResponseReturnValue:
        """Everybody who may sign in for the partner, who is invited, and who was there."""
        entity = find(entity_id)
        everybody = partial(partner_overview.contacts_of, entity, with_ended=True)
        contacts, page = paged(everybody, "contacts", entity)
        waiting = [] if page["next_url"] else partner_overview.invitations_of(entity, only_waiting=True)
        return render_template(
            "admin/partners/contacts.html",
            **frame(entity, "contacts"),
            contacts=contacts,
            page=page,
            waiting=waiting,
            has_more_waiting=len(waiting) == partner_overview.MOST,
        )

    @expose("/<int:entity_id>/contacts/<int:contact_id>/role", methods=["GET", "POST"])
    @requires(P.EDIT_AFFILIATIONS)
    def change_role(self, entity_id: int, contact_id: int) -> ResponseReturnValue:
        """Give a contact another role."""
        entity = find(entity_id)
        contact = partner_overview.find_contact(entity, contact_id)
        if (way := again_first(request.path)) is not None:
            return way
        form = ContactRoleForm(request.form)
        form.offer(PartnerRole)
        form.ask_for_proof(must_prove(staff()))
        if request.method == "GET":
            form.role.data = contact.role.value
        elif form.validate():
            try:
                with transaction():
                    people.change_role(actor=staff(), affiliation=contact, role=form.chosen, **form.proof)
            except Refusal as refusal:
                form.refuse(refusal)
                contact = _again(entity_id, contact_id)
            else:
                flash(f"{contact.person.name} is {ROLE_LABELS[form.chosen]} now.", "success")
                return see_other(url_for("partners.contacts", entity_id=entity_id))
        return self._contact_page("role", contact, form, descriptions=role_descriptions())

    @expose("/<int:entity_id>/contacts/<int:contact_id>/overrides", methods=["GET", "POST"])
    @requires(P.EDIT_AFFILIATIONS)
    def change_overrides(self, entity_id: int, contact_id: int) -> ResponseReturnValue:
        """Give or take single permissions on top of a contact's role."""
        entity = find(entity_id)
        contact = partner_overview.find_contact(entity, contact_id)
        if (way := again_first(request.path)) is not None:
            return way
        form = ContactOverridesForm.of(OVERRIDABLE)(request.form)
        form.ask_for_proof(must_prove(staff()))
        if request.method == "GET":
            form.version.data = contact.version
            form.read(contact.permissions or {})
        elif form.validate():
            try:
                with transaction():
                    if partner_overview.find_contact(entity, contact_id).version != form.version.data:
                        raise Stale("Somebody else changed this contact in the meantime. Nothing was saved.")
                    people.change_overrides(
                        actor=staff(), affiliation=contact, overrides=form.overrides, **form.proof
                    )
            except Refusal as refusal:
                form.refuse(refusal)
                contact = _again(entity_id, contact_id)
                if isinstance(refusal, Stale):
                    form.version.data, form.version.raw_data = contact.version, [str(contact.version)]
            else:
                flash(f"Saved what {contact.person.name} may do.", "success")
                return see_other(url_for("partners.contacts", entity_id=entity_id))
        by_role = Affiliation(role=contact.role, permissions={}, entity=contact.entity)
        return self._contact_page(
            "overrides",
            contact,
            form,
            held={
                permission.value: granted(by_role, permission)[0] is not None for permission in OVERRIDABLE
            },
            has_all=(contact.permissions or {}).get("all") is True,
        )

    @expose("/<int:entity_id>/contacts/<int:contact_id>/end", methods=["GET", "POST"])
    @requires(P.EDIT_AFFILIATIONS)
    def end_contact(self, entity_id: int, contact_id: int) -> ResponseReturnValue:
        """End a contact's access to the partner, after a page that says what follows."""
        entity = find(entity_id)
        contact = partner_overview.find_contact(entity, contact_id)
        form = ContactReasonForm(request.form)
        form.ask_for_proof(must_prove(staff()))
        if request.method == "POST" and form.validate():
            try:
                with transaction():
                    people.end(actor=staff(), affiliation=contact, **form.proof)
            except Refusal as refusal:
                form.refuse(refusal)
                contact = _again(entity_id, contact_id)
            else:
                flash(f"Ended the access of {contact.person.name}.", "success")
                return see_other(url_for("partners.contacts", entity_id=entity_id))
        return self._contact_page("end", contact, form, is_last=people.is_last_principal(contact))

    @expose("/<int:entity_id>/contacts/<int:contact_id>/sign-out", methods=["GET", "POST"])
    @requires(P.END_SESSIONS)
    def sign_out_contact(self, entity_id: int, contact_id: int) -> ResponseReturnValue:
        """Sign a contact out of every browser, after a page that says what follows."""
        entity = find(entity_id)
        contact = partner_overview.find_contact(entity, contact_id)
        form = ContactReasonForm(request.form)
        form.ask_for_proof(must_prove(staff()))
        if request.method == "POST" and form.validate():
            try:
                with transaction():
                    sessions.end_all(actor=staff(), person=contact.person, reason=form.whole_reason)
            except Refusal as refusal:
                form.refuse(refusal)
                contact = _again(entity_id, contact_id)
            else:
                flash(f"{contact.person.name} is signed out everywhere.", "success")
                return see_other(url_for("partners.contacts", entity_id=entity_id))
        return self._contact_page("sign_out", contact, form, sessions=sessions.sessions_of(contact.person))

    def _contact_page(self, name: str, contact: Affiliation, form: Any, **values: Any) -> ResponseReturnValue:
        page = render_template(
            f"admin/partners/contact_{name}.html",
            entity=contact.entity,
            contact=contact,
            form=form,
            role_labels=ROLE_LABELS,
            **values,
        )
        return page, 422 if form.has_errors else 200


def _again(entity_id: int, contact_id: int) -> Affiliation:
    """The contact anew, after a change that was rolled back."""
    return partner_overview.find_contact(find(entity_id), contact_id)
