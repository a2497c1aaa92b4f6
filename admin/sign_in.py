"""How staff come in and leave: password, second factor, recovery code, a forgotten password."""

from collections.abc import Sequence

from flask import current_app, flash, render_template, request, url_for
from flask import session as forms_cookie
from flask.typing import ResponseReturnValue
from flask_admin import BaseView, expose
from flask_login import current_user
from itsdangerous import BadData, URLSafeSerializer

import clock
import config
from admin.base import DeskView, session, staff
from forms.base import Form
from forms.staff import AgainForm, AskPasswordForm, ChoosePasswordForm, CodeForm, RecoveryForm, SignInForm
from permissions import public, signed_in
from services import staff as accounts
from services import staff_sign_in
from services.errors import Gone, Refusal, TooMany
from services.staff_sign_in import Outcome, Pending, StaffSession
from services.transaction import transaction
from web import drop_cookie, families, safe_next, see_other, write_cookie

#: Where the forms' cookie keeps that somebody knew their password; signed, and opens nothing alone.
PENDING = "second_factor"
SECONDS = int(staff_sign_in.LONGEST_SESSION.total_seconds())


class SignInView(DeskView):
    """The pages before the desk, and the way out."""

    @expose("/login", methods=["GET", "POST"])
    @public
    def sign_in(self) -> ResponseReturnValue:
        """Email and password; the same answer for everything that is wrong."""
        form = SignInForm(request.form, next=safe_next(request.args.get("next")))
        if request.method == "GET":
            if current() is not None:
                return see_other(form.next.data or url_for("admin.index"))
            return _page("sign_in", form)
        if not form.validate():
            return _page("sign_in", form, 422)
        browser, system = families(request.user_agent.string)
        replaces = replaced()
        checked = staff_sign_in.check(email=form.email.data or "", password=form.password.data or "")
        with transaction():
            outcome = staff_sign_in.record(
                checked,
                browser=browser,
                system=system,
                password=form.password.data or "",
                replaces=replaces,
            )
        if outcome.refusal:
            return _refused("sign_in", form, outcome.refusal)
        if outcome.pending:
            forms_cookie[PENDING] = _sign(outcome.pending)
            return see_other(url_for(".second_factor", next=safe_next(form.next.data) or None))
        return arrive(outcome, form.next.data)

    @expose("/login/second-factor", methods=["GET", "POST"])
    @public
    def second_factor(self) -> ResponseReturnValue:
        """The code of the app, after the password."""
        return self._prove(CodeForm(request.form, next=safe_next(request.args.get("next"))), "second_factor")

    @expose("/login/recovery", methods=["GET", "POST"])
    @public
    def recovery(self) -> ResponseReturnValue:
        """A recovery code instead, for when the app is gone."""
        return self._prove(RecoveryForm(request.form, next=safe_next(request.args.get("next"))), "recovery")

    def _prove(self, form: Form, name: str) -> ResponseReturnValue:
        pending = _pending()
        if pending is None:
            flash("That took too long. Start with your password again.", "warn")
            return see_other(url_for(".sign_in", next=form.next.data or None))
        if request.method == "GET":
            return _page(name, form)
        if not form.validate():
            return _page(name, form, 422)
        browser, system = families(request.user_agent.string)
        replaces = replaced()
        checked = staff_sign_in.check_tries(pending)
        with transaction():
            outcome = staff_sign_in.prove(
                checked,
                code=form.code.data,
                browser=browser,
                system=system,
                is_recovery=name == "recovery",
                replaces=replaces,
            )
        if outcome.refusal:
            return _refused(name, form, outcome.refusal, field="code")
        staff_sign_in.forgive_tries(pending)
        return arrive(outcome, form.next.data)

    @expose("/login/again", methods=["GET", "POST"])
    @signed_in
    def again(self) -> ResponseReturnValue:
        """Password and code once more, before something that matters."""
        form = AgainForm(request.form, next=safe_next(request.args.get("next")))
        if request.method == "GET":
            return _page("again", form)
        who, here = staff(), session()
        if not form.validate():
            return _page("again", form, 422)
        browser, system = families(request.user_agent.string)
        checked = staff_sign_in.check(email=who.email_canonical, password=form.password.data or "")
        if checked.is_right and who.has_second_factor:
            tries = staff_sign_in.check_tries(Pending(who.id, who.epoch))
            checked = tries if tries.too_many else checked
        with transaction():
            outcome = staff_sign_in.confirm(
                here, checked, code=form.code.data or "", browser=browser, system=system
            )
        if outcome.refusal:
            return _refused("again", form, outcome.refusal)
        staff_sign_in.forgive_tries(Pending(who.id, who.epoch))
        return arrive(outcome, form.next.data)

    @expose("/logout", methods=["POST"])
    @public
    def sign_out(self) -> ResponseReturnValue:
        """Leave this browser; what it kept of our pages goes too."""
        here = current()
        if here is not None:
            with transaction():
                staff_sign_in.end(here)
        forms_cookie.clear()
        flash("You are signed out.", "success")
        response = see_other(url_for(".sign_in"))
        drop_cookie(response, "staff")
        response.headers["Clear-Site-Data"] = '"cache"'
        return response

    @expose("/password", methods=["GET", "POST"])
    @public
    def ask_password(self) -> ResponseReturnValue:
        """Have the link for a new password mailed; the same answer for every address."""
        form = AskPasswordForm(request.form)
        if request.method == "GET":
            return _page("ask_password", form)
        if not form.validate():
            return _page("ask_password", form, 422)
        try:
            accounts.ask_for_link(email=form.email.data or "")
        except TooMany as refusal:
            return _refused("ask_password", form, refusal)
        return see_other(url_for(".password_asked"))

    @expose("/password/sent")
    @public
    def password_asked(self) -> ResponseReturnValue:
        """What happens next, whoever asked."""
        return render_template("admin/sign_in/password_asked.html", door="desk")

    @expose("/password/<token>", methods=["GET", "POST"])
    @public
    def choose_password(self, token: str) -> ResponseReturnValue:
        """Choose a password by the mailed link; opening it spends nothing, and signs nobody in."""
        form = ChoosePasswordForm(request.form)
        try:
            who = accounts.look(token)
            if request.method == "POST" and form.validate():
                with transaction():
                    accounts.choose(token=token, password=form.password.data or "")
                flash("Your password is kept. Sign in with it.", "success")
                return see_other(url_for(".sign_in"))
        except Gone as gone:
            return _unlinked(gone)
        except Refusal as refusal:
            form.refuse(refusal)
        page = render_template("admin/sign_in/choose_password.html", form=form, who=who, door="desk")
        return _unreferred(page, 422 if form.has_errors else 200)


