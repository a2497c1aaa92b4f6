"""The page of a partner: the frame of its tabs, the overview with what needs someone, and the history."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

import clock
import language
from admin.base import staff
from admin.filters import read_id
from forms.partners import NoteForm
from forms.people import ROLE_LABELS
from models import Entity, EntityStatus, OnboardingStatus, OrganizationStatus
from permissions import Permission, requires
from services import notes, partner_moves, partner_overview, partners, submissions, timeline
from services.errors import Refusal
from services.names import ENTITY_KIND_WORDS, KIND_WORDS
from services.partner_overview import EXPIRING, STUCK, Counts, Invited
from services.transaction import transaction
from web import see_other

P = Permission

HISTORY_LIMIT = 50
TAB_SIZE = 50  #: rows of a page of contacts or invitations
T = TypeVar("T")
KIND_LABELS = {
    timeline.ALL: "All",
    timeline.NOTES: "Notes",
    timeline.CHANGES: "Changes",
    timeline.SIGN_INS: "Sign-ins",
    timeline.EMAILS: "Emails",
}


def find(entity_id: int) -> Entity:
    """The partner that the address names, for who is signed in."""
    return partners.find_entity(actor=staff(), entity_id=entity_id)


def frame(entity: Entity, here: str) -> dict[str, Any]:
    """What every tab of a partner's page shows around its content."""
    counts = partner_overview.counts_of(entity)
    return {
        "entity": entity,
        "counts": counts,
        "facts": _facts(entity, counts),
        "tabs": _tabs(entity, counts, here),
        "moves": [
            (name, partner_moves.MOVES[name].label)
            for name in partner_moves.moves_of(actor=staff(), entity=entity)
        ],
        "organization_moves": [
            (name, partner_moves.ORGANIZATION_MOVES[name].label)
            for name in partner_moves.organization_moves_of(actor=staff(), organization=entity.organization)
        ],
        "role_labels": ROLE_LABELS,
        "kind_words": ENTITY_KIND_WORDS,
        "organization_kind_words": KIND_WORDS,
        "now": clock.now(),
    }


def _facts(entity: Entity, counts: Counts) -> list[dict[str, str]]:
    waiting = str(counts.waiting - counts.overdue)
    if counts.overdue:
        waiting += f", {counts.overdue} expired"
    return [
        {"label": "Contacts", "value": str(counts.contacts)},
        {"label": "Open invitations", "value": waiting},
        {"label": "Onboarding", "value": entity.onboarding_status.value.replace("_", " ").capitalize()},
        {
            "label": "Last sign-in",
            "value": language.relative(counts.last_seen_at) if counts.last_seen_at else "Never",
        },
        {"label": "Last activity", "value": language.relative(entity.last_activity_at)},
    ]


def _tabs(entity: Entity, counts: Counts, here: str) -> list[dict[str, Any]]:
    tabs = (
        ("show", "Overview", None),
        ("contacts", "Contacts", counts.contacts),
        ("invitations", "Invitations", counts.invitations),
        ("history", "History", None),
    )
    return [
        {
            "label": label,
            "url": url_for(f"partners.{name}", entity_id=entity.id),
            "is_current": name == here,
            "count": count,
        }
        for name, label, count in tabs
    ]


def paged(fetch: Callable[..., list[T]], here: str, entity: Entity) -> tuple[list[T], dict[str, Any]]:
    """The rows of the page that the address asks for, and the links to those beside it.

    `fetch` takes limit and offset; a page that is not there is the first.
    """
    asked = request.args.get("page", "")
    number = int(asked) if asked.isascii() and asked.isdigit() and 0 < len(asked) < 6 else 1
    rows = fetch(limit=TAB_SIZE + 1, offset=max(number - 1, 0) * TAB_SIZE)
    if not rows or number < 1:
        number, rows = 1, fetch(limit=TAB_SIZE + 1, offset=0)

    def url(to: int) -> str:
        return url_for(f"partners.{here}", entity_id=entity.id, page=to if to > 1 else None)

    before = (number - 1) * TAB_SIZE
    return rows[:TAB_SIZE], {
        "summary": f"{before + 1}–{before + min(len(rows), TAB_SIZE)}",
        "previous_url": url(number - 1) if number > 1 else "",
        "next_url": url(number + 1) if len(rows) > TAB_SIZE else "",
    }


def link_to(table: str, number: int) -> str:
    """Where a timeline's names lead."""
    if table == Entity.__tablename__:
        return url_for("partners.show", entity_id=number)
    return ""


def _kinds(entity: Entity, here: str) -> list[dict[str, Any]]:
    """The filters above the timeline; each is an address."""
    return [
        {
            "label": label,
            "url": url_for(
                "partners.history", entity_id=entity.id, kind=None if kind == timeline.ALL else kind
            ),
            "is_current": kind == here,
        }
        for kind, label in KIND_LABELS.items()
    ]


