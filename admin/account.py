"""One's own account: password, second factor, recovery codes, browsers that are signed in, preferences."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import segno
from flask import Response, current_app, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import BaseView, expose

from admin.base import DeskView, session, staff
from admin.filters import read_id
from admin.sign_in import SECONDS, again_first
from forms.people import zone_choices
from forms.staff import ROLE_LABELS, ChoosePasswordForm, PreferencesForm, SetupForm
from language import moment, relative, utc
from models import Session
from permissions import signed_in
from services import company, second_factor, staff_sign_in
from services import staff as accounts
from services.errors import NotFound, Refusal
from services.transaction import transaction
from web import families, see_other, write_cookie


class AccountView(DeskView):
    """What one of us sets for themselves; nobody else's account is ever named here."""

    @expose("/", methods=["GET", "POST"])
    @signed_in
    def index(self) -> ResponseReturnValue:
        """Everything on one page, and the preferences to change."""
        who = staff()
        form = PreferencesForm(request.form if request.method == "POST" else None, obj=who)
        form.time_zone.choices = zone_choices(company.current().time_zone, who.time_zone)
        if request.method == "POST" and form.validate():
            try:
                with transaction():
                    accounts.change_preferences(
                        staff=who,
                        time_zone=form.time_zone.data,
                        has_letter_keys=bool(form.has_letter_keys.data),
                    )
            except Refusal as refusal:
                form.refuse(refusal)
            else:
                flash("Preferences saved", "success")
                return see_other(url_for(".index"))
        page = render_template(
            "admin/account/show.html",
            form=form,
            who=who,
            role=ROLE_LABELS[who.role],
            added={"text": moment(who.totp_confirmed_at), "iso": utc(who.totp_confirmed_at)}
            if who.totp_confirmed_at
            else None,
            codes_left=second_factor.recovery_codes_left(who),
            browsers=browsers(staff_sign_in.sessions_of(who), session().id),
        )
        return page, 422 if form.has_errors else 200

    @expose("/password", methods=["GET", "POST"])
    @signed_in
    def password(self) -> ResponseReturnValue:
        """Another password; every other browser is signed out."""
        if way := again_first(url_for(".password")):
            return way
        form = ChoosePasswordForm(request.form)
        if request.method == "POST" and form.validate():
            try:
                with transaction():
                    accounts.change_password(
                        staff=staff(), password=form.password.data or "", session_id=session().id
                    )
            except Refusal as refusal:
                form.refuse(refusal)
            else:
                flash("Password changed. Other browsers are signed out.", "success")
                return see_other(url_for(".index"))
        page = render_template("admin/account/password.html", form=form, who=staff())
        return page, 422 if form.has_errors else 200

    @expose("/second-factor", methods=["GET", "POST"])
    @signed_in
    def second_factor(self) -> ResponseReturnValue:
        """Scan, type the first code, get the recovery codes; an earlier second factor holds until then."""
        if way := again_first(url_for(".second_factor")):
            return way
        who = staff()
        form = SetupForm(request.form)
        setup = second_factor.read(who, form.state.data or "") if request.method == "POST" else None
        if request.method == "POST" and setup is None:
            flash("That took too long. Scan the new picture.", "warn")
            return see_other(url_for(".second_factor"))
        if setup is not None and form.validate():
            browser, system = families(request.user_agent.string)
            try:
                with transaction():
                    codes, token = staff_sign_in.enrol(
                        session=session(),
                        setup=setup,
                        code=form.code.data or "",
                        browser=browser,
                        system=system,
                    )
            except Refusal as refusal:
                form.refuse(refusal)
            else:
                flash("Second factor set up. Other browsers are signed out.", "success")
                response = current_app.make_response(_codes_page(codes))
                write_cookie(response, "staff", token, SECONDS)
                return response
        setup = setup or second_factor.begin(who)
        form.state.data = setup.state
        page = render_template(
            "admin/account/second_factor.html", form=form, secret=_in_fours(setup.secret), who=who
        )
        return page, 422 if form.has_errors else 200

    @expose("/second-factor/code.svg")
    @signed_in
    def second_factor_code(self) -> ResponseReturnValue:
        """The QR code of a second factor on its way; the address holds it sealed, for this person alone."""
        setup = second_factor.read(staff(), request.args.get("state", ""))
        if setup is None:
            raise NotFound
        drawn = BytesIO()
        segno.make(setup.uri, error="m", micro=False).save(
            drawn,
            kind="svg",
            scale=5,
            border=4,
            dark="#000000",
            light="#ffffff",
            xmldecl=False,
            omitsize=False,
        )
        return Response(drawn.getvalue(), mimetype="image/svg+xml")

    @expose("/recovery-codes", methods=["GET", "POST"])
    @signed_in
    def recovery_codes(self) -> ResponseReturnValue:
        """Ten new codes instead of the old ones, shown this once."""
        if way := again_first(url_for(".recovery_codes")):
            return way
        if request.method == "GET":
            left = second_factor.recovery_codes_left(staff())
            return render_template("admin/account/new_recovery_codes.html", left=left, who=staff())
        with transaction():
            codes = second_factor.new_recovery_codes(staff=staff())
        return _codes_page(codes)

    @expose("/sessions/end", methods=["POST"])
    @signed_in
    def end_session(self) -> ResponseReturnValue:
        """Sign one of one's browsers out."""
        number = read_id(request.form.get("id"))
        if number is None:
            raise NotFound
        with transaction():
            staff_sign_in.end_one(actor=staff(), session_id=number)
        flash("That browser is signed out", "success")
        return see_other(url_for(".index"))

    @expose("/sessions/end-others", methods=["POST"])
    @signed_in
    def end_other_sessions(self) -> ResponseReturnValue:
        """Sign every browser but this one out."""
        with transaction():
            staff_sign_in.end_all(actor=staff(), staff=staff(), keep=session().id)
        flash("Every other browser is signed out", "success")
        return see_other(url_for(".index"))


def views() -> Sequence[BaseView]:
    """The views of this file, for admin.register."""
    return [AccountView(name="Your account", endpoint="account", url="/admin/account")]


def browsers(rows: Sequence[Session], here: int | None = None) -> list[dict[str, Any]]:
    """Sessions as a page lists them."""
    return [
        {
            "id": row.id,
            "browser": f"{row.browser} on {row.system}",
            "address": row.address,
            "seen": {
                "text": relative(row.last_seen_at),
                "iso": utc(row.last_seen_at),
                "title": moment(row.last_seen_at),
            },
            "began": {"text": moment(row.created_at), "iso": utc(row.created_at)},
            "is_current": row.id == here,
        }
        for row in sorted(rows, key=lambda row: row.id != here)
    ]


def _codes_page(codes: list[str]) -> str:
    return render_template("admin/account/recovery_codes.html", codes=codes)


def _in_fours(secret: str) -> str:
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
