"""Settings of the desk: who works here, and how we look to partners."""

from collections.abc import Callable, Sequence

from flask import Response, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import BaseView, expose

from admin.account import browsers
from admin.base import DeskView, staff
from admin.sign_in import again_first
from forms.base import Form
from forms.people import zone_choices
from forms.settings import BrandForm, LogoForm
from forms.staff import ROLE_HINTS, ROLE_LABELS, NewStaffForm, ReasonForm, StaffForm
from language import moment, relative, utc
from models import Staff, StaffRole
from permissions import Permission, allowed, requires
from services import brand, company, logo, second_factor, staff_sign_in
from services import staff as accounts
from services.errors import NotFound, Refusal
from services.transaction import transaction
from web import see_other

MANAGE = Permission.MANAGE_STAFF


class StaffSettingsView(DeskView):
    """Colleagues: their accounts, roles and ways back in."""

    @expose("/")
    @requires(Permission.READ_STAFF)
    def index(self) -> ResponseReturnValue:
        """Everybody with an account."""
        rows = [
            {
                "id": row.id,
                "name": row.name,
                "email": row.email,
                "role": ROLE_LABELS[row.role],
                "state": state_of(row),
                "has_second_factor": row.has_second_factor,
                "seen": _seen(row),
            }
            for row in accounts.everyone(actor=staff())
        ]
        return render_template(
            "admin/settings/staff/list.html", rows=rows, may_manage=allowed(staff(), MANAGE)
        )

    @expose("/new", methods=["GET", "POST"])
    @requires(MANAGE)
    def create(self) -> ResponseReturnValue:
        """An account for a colleague, who is mailed a link to choose a password."""
        if way := again_first(url_for(".create")):
            return way
        form = NewStaffForm(request.form)
        if request.method == "POST" and form.validate():
            try:
                with transaction():
                    made = accounts.create(
                        actor=staff(),
                        email=form.email.data or "",
                        full_name=form.full_name.data or "",
                        role=StaffRole(form.role.data),
                    )
            except Refusal as refusal:
                form.refuse(refusal)
            else:
                flash(
                    f"{made.name} has an account. We mailed {made.email} a link that works for an hour.",
                    "success",
                )
                return see_other(url_for(".show", staff_id=made.id))
        page = render_template("admin/settings/staff/new.html", form=form, role_hints=ROLE_HINTS)
        return page, 422 if form.has_errors else 200

    @expose("/<int:staff_id>", methods=["GET"])
    @requires(Permission.READ_STAFF)
    def show(self, staff_id: int) -> ResponseReturnValue:
        """One account: what it is, and where it is signed in."""
        return self._show(self._find(staff_id))

    @expose("/<int:staff_id>", methods=["POST"])
    @requires(MANAGE)
    def change(self, staff_id: int) -> ResponseReturnValue:
        """Another name or role."""
        row = self._find(staff_id)
        if way := again_first(self._page_of(row)):
            return way
        form = StaffForm(request.form)
        if form.validate():
            try:
                with transaction():
                    accounts.change(
                        actor=staff(),
                        staff=row,
                        full_name=form.full_name.data or "",
                        role=StaffRole(form.role.data),
                        version=_number(form.version.data),
                    )
            except Refusal as refusal:
                form.refuse(refusal)
                form.version.data = str(row.version)
                return self._show(row, form, refusal.status)
            flash(f"{row.name} saved", "success")
            return see_other(self._page_of(row))
        return self._show(row, form, 422)

    @expose("/<int:staff_id>/link", methods=["POST"])
    @requires(MANAGE)
    def send_link(self, staff_id: int) -> ResponseReturnValue:
        """Mail the link for a new password."""
        return self._act(staff_id, accounts.send_link, "We mailed {0.email} a link that works for an hour.")

    @expose("/<int:staff_id>/sign-out", methods=["POST"])
    @requires(MANAGE)
    def sign_out(self, staff_id: int) -> ResponseReturnValue:
        """Sign somebody out everywhere."""
        return self._act(staff_id, staff_sign_in.end_all, "{0.name} is signed out everywhere.")

    @expose("/<int:staff_id>/open", methods=["POST"])
    @requires(MANAGE)
    def reactivate(self, staff_id: int) -> ResponseReturnValue:
        """Open a closed account again."""
        return self._act(
            staff_id, accounts.reactivate, "{0.name} can choose a password; we mailed {0.email}."
        )

    @expose("/<int:staff_id>/second-factor", methods=["GET", "POST"])
    @requires(MANAGE)
    def remove_second_factor(self, staff_id: int) -> ResponseReturnValue:
        """Take a lost second factor away; a page of its own, with a reason."""
        return self._with_reason(
            staff_id,
            "remove_second_factor",
            second_factor.remove,
            "{0.name} sets up another second factor after the next sign-in. They were told by email.",
        )

    @expose("/<int:staff_id>/close", methods=["GET", "POST"])
    @requires(MANAGE)
    def deactivate(self, staff_id: int) -> ResponseReturnValue:
        """Close an account; a page of its own, with a reason."""
        return self._with_reason(staff_id, "close", accounts.deactivate, "The account of {0.name} is closed.")

    def _find(self, staff_id: int) -> Staff:
        if staff_id >= 2**31:
            raise NotFound
        return accounts.find(actor=staff(), staff_id=staff_id)

    def _page_of(self, row: Staff) -> str:
        return str(url_for(".show", staff_id=row.id))

    def _show(self, row: Staff, form: StaffForm | None = None, status: int = 200) -> ResponseReturnValue:
        if form is None:
            form = StaffForm(version=row.version, full_name=row.full_name, role=row.role.value)
        page = render_template(
            "admin/settings/staff/show.html",
            form=form,
            who=row,
            state=state_of(row),
            role=ROLE_LABELS[row.role],
            role_hints=ROLE_HINTS,
            seen=_seen(row),
            browsers=browsers(staff_sign_in.sessions_of(row)),
            is_me=row.id == staff().id,
            may_manage=allowed(staff(), MANAGE),
        )
        return page, status

    def _act(self, staff_id: int, verb: Callable[..., object], sentence: str) -> ResponseReturnValue:
        row = self._find(staff_id)
        if way := again_first(self._page_of(row)):
            return way
        with transaction():
            verb(actor=staff(), staff=row)
        flash(sentence.format(row), "success")
        return see_other(self._page_of(row))

    def _with_reason(
        self, staff_id: int, name: str, verb: Callable[..., object], sentence: str
    ) -> ResponseReturnValue:
        row = self._find(staff_id)
        if way := again_first(request.path):
            return way
        form = ReasonForm(request.form)
        if request.method == "POST" and form.validate():
            try:
                with transaction():
                    verb(actor=staff(), staff=row, reason=form.reason.data or "")
            except Refusal as refusal:
                form.refuse(refusal)
                return _reason_page(name, form, row, refusal.status)
            flash(sentence.format(row), "success")
            return see_other(self._page_of(row))
        return _reason_page(name, form, row, 422 if form.has_errors else 200)


