"""The team: who works here and as what; principals invite, change roles and end access."""

from typing import Any

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue

import clock
from forms.base import Form
from forms.people import ROLE_LABELS, InviteForm, RoleForm, can, cannot, chips
from language import _, day, listed, moment, relative, utc
from models import Invitation, InvitationStatus, PartnerRole
from permissions import Permission, allowed, requires
from portal.door import confirm_first, contact, portal
from services import people, sessions, submissions
from services.errors import Refusal
from services.invitations import unanswered_of
from services.transaction import transaction
from web import see_other


@portal.get("/team")
@requires(Permission.VIEW_TEAM)
def list_team() -> ResponseReturnValue:
    """Everybody with access, and everybody invited."""
    who = contact()
    may_manage = allowed(who, Permission.MANAGE_TEAM)
    members = people.contacts_of(who.entity)
    return render_template(
        "portal/people/list.html",
        members=[_member(row) for row in members],
        invitations=[_invited(row) for row in unanswered_of(who.entity)],
        may_manage=may_manage,
        helpers="" if may_manage else listed(row.person.name for row in people.principals_of(who.entity)),
        member_columns=_columns(_("Name"), _("Role"), _("Last sign-in"), may_manage=may_manage),
        invitation_columns=_columns(_("Address"), _("Status"), may_manage=may_manage),
    )


def _columns(*labels: str, may_manage: bool) -> list[dict[str, Any]]:
    columns: list[dict[str, Any]] = [{"label": label} for label in labels]
    if len(columns) > 2:
        columns[-1]["class"] = "p2"  # the last column is what a phone can do without
    if may_manage:
        columns.append({"label": _("What you can do"), "is_silent": True})
    return columns


def _member(row: people.Row) -> dict[str, Any]:
    who, affiliation, person = contact(), row.affiliation, row.person
    return {
        "name": person.name,
        "title": person.title,
        "email": person.email if person.full_name else "",
        "is_self": person.id == who.person.id,
        "role_label": ROLE_LABELS[affiliation.role],
        "chips": chips(affiliation.permissions),
        "until": _("until %(day)s", day=day(affiliation.valid_until)) if affiliation.valid_until else "",
        "seen": _time(row.last_seen_at) if row.last_seen_at else None,
        "is_changeable": person.id != who.person.id,
        "role_url": url_for("portal.change_role", affiliation_id=affiliation.id),
        "sign_out_url": url_for("portal.sign_out_person", affiliation_id=affiliation.id),
        "end_url": url_for("portal.end_access", affiliation_id=affiliation.id),
    }


def _invited(row: Invitation) -> dict[str, Any]:
    state = row.state(clock.now())
    ends = _("ends %(when)s", when=relative(row.expires_at))
    ended = _("ended %(when)s", when=relative(row.expires_at))
    return {
        "email": row.email,
        "under": _(
            "%(role)s, invited by %(name)s on %(day)s",
            role=ROLE_LABELS[row.role],
            name=row.invited_by,
            day=day(row.created_at),
        ),
        "state": state.value,
        "when": ends if state is InvitationStatus.PENDING else ended,
        "resend_url": url_for("portal.resend_invitation", invitation_id=row.id),
        "cancel_url": url_for("portal.cancel_invitation", invitation_id=row.id),
    }


def _time(at: Any) -> dict[str, str]:
    return {"text": relative(at), "iso": utc(at), "title": moment(at)}


# MARK: Inviting


@portal.route("/team/invite", methods=["GET", "POST"])
@requires(Permission.MANAGE_TEAM)
def invite_person() -> ResponseReturnValue:
    """Invite somebody, as one of the roles that the inviter may give."""
    who = contact()
    if (asked := confirm_first()) is not None:
        return asked
    form = InviteForm(request.form)
    form.offer(people.grantable_roles(who))
    if request.method == "GET" or not form.validate():
        return _role_page("portal/people/invite.html", form)
    address = form.email.data
    try:
        with transaction():
            if submissions.claim(who, form.form_key.data, form.body) is None:
                people.invite(actor=who, entity=who.entity, email=address, role=form.chosen)
                submissions.settle(who, form.form_key.data, url_for("portal.list_team"))
    except Refusal as refusal:
        if refusal.status != 422:
            raise
        form.refuse(refusal)
        return _role_page("portal/people/invite.html", form)
    flash(_("Invitation sent to %(address)s", address=address), "success")
    return see_other(url_for("portal.list_team"))


@portal.post("/team/invitations/<int:invitation_id>/resend")
@requires(Permission.MANAGE_TEAM)
def resend_invitation(invitation_id: int) -> ResponseReturnValue:
    """Send an invitation again; one that expired is made anew."""
    who = contact()
    with transaction():
        invitation = people.find_invitation(actor=who, invitation_id=invitation_id)
        people.resend(actor=who, invitation=invitation)
    flash(_("Invitation sent to %(address)s again", address=invitation.email), "success")
    return see_other(url_for("portal.list_team"))


