"""What every view with a list does alike: show it, export it, keep its saved views."""

import re
from typing import Any

from flask import Response, flash, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

import clock
from admin.base import staff
from admin.listing import Listing, State
from admin.pages import page_of
from admin.sign_in import again_first
from models import Staff
from services import exports, saved_views
from services.errors import Refusal
from services.transaction import transaction
from web import see_other


class Listed:
    """Mixin for views of the desk that show `listing` at their address and save views of it."""

    listing: Listing
    endpoint: str

    def show_list(self, template: str = "admin/list.html", **values: Any) -> ResponseReturnValue:
        """The page of the list that the address asks for; give it at least `title` and `url`."""
        page = page_of(self.listing, self.listing.read(request.args))
        page.saved = saved_views.of(staff(), self.listing.name)
        values.setdefault("views_url", f"{values['url'].rstrip('/')}/views")
        return render_template(template, page=page, **values)

    def export_list(self, listing: Listing | None = None) -> ResponseReturnValue:
        """The list as the address narrows it, as a CSV file, after leaving a trace of it."""
        listing = listing or self.listing
        return csv_response(staff(), listing, listing.read(request.args))

    def mark(self, name: str) -> str | None:
        """Views of a list are kept and shared by whoever may read the list, and by nobody else."""
        whole = self._default_view if name in {"save_view", "remove_view"} else name  # type: ignore[attr-defined]
        return super().mark(whole)  # type: ignore[misc]

    @expose("/views", methods=["POST"])
    def save_view(self) -> ResponseReturnValue:
        """Keep the list as it stands under a name."""
        query = request.form.get("query", "")
        try:
            with transaction():
                view = saved_views.save(
                    actor=staff(),
                    page=self.listing.name,
                    name=request.form.get("name", ""),
                    query=query,
                    is_shared=request.form.get("is_shared") == "yes",
                )
        except Refusal as refusal:
            flash(str(refusal.text), "danger")
        else:
            flash(f"View “{view.name}” saved", "success")
        return see_other(self._home(query))

    @expose("/views/<int:view_id>/remove", methods=["POST"])
    def remove_view(self, view_id: int) -> ResponseReturnValue:
        """Forget a view of one's own."""
        with transaction():
            name = saved_views.remove(actor=staff(), page=self.listing.name, view_id=view_id)
        flash(f"View “{name}” removed", "success")
        return see_other(self._home())

    def _home(self, query: str = "") -> str:
        """The list's own address, with a query that reads like one of ours."""
        home = url_for(f"{self.endpoint}.{self._default_view}")  # type: ignore[attr-defined]
        plain = re.fullmatch(r"\??[A-Za-z0-9_\-.~%&=+]{1,2000}", query)
        return f"{home}?{query.removeprefix('?')}" if plain else home


def csv_response(actor: Staff, listing: Listing, state: State) -> ResponseReturnValue:
    """Every row of the state, streamed; the audit says who took how many, chosen how.

    Asks for a fresh sign-in first, which leads back to the list.
    """
    home = request.path.rpartition("/")[0]
    if (way := again_first(f"{home}/?{state.string()}")) is not None:
        return way
    chosen = [column for column in listing.columns if column.export is not None]
    with transaction():
        count = min(listing.count(state, exports.MOST_ROWS), exports.MOST_ROWS)
        exports.record(actor=actor, what=listing.nouns[1], count=count, filters=state.string())
    statement = listing.matching(state, *(column.export.label(column.key) for column in chosen))
    lines = exports.as_csv([column.label for column in chosen], exports.rows_of(statement))
    response = Response(stream_with_context(lines), content_type="text/csv; charset=utf-8")
    name = f"{listing.nouns[1].replace(' ', '-')}-{clock.now():%Y-%m-%d}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