class BrandSettingsView(DeskView):
    """Our name, colour and logo as partners see them."""

    @expose("/", methods=["GET", "POST"])
    @requires(Permission.MANAGE_BRAND)
    def index(self) -> ResponseReturnValue:
        """The brand, with a preview of the colour that is typed."""
        ours = company.current()
        form = BrandForm(request.form if request.method == "POST" else None, obj=ours)
        form.time_zone.choices = _zones()
        if request.method == "POST" and "preview" not in request.form and form.validate():
            try:
                with transaction():
                    company.change(
                        actor=staff(),
                        version=_number(form.version.data),
                        name=form.name.data or "",
                        portal_name=form.portal_name.data or "",
                        brand_colour=form.brand_colour.data or "",
                        support_email=form.support_email.data or "",
                        time_zone=form.time_zone.data,
                    )
            except Refusal as refusal:
                form.refuse(refusal)
                form.version.data = str(company.current().version)
                return _brand_page(form, LogoForm(), refusal.status)
            flash("Brand saved", "success")
            return see_other(url_for(".index"))
        return _brand_page(form, LogoForm(), 422 if form.has_errors else 200)

    @expose("/preview")
    @requires(Permission.MANAGE_BRAND)
    def preview(self) -> ResponseReturnValue:
        """The part of the page that shows a colour, for the script that swaps it in."""
        shown = _shown(request.args.get("colour", ""))
        return render_template("admin/settings/brand/_preview.html", preview=shown)

    @expose("/preview.svg")
    @requires(Permission.MANAGE_BRAND)
    def preview_svg(self) -> ResponseReturnValue:
        """A picture of header, button and link in a colour, light and dark."""
        try:
            colour = brand.parse(request.args.get("colour", ""))
        except ValueError as error:
            raise NotFound from error
        palettes = [(brand.GROUNDS[theme], brand.derive(colour, theme)) for theme in ("light", "dark")]
        name = company.current().portal_name
        drawn = render_template(
            "admin/settings/brand/preview.svg",
            palettes=palettes,
            name=name if len(name) <= 24 else f"{name[:23]}…",
        )
        return Response(drawn, mimetype="image/svg+xml")

    @expose("/logo", methods=["POST"])
    @requires(Permission.MANAGE_BRAND)
    def upload_logo(self) -> ResponseReturnValue:
        """Another logo."""
        form = LogoForm(request.files)
        sent = request.files.get("logo")
        try:
            kept = company.keep_logo(
                actor=staff(), uploaded=sent.read(logo.LARGEST_FILE + 1) if sent and sent.filename else b""
            )
        except Refusal as refusal:
            form.refuse(refusal)
            return _brand_page(BrandForm(obj=company.current()), form, refusal.status)
        with transaction():
            company.change_logo(actor=staff(), kept=kept)
        flash("Logo changed", "success")
        return see_other(url_for(".index"))

    @expose("/logo/remove", methods=["POST"])
    @requires(Permission.MANAGE_BRAND)
    def remove_logo(self) -> ResponseReturnValue:
        """No logo: partners read the portal's name instead."""
        with transaction():
            company.remove_logo(actor=staff())
        flash("Logo removed", "success")
        return see_other(url_for(".index"))

    @expose("/reset", methods=["POST"])
    @requires(Permission.MANAGE_BRAND)
    def reset(self) -> ResponseReturnValue:
        """Back to the colour that Portico came with, and no logo."""
        with transaction():
            company.reset(actor=staff())
        flash("Colour and logo are as Portico came", "success")
        return see_other(url_for(".index"))


