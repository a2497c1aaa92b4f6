"""Who somebody is, what the public reads about their partner, and how the portal looks to them."""

from typing import Any

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue

import config
from forms.people import EntityProfileForm, ProfileForm, zone_choices
from language import _
from models import OnboardingStatus
from permissions import Contact, Permission, allowed, public, requires, signed_in
from portal.door import contact, portal, same_site_path
from services import company, partners, people
from services.errors import Refusal
from services.transaction import transaction
from web import see_other

THEMES = ("light", "dark")
THEME_KEPT = 365 * 24 * 3600  # seconds


@portal.route("/profile", methods=["GET", "POST"])
@signed_in
def edit_profile() -> ResponseReturnValue:
    """Name, title, phone and time zone; after the first time the way leads on."""
    who = contact()
    is_setup = who.person.profile_completed_at is None
    form = ProfileForm(request.form, obj=who.person)
    form.time_zone.choices = zone_choices(company.current().time_zone, who.person.time_zone)
    form.offer_languages()
    if request.method == "GET" or not form.validate():
        return _show_profile(form, who, is_setup=is_setup)
    try:
        with transaction():
            people.complete_profile(
                actor=who,
                full_name=form.full_name.data,
                title=form.title.data or "",
                phone=form.phone.data or "",
                time_zone=form.time_zone.data or "",
                locale=(form.locale.data or "") if "locale" in form else None,
            )
    except Refusal as refusal:
        if refusal.status != 422:
            raise
        form.refuse(refusal)
        return _show_profile(form, who, is_setup=is_setup)
    if not is_setup:
        flash(_("Profile saved"), "success")
        return see_other(url_for("portal.edit_profile"))
    if _describes_entity(who):
        return see_other(url_for("portal.edit_entity"))
    flash(_("Profile saved. You are all set."), "success")
    return see_other(url_for("portal.show_dashboard"))


def _describes_entity(who: Contact) -> bool:
    """Whether the entity's profile comes next in the setup."""
    is_open = who.entity.onboarding_status is not OnboardingStatus.COMPLETED
    return is_open and allowed(who, Permission.EDIT_ENTITY)


def _show_profile(form: ProfileForm, who: Contact, *, is_setup: bool) -> ResponseReturnValue:
    chosen = request.cookies.get("theme", "")
    page = render_template(
        "portal/profile/edit.html",
        form=form,
        is_setup=is_setup,
        step={"number": 1, "of": 2 if _describes_entity(who) else 1},
        sections=_sections(who),
        email=who.person.email,
        themes=[
            {"value": "", "label": _("System"), "is_current": chosen not in THEMES},
            {"value": "light", "label": _("Light"), "is_current": chosen == "light"},
            {"value": "dark", "label": _("Dark"), "is_current": chosen == "dark"},
        ],
    )
    return page, 422 if form.has_errors else 200


@portal.route("/profile/entity", methods=["GET", "POST"])
@requires(Permission.EDIT_ENTITY)
def edit_entity() -> ResponseReturnValue:
    """What the public reads about the partner; the last step of the setup for a principal."""
    who = contact()
    is_setup = who.entity.onboarding_status is not OnboardingStatus.COMPLETED
    form = EntityProfileForm(request.form, obj=who.entity)
    if request.method == "GET" or not form.validate():
        return _show_entity(form, who, is_setup=is_setup)
    try:
        with transaction():
            partners.complete_entity_profile(
                actor=who,
                description=form.description.data,
                website=form.website.data or "",
                address=form.address.data or "",
                show_in_app=form.show_in_app.data,
            )
    except Refusal as refusal:
        if refusal.status != 422:
            raise
        form.refuse(refusal)
        return _show_entity(form, who, is_setup=is_setup)
    flash(_("Profile of %(entity)s saved", entity=who.entity.name), "success")
    return see_other(url_for("portal.show_dashboard" if is_setup else "portal.edit_entity"))


def _show_entity(form: EntityProfileForm, who: Contact, *, is_setup: bool) -> ResponseReturnValue:
    page = render_template(
        "portal/profile/entity.html",
        form=form,
        is_setup=is_setup,
        step={"number": 2, "of": 2},
        sections=_sections(who),
        entity=who.entity,
    )
    return page, 422 if form.has_errors else 200


def _sections(who: Contact) -> list[dict[str, Any]]:
    """The parts of the profile, where there is more than one."""
    if not allowed(who, Permission.EDIT_ENTITY):
        return []
    parts = ((_("You"), "portal.edit_profile"), (who.entity.name, "portal.edit_entity"))
    return [
        {"label": label, "url": url_for(endpoint), "is_current": request.endpoint == endpoint}
        for label, endpoint in parts
    ]


@portal.post("/theme")
@public
def choose_theme() -> ResponseReturnValue:
    """Light, dark, or as the system is: kept in a cookie that holds nothing else."""
    response = see_other(same_site_path(request.referrer, url_for("portal.edit_profile")))
    theme = request.form.get("theme", "")
    if theme in THEMES:
        is_secure = config.current().is_production
        response.set_cookie(
            "theme", theme, max_age=THEME_KEPT, samesite="Lax", secure=is_secure, httponly=True
        )
    else:
        response.delete_cookie("theme")
    return response
