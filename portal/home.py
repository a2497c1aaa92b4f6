"""The dashboard: what to do first, what waits for this person, what happened, and who helps."""

from typing import Any

from flask import render_template, url_for
from flask.typing import ResponseReturnValue

import clock
from forms.people import ROLE_LABELS, can, cannot
from language import _, day, listed, ngettext
from models import Invitation, InvitationStatus, PartnerRole
from permissions import Contact, Permission, allowed, public, requires, signed_in
from portal.door import contact, portal
from services import people, timeline
from services.invitations import unanswered_of
from web import see_other

LATEST = 8  #: happenings on the dashboard
ENDING_SOON = 14  # days


@public
def enter_portal() -> ResponseReturnValue:
    """The bare address of the site leads to the portal; the desk has its own."""
    return see_other(url_for("portal.index"))


@portal.get("/")
@signed_in
def index() -> ResponseReturnValue:
    """The portal's bare address."""
    return see_other(url_for("portal.show_dashboard"))


@portal.get("/dashboard")
@requires(Permission.VIEW_DASHBOARD)
def show_dashboard() -> ResponseReturnValue:
    """What waits for this person."""
    who = contact()
    first_name = who.person.full_name.split(" ")[0]
    team = people.contacts_of(who.entity)
    invited = unanswered_of(who.entity) if allowed(who, Permission.MANAGE_TEAM) else []
    tasks = _tasks(who, is_alone=len(team) == 1 and not invited)
    is_started = all(task["is_done"] for task in tasks)
    role = who.affiliation.role
    return render_template(
        "portal/home/dashboard.html",
        title=_("Hello, %(name)s", name=first_name) if first_name else _("Hello"),
        place=_place(who),
        tasks=[] if is_started else tasks,
        tasks_done=sum(task["is_done"] for task in tasks),
        waiting=_waiting(who, team, invited),
        events=timeline.timeline_of(entity=who.entity, limit=LATEST, for_partner=True, viewer=who),
        role={"label": ROLE_LABELS[role], "can": can(role), "cannot": cannot(role)},
        helpers="" if allowed(who, Permission.MANAGE_TEAM) else listed(_principals(team)),
    )


def _place(who: Contact) -> str:
    entity, organization = who.entity.name, who.entity.organization.name
    return entity if entity == organization else f"{entity}, {organization}"


def _principals(team: list[people.Row]) -> list[str]:
    return [row.person.name for row in team if row.affiliation.role is PartnerRole.PRINCIPAL]


def _tasks(who: Contact, *, is_alone: bool) -> list[dict[str, Any]]:
    """The steps at the beginning, those that this person may take."""
    tasks = [
        {
            "label": _("Complete your profile"),
            "url": url_for("portal.edit_profile"),
            "hint": _("Your name, title, phone and time zone"),
            "is_done": who.person.profile_completed_at is not None,
        }
    ]
    if allowed(who, Permission.EDIT_ENTITY):
        tasks.append(
            {
                "label": _("Describe %(entity)s", entity=who.entity.name),
                "url": url_for("portal.edit_entity"),
                "hint": _("What the public reads about you"),
                "is_done": bool(who.entity.description),
            }
        )
    if allowed(who, Permission.MANAGE_TEAM):
        tasks.append(
            {
                "label": _("Invite your team"),
                "url": url_for("portal.invite_person"),
                "hint": _("Each person signs in with their own address"),
                "is_done": not is_alone,
            }
        )
    return tasks


def _waiting(who: Contact, team: list[people.Row], invited: list[Invitation]) -> list[dict[str, Any]]:
    """What needs this person now, each with the page where it is done."""
    found: list[dict[str, Any]] = []
    now = clock.now()
    until = who.affiliation.valid_until
    if until is not None and (until - now).days < ENDING_SOON:
        found.append(
            {
                "label": _("Your access ends on %(day)s", day=day(until)),
                "hint": _("A principal of your team or our support can extend it"),
            }
        )
    if not allowed(who, Permission.MANAGE_TEAM):
        return found
    expired = sum(one.state(now) is InvitationStatus.EXPIRED for one in invited)
    if expired:
        found.append(
            {
                "label": ngettext("%(num)s invitation expired", "%(num)s invitations expired", expired),
                "url": url_for("portal.list_team"),
                "hint": _("Nobody used them in time; you can invite again"),
            }
        )
    if pending := len(invited) - expired:
        found.append(
            {
                "label": ngettext(
                    "%(num)s invitation waits for an answer",
                    "%(num)s invitations wait for an answer",
                    pending,
                ),
                "url": url_for("portal.list_team"),
                "hint": _("You can send them again or cancel them"),
            }
        )
    if len(team) > 1 and len(_principals(team)) == 1:
        found.append(
            {
                "label": _("You are the only principal"),
                "url": url_for("portal.list_team"),
                "hint": _("With a second one, your team is never locked out"),
            }
        )
    return found