def views() -> Sequence[BaseView]:
    """The views of this file, for admin.register."""
    return [
        StaffSettingsView(name="Staff", endpoint="settings_staff", url="/admin/settings/staff"),
        BrandSettingsView(name="Brand", endpoint="settings_brand", url="/admin/settings/brand"),
    ]


def state_of(row: Staff) -> str:
    """The word of an account's state: a key of components/badges.html."""
    if not row.is_active:
        return "deactivated"
    return "active" if row.password_hash else "invited"


def _seen(row: Staff) -> dict[str, str] | None:
    if row.last_seen_at is None:
        return None
    seen = row.last_seen_at
    return {"text": relative(seen), "iso": utc(seen), "title": moment(seen)}


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def _reason_page(name: str, form: Form, row: Staff, status: int) -> ResponseReturnValue:
    page = render_template(
        f"admin/settings/staff/{name}.html",
        form=form,
        who=row,
        back=url_for("settings_staff.show", staff_id=row.id),
        sessions=len(staff_sign_in.sessions_of(row)),
    )
    return page, status


def _zones() -> dict[str, list[tuple[str, str]]]:
    zones = zone_choices("UTC", company.current().time_zone)
    return {group: [choice for choice in choices if choice[0]] for group, choices in zones.items()}


def _shown(typed: str) -> dict[str, str] | None:
    """What a colour means for the text on it; None for what is no colour."""
    try:
        palette = brand.derive(typed, "light")
    except ValueError:
        return None
    return {
        "colour": palette.brand,
        "text": "white" if palette.on_brand == brand.WHITE else "black",
        "contrast": f"{brand.contrast(palette.brand, palette.on_brand):.1f}",
    }


def _brand_page(form: BrandForm, logo_form: LogoForm, status: int) -> ResponseReturnValue:
    form.time_zone.choices = _zones()
    page = render_template(
        "admin/settings/brand/edit.html",
        form=form,
        logo_form=logo_form,
        preview=_shown(form.brand_colour.data or ""),
        ours=company.current(),
    )
    return page, status
