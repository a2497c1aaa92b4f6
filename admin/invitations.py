"""The invitations of a partner: generate a code, share it, send it again, renew it, take it back."""

from functools import partial

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

import clock
import config
from admin.base import staff
from admin.contacts import role_descriptions
from admin.partner_page import find, frame, paged
from forms.partners import CodeForm, ReasonForm, RenewForm
from forms.people import ROLE_LABELS
from models import Entity, PartnerRole
from permissions import Permission, allowed, requires
from services import partner_overview, people, submissions
from services.errors import Refusal
from services.partner_overview import Invited
from services.transaction import transaction
from web import see_other

P = Permission


class Invitations:
    """Inviting people to a partner; mixed into the view of partners."""

    @expose("/<int:entity_id>/invitations")
    @requires(P.READ_PARTNERS)
    def invitations(self, entity_id: int) -> ResponseReturnValue:
        """Every invitation of the partner with its state and the fate of its mail."""
        entity = find(entity_id)
        invited, page = paged(partial(partner_overview.invitations_of, entity), "invitations", entity)
        return render_template(
            "admin/partners/invitations.html",
            **frame(entity, "invitations"),
            invited=invited,
            page=page,
        )

    @expose("/<int:entity_id>/contacts/new", methods=["GET", "POST"])
    @requires(P.CREATE_INVITATIONS)
    def new_contact(self, entity_id: int) -> ResponseReturnValue:
        """Generate a code: invite an address, by mail or by passing the code on."""
        entity = find(entity_id)
        form = CodeForm(request.form if request.method == "POST" else None)
        form.offer(PartnerRole)
        if request.method == "GET":
            form.role.data = PartnerRole.PRINCIPAL.value
        elif form.validate():
            try:
                with transaction():
                    where = submissions.claim(staff(), form.form_key.data, form.body)
                    if where is None:
                        invitation = people.invite(
                            actor=staff(),
                            entity=entity,
                            email=form.email.data or "",
                            role=form.chosen,
                            days=form.days.data,
                            send=form.send.data,
                        )
                        where = _address(entity_id, invitation.id)
                        submissions.settle(staff(), form.form_key.data, where)
            except Refusal as refusal:
                form.refuse(refusal)
                entity = find(entity_id)
            else:
                return see_other(where or url_for("partners.invitations", entity_id=entity_id))
        page = render_template(
            "admin/partners/new_contact.html",
            entity=entity,
            form=form,
            counts=partner_overview.counts_of(entity),
            descriptions=role_descriptions(),
        )
        return page, 422 if form.has_errors else 200

    @expose("/<int:entity_id>/invitations/<int:invitation_id>")
    @requires(P.READ_PARTNERS)
    def invitation(self, entity_id: int, invitation_id: int) -> ResponseReturnValue:
        """One invitation: its code and URL with the ways to share them, and how far it came."""
        return self._invitation_page(find(entity_id), invitation_id, RenewForm())

    def _invitation_page(self, entity: Entity, invitation_id: int, form: RenewForm) -> ResponseReturnValue:
        one = partner_overview.find_invited(entity, invitation_id)
        page = render_template(
            "admin/partners/invitation.html",
            entity=entity,
            invitation=one.invitation,
            fate=one.fate,
            state=one.invitation.state(clock.now()).value,
            moves=people.moves_of(actor=staff(), invitation=one.invitation),
            url=people.invitation_url(one.invitation) if _may_share() else "",
            code_url=f"{config.current().base_url}{url_for('portal.invitation_code')}",
            steps=_steps(one),
            successor=partner_overview.successor_of(one.invitation),
            form=form,
            role_labels=ROLE_LABELS,
        )
        return page, 422 if form.has_errors else 200

    @expose("/<int:entity_id>/invitations/<int:invitation_id>/resend", methods=["POST"])
    @requires(P.RENEW_INVITATIONS)
    def resend_invitation(self, entity_id: int, invitation_id: int) -> ResponseReturnValue:
        """Mail the invitation anew, with a new link and code."""
        entity = find(entity_id)
        one = partner_overview.find_invited(entity, invitation_id)
        try:
            with transaction():
                new = people.resend(actor=staff(), invitation=one.invitation)
        except Refusal as refusal:
            flash(str(refusal), "danger")
            return see_other(_address(entity_id, invitation_id))
        flash(f"Invitation to {new.email} is on its way again, with a new link and code.", "success")
        return see_other(_address(entity_id, new.id))

    @expose("/<int:entity_id>/invitations/<int:invitation_id>/renew", methods=["POST"])
    @requires(P.RENEW_INVITATIONS)
    def renew_invitation(self, entity_id: int, invitation_id: int) -> ResponseReturnValue:
        """Let the invitation work for more days, with a new link and code."""
        entity = find(entity_id)
        one = partner_overview.find_invited(entity, invitation_id)
        form = RenewForm(request.form)
        if not form.validate():
            return self._invitation_page(entity, invitation_id, form)
        try:
            with transaction():
                where = submissions.claim(staff(), form.form_key.data, form.body)
                if where is None:
                    new = people.renew(actor=staff(), invitation=one.invitation, days=form.days.data)
                    where = _address(entity_id, new.id)
                    submissions.settle(staff(), form.form_key.data, where)
        except Refusal as refusal:
            form.refuse(refusal)
            return self._invitation_page(find(entity_id), invitation_id, form)
        flash("Invitation renewed. The earlier link and code no longer work.", "success")
        return see_other(where or _address(entity_id, invitation_id))

    @expose("/<int:entity_id>/invitations/<int:invitation_id>/revoke", methods=["GET", "POST"])
    @requires(P.CREATE_INVITATIONS)
    def revoke_invitation(self, entity_id: int, invitation_id: int) -> ResponseReturnValue:
        """Cancel the invitation, after a page that says what follows."""
        entity = find(entity_id)
        one = partner_overview.find_invited(entity, invitation_id)
        form = ReasonForm(request.form)
        if request.method == "POST" and form.validate():
            try:
                with transaction():
                    people.revoke(actor=staff(), invitation=one.invitation, reason=form.reason.data)
            except Refusal as refusal:
                form.refuse(refusal)
                entity = find(entity_id)
                one = partner_overview.find_invited(entity, invitation_id)
            else:
                flash(f"Cancelled the invitation to {one.invitation.email}.", "success")
                return see_other(url_for("partners.invitations", entity_id=entity_id))
        page = render_template(
            "admin/partners/revoke.html",
            entity=entity,
            invitation=one.invitation,
            is_open="revoke" in people.moves_of(actor=staff(), invitation=one.invitation),
            form=form,
        )
        return page, 422 if form.has_errors else 200


def _address(entity_id: int, invitation_id: int) -> str:
    return url_for("partners.invitation", entity_id=entity_id, invitation_id=invitation_id)


def _may_share() -> bool:
    """The URL is for those who may invite or resend; others read that it exists."""
    return allowed(staff(), P.CREATE_INVITATIONS) or allowed(staff(), P.RENEW_INVITATIONS)


def _steps(one: Invited) -> list[dict[str, str]]:
    """How far the mail came, step by step: queued, sent, opened, accepted."""
    steps = [("accepted", "Accepted")]
    if one.fate.step != "none":
        steps = [("queued", "Email queued"), ("sent", "Email sent"), ("opened", "Link opened"), *steps]
    names = [name for name, _label in steps]
    here = {"sending": "queued", "failed": "queued"}.get(one.fate.step, one.fate.step)
    reached = names.index(here) if here in names else -1
    shown = [
        {"label": label, "state": "done" if at <= reached else ""} for at, (_, label) in enumerate(steps)
    ]
    if one.fate.step == "failed":
        shown[1] = {"label": "Email not delivered", "state": "failed"}
    return shown