def _to_do(entity: Entity, counts: Counts, waiting: list[Invited]) -> list[dict[str, str]]:
    """What needs someone, the most pressing first: words, tone, icon, and where to do it."""
    invitations = url_for("partners.invitations", entity_id=entity.id)
    found = []

    def add(label: str, url: str, icon: str, tone: str) -> None:
        found.append({"label": label, "url": url, "icon": icon, "tone": tone})

    if entity.organization.status is OrganizationStatus.SUSPENDED:
        add(f"{entity.organization.name} is suspended: nobody can sign in", "", "ban", "danger")
    for one in waiting:
        where = url_for("partners.invitation", entity_id=entity.id, invitation_id=one.invitation.id)
        if one.fate.step == "failed":
            add(f"The email to {one.invitation.email} was not delivered", where, "mail-x", "danger")
        elif one.invitation.expires_at <= clock.now():
            add(f"The invitation of {one.invitation.email} has expired", where, "clock-x", "danger")
        elif one.invitation.expires_at <= clock.now() + EXPIRING:
            until = language.relative(one.invitation.expires_at)
            add(f"The invitation of {one.invitation.email} expires {until}", where, "clock", "warn")
    if entity.status is EntityStatus.PENDING and not counts.waiting:
        where = url_for("partners.new_contact", entity_id=entity.id)
        add("Nobody is invited yet: generate a code", where, "user-plus", "warn")
    if entity.status is EntityStatus.PENDING and clock.now() - entity.created_at > STUCK:
        add(f"Not activated since {language.day(entity.created_at)}", invitations, "hourglass", "warn")
    if entity.status is EntityStatus.ACTIVE and not counts.principals:
        where = url_for("partners.new_contact", entity_id=entity.id)
        add("No principal: nobody here can manage the team", where, "alert-triangle", "warn")
    if entity.status is EntityStatus.ACTIVE and entity.onboarding_status is not OnboardingStatus.COMPLETED:
        add("The profile setup is not completed", "", "progress", "info")
    return found


class PartnerPage:
    """Overview, history and notes of a partner; mixed into the view of partners."""

    @expose("/<int:entity_id>")
    @requires(P.READ_PARTNERS)
    def show(self, entity_id: int) -> ResponseReturnValue:
        """Everything about one partner on one page."""
        entity = find(entity_id)
        return self._overview(entity, NoteForm())

    def _overview(self, entity: Entity, form: NoteForm) -> ResponseReturnValue:
        shown = frame(entity, "show")
        waiting = partner_overview.invitations_of(entity, only_waiting=True, limit=5)
        kin = partner_overview.kin_of(entity)
        page = render_template(
            "admin/partners/show.html",
            **shown,
            form=form,
            contacts=partner_overview.contacts_of(entity, limit=5),
            waiting=waiting,
            kin=kin[:50],
            has_more_kin=len(kin) > 50,
            to_do=_to_do(entity, shown["counts"], waiting),
            kinds=_kinds(entity, timeline.ALL),
            timeline=timeline.timeline_of(entity=entity, limit=10, link=link_to),
        )
        return page, 422 if form.has_errors else 200

    @expose("/<int:entity_id>/history")
    @requires(P.READ_PARTNERS)
    def history(self, entity_id: int) -> ResponseReturnValue:
        """What happened to the partner, newest first, by kind."""
        entity = find(entity_id)
        kind = request.args.get("kind", timeline.ALL)
        kind = kind if kind in timeline.KINDS else timeline.ALL
        before = read_id(request.args.get("before"))
        return render_template(
            "admin/partners/history.html",
            **frame(entity, "history"),
            kind=kind,
            kinds=_kinds(entity, kind),
            is_first=before is None,
            timeline=timeline.timeline_of(
                entity=entity, limit=HISTORY_LIMIT, before=before, kind=kind, link=link_to
            ),
            form=NoteForm(),
        )

    @expose("/<int:entity_id>/notes", methods=["POST"])
    @requires(P.WRITE_NOTES)
    def add_note(self, entity_id: int) -> ResponseReturnValue:
        """Write something down about the partner."""
        entity = find(entity_id)
        form = NoteForm(request.form)
        if not form.validate():
            return self._overview(entity, form)
        try:
            with transaction():
                if submissions.claim(staff(), form.form_key.data, form.body) is None:
                    notes.add(actor=staff(), entity=entity, body=form.text.data)
        except Refusal as refusal:
            form.refuse(refusal)
            return self._overview(find(entity_id), form)
        flash("Note saved.", "success")
        return see_other(f"{url_for('partners.show', entity_id=entity_id)}#activity")