SignInView._default_view = "sign_in"


def views() -> Sequence[BaseView]:
    """The views of this file, for admin.register."""
    return [SignInView(name="Sign in", endpoint="staff_sign_in", url="/admin")]


def again_first(back: str) -> ResponseReturnValue | None:
    """The way to prove who one is, where that was longer ago than what matters allows; then `back`.

    None when the sign-in is fresh.
    """
    if session().is_fresh:
        return None
    return see_other(url_for("staff_sign_in.again", next=back))


def current() -> StaffSession | None:
    """The session behind this request, on pages that are open to everybody."""
    who = current_user._get_current_object()
    return who if isinstance(who, StaffSession) else None


def replaced() -> int | None:
    """The session of this browser that a new sign-in ends."""
    here = current()
    return here.id if here else None


def arrive(outcome: Outcome, next_path: str | None) -> ResponseReturnValue:
    """Hand out the new session, and go on to where they wanted to."""
    forms_cookie.clear()
    wanted = safe_next(next_path)
    response = see_other(wanted if wanted.startswith("/admin") else url_for("admin.index"))
    write_cookie(response, "staff", outcome.token, SECONDS)
    return response


def _signer() -> URLSafeSerializer:
    keys = [*config.current().secret_key_fallbacks, config.current().secret_key]
    return URLSafeSerializer(keys, salt="staff-second-factor")


def _sign(pending: Pending) -> str:
    return str(_signer().dumps([pending.staff_id, pending.epoch, clock.now().timestamp()]))


def _pending() -> Pending | None:
    try:
        staff_id, epoch, began = _signer().loads(forms_cookie.get(PENDING, ""))
    except BadData:
        return None
    is_late = clock.now().timestamp() - began > staff_sign_in.PENDING.total_seconds()
    return None if is_late else Pending(staff_id, epoch)


def _page(name: str, form: Form, status: int = 200) -> ResponseReturnValue:
    here = current()
    has_second_factor = here is not None and here.staff.has_second_factor
    page = render_template(
        f"admin/sign_in/{name}.html", form=form, door="desk", has_second_factor=has_second_factor
    )
    return page, status


def _refused(name: str, form: Form, refusal: Refusal, field: str = "") -> ResponseReturnValue:
    form.refuse(Refusal(refusal.text, field=refusal.field or field))
    response = current_app.make_response(_page(name, form, refusal.status))
    if isinstance(refusal, TooMany):
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def _unlinked(gone: Gone) -> ResponseReturnValue:
    titles = {
        "used": "Link already used",
        "expired": "This link has expired",
        "revoked": "Use the newest email",
    }
    title = titles.get(gone.cause, "This link is not complete")
    page = render_template("admin/sign_in/link_gone.html", title=title, text=gone.text, door="desk")
    return _unreferred(page, gone.status)


def _unreferred(page: str, status: int) -> ResponseReturnValue:
    """Pages whose address is a secret tell it to nobody."""
    return page, status, {"Referrer-Policy": "no-referrer"}