@portal.route("/team/invitations/<int:invitation_id>/cancel", methods=["GET", "POST"])
@requires(Permission.MANAGE_TEAM)
def cancel_invitation(invitation_id: int) -> ResponseReturnValue:
    """Take an invitation back, after saying what that means."""
    who = contact()
    invitation = people.find_invitation(actor=who, invitation_id=invitation_id)
    if request.method == "POST":
        with transaction():
            people.revoke(actor=who, invitation=invitation)
        flash(_("Invitation to %(address)s cancelled", address=invitation.email), "success")
        return see_other(url_for("portal.list_team"))
    return render_template(
        "portal/people/end.html",
        title=_("Cancel the invitation to %(address)s?", address=invitation.email),
        lines=[
            _("Link and code stop working at once."),
            _("You can invite the same address again."),
        ],
        action=url_for("portal.cancel_invitation", invitation_id=invitation.id),
        label=_("Cancel invitation"),
        back=_("Keep it"),
    )


# MARK: Changing


@portal.route("/team/<int:affiliation_id>/role", methods=["GET", "POST"])
@requires(Permission.MANAGE_TEAM)
def change_role(affiliation_id: int) -> ResponseReturnValue:
    """Give somebody of the team another role."""
    who = contact()
    affiliation = people.find_affiliation(actor=who, affiliation_id=affiliation_id)
    if (asked := confirm_first()) is not None:
        return asked
    form = RoleForm(request.form, role=affiliation.role.value)
    form.offer(people.grantable_roles(who))
    page = {
        "name": affiliation.person.name,
        "chips": chips(affiliation.permissions),
        "action": url_for("portal.change_role", affiliation_id=affiliation.id),
    }
    if request.method == "GET" or not form.validate():
        return _role_page("portal/people/role.html", form, **page)
    try:
        with transaction():
            people.change_role(actor=who, affiliation=affiliation, role=form.chosen)
    except Refusal as refusal:
        if refusal.status not in {409, 422}:
            raise
        form.refuse(refusal)
        return _role_page("portal/people/role.html", form, **page)
    said = {"name": affiliation.person.name, "role": ROLE_LABELS[form.chosen]}
    flash(_("%(name)s now has the role %(role)s", **said), "success")
    return see_other(url_for("portal.list_team"))


@portal.post("/team/<int:affiliation_id>/sign-out")
@requires(Permission.MANAGE_TEAM)
def sign_out_person(affiliation_id: int) -> ResponseReturnValue:
    """Sign somebody of the team out of every browser, as when a device is lost."""
    who = contact()
    with transaction():
        person = people.find_affiliation(actor=who, affiliation_id=affiliation_id).person
        sessions.end_all(actor=who, person=person)
    flash(_("%(name)s is signed out everywhere", name=person.name), "success")
    return see_other(url_for("portal.list_team"))


@portal.route("/team/<int:affiliation_id>/end", methods=["GET", "POST"])
@requires(Permission.MANAGE_TEAM)
def end_access(affiliation_id: int) -> ResponseReturnValue:
    """End somebody's place in the team, after saying what that means."""
    who = contact()
    affiliation = people.find_affiliation(actor=who, affiliation_id=affiliation_id)
    name = affiliation.person.name
    form, status = Form(), 200
    if request.method == "POST":
        try:
            with transaction():
                people.end(actor=who, affiliation=affiliation)
        except Refusal as refusal:
            if refusal.status not in {409, 422}:
                raise
            form.refuse(refusal)
            status = refusal.status
        else:
            flash(_("Access of %(name)s ended", name=name), "success")
            return see_other(url_for("portal.list_team"))
    page = render_template(
        "portal/people/end.html",
        form=form,
        title=_("End the access of %(name)s?", name=name),
        lines=[
            _(
                "They are signed out of %(entity)s at once and can no longer sign in to it.",
                entity=who.entity.name,
            ),
            _("What they did stays, under their name."),
            _("You can invite them again."),
        ],
        action=url_for("portal.end_access", affiliation_id=affiliation.id),
        label=_("End access"),
        back=_("Keep the access"),
    )
    return page, status


def _role_page(template: str, form: RoleForm, **values: Any) -> ResponseReturnValue:
    offered = [PartnerRole(value) for value, _label in form.role.choices]
    descriptions = {role.value: f"{can(role)} {cannot(role)}".strip() for role in offered}
    page = render_template(template, form=form, descriptions=descriptions, **values)
    return page, 422 if form.has_errors else 200
