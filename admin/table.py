"""TableView: a table of rows on Flask-Admin, closed, explicit and quick; RecordView adds editing.

Of Flask-Admin's own pages none is served: its list, forms, deletion, row actions and look-ups are
replaced by the list engine, by forms of named columns and by services.records, which saves.
"""

from typing import Any, ClassVar

from flask import Response, flash, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_admin.contrib.sqla import ModelView
from sqlalchemy import select
from sqlalchemy.orm import raiseload

from admin.base import Guarded, staff
from admin.editing import edit_record, new_record
from admin.filters import Suggested, spoken
from admin.listed import Listed
from admin.sign_in import again_first
from admin.suggestions import SUGGESTED
from admin.table_forms import RecordForm, form_of, is_secret, words_of
from models import db
from permissions import Permission, allowed
from services import records
from services.errors import NotFound
from web import see_other

#: What everybody may do with a table who may read it.
READING = {"index_view", "details_view", "export", "save_view", "remove_view"}


class TableView(Listed, Guarded, ModelView):
    """Rows to read: a list, a page for each, an export; nothing changes here."""

    title = ""
    reads = Permission.READ_AUDIT
    writes: Permission | None = None
    #: What a row's page shows, in order; named, never all.
    details: ClassVar[tuple[str, ...]] = ()
    labels: ClassVar[dict[str, str]] = {}
    lead = ""

    can_create = can_edit = can_delete = False
    can_view_details = can_export = True
    column_display_pk = False

    # Flask-Admin's own pages and verbs that are not ours: without their route there is no way in.
    create_view = edit_view = delete_view = action_view = None
    ajax_lookup = ajax_update = None

    def __init__(self, name: str) -> None:
        """`name` is the last part of the address: "people"."""
        super().__init__(
            self.listing.model,
            db,
            name=self.title,
            endpoint=self._endpoint_of(name),
            url=f"/admin/records/{name}",
        )
        self._check()

    def _endpoint_of(self, name: str) -> str:
        return name.replace("-", "_")

    def _check(self) -> None:
        """Refuse to start with columns that nobody named or nobody may see."""
        shown = [*self.details, *self.column_list, *(self.form_columns or ())]
        if not self.details or not self.column_list:
            raise TypeError(f"{type(self).__name__}: name the columns of list and page")
        if secret := [name for name in shown if is_secret(name)]:
            raise TypeError(f"{type(self).__name__} would show {', '.join(secret)}")
        for column in self.listing.columns:
            source = getattr(column.export, "key", "") or ""
            if is_secret(column.key) or is_secret(source):
                raise TypeError(f"{type(self).__name__} would export {source or column.key}")

    def mark(self, name: str) -> str | None:
        """Reading takes `reads`; methods of a view say for themselves what else they take."""
        return super().mark(name) or (self.reads if name in READING else None)

    # MARK: What Flask-Admin would make up by itself

    @property
    def column_list(self) -> tuple[str, ...]:
        return tuple(column.key for column in self.listing.columns)

    def get_list_columns(self) -> list[tuple[str, str]]:
        return [(column.key, column.label) for column in self.listing.columns]

    def get_details_columns(self) -> list[tuple[str, str]]:
        return [(name, self.label(name)) for name in self.details]

    def get_export_columns(self) -> list[tuple[str, str]]:
        return [(column.key, column.label) for column in self.listing.columns if column.export is not None]

    def get_sortable_columns(self) -> dict[str, str]:
        return {}

    def get_filters(self) -> None:
        return None

    def init_search(self) -> bool:
        return False

    def scaffold_auto_joins(self) -> list[Any]:
        return []

    def scaffold_form(self) -> type[RecordForm]:
        return RecordForm

    # MARK: Rows

    def get_one(self, id: Any) -> Any:  # noqa: A002 – Flask-Admin's name
        """The row of that id within the list's scope, with the relations of its page; NotFound else."""
        statement = select(self.model).where(self.model.id == int(id))
        if self.listing.scope is not None:
            statement = statement.where(self.listing.scope())
        row = db.session.scalar(statement.options(*self.listing.loads, raiseload("*")))
        if row is None:
            raise NotFound
        return row

    def label(self, name: str) -> str:
        return self.labels.get(name, spoken(name.removesuffix("_id").removesuffix("_at")))

    def value(self, row: Any, name: str) -> dict[str, Any]:
        """One line of a row's page: label, value and where it leads."""
        value = getattr(row, name)
        relation = name.removesuffix("_id")
        if name.endswith("_id") and value is not None and relation in self.model.__mapper__.relationships:
            other = getattr(row, relation)
            return {"label": self.label(name), "value": str(other), "url": record_url(other)}
        return {"label": self.label(name), "value": words_of(value), "is_mono": name in self.mono}

    mono: ClassVar[frozenset[str]] = frozenset(
        {"invitation_code", "email_canonical", "address", "request_id"}
    )

    def badges(self, row: Any) -> list[tuple[str, Any]]:
        """The states beside the name: kinds and values of components/badges.html."""
        return []

    def actions(self, row: Any) -> list[dict[str, str]]:
        """Ways on from a row's page: label and url."""
        return []

    def buttons(self, row: Any) -> list[dict[str, str]]:
        """What can be done with the row, as buttons that post: label and url."""
        return []

    # MARK: Pages

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """The list, as the address narrows it."""
        home = url_for(f"{self.endpoint}.index_view")
        return self.show_list(
            title=self.title,
            lead=self.lead,
            url=home,
            export_url=f"{home}export",
            new=self.new_link(),
            views_url=f"{home}views",
        )

    def new_link(self) -> dict[str, str] | None:
        """The button that makes a row, where this table has one."""
        return None

    @expose("/<int:record_id>")
    def details_view(self, record_id: int) -> ResponseReturnValue:
        """Everything of one row that may be read."""
        row = self.get_one(record_id)
        return render_template(
            "admin/records/show.html",
            view=self,
            row=row,
            name=self.name_of(row),
            badges=self.badges(row),
            lines=[self.value(row, name) for name in self.details],
            actions=self.actions(row),
            buttons=self.buttons(row),
            edit_url=self.edit_url(row),
            history_url=history_url(row) if allowed(staff(), Permission.READ_AUDIT) else "",
            home=url_for(f"{self.endpoint}.index_view"),
        )

    def name_of(self, row: Any) -> str:
        return str(row) if "__str__" in type(row).__dict__ else f"{self.listing.nouns[0]} {row.id}"

    def edit_url(self, row: Any) -> str:
        return ""

    @expose("/export", methods=["POST"])
    def export(self) -> ResponseReturnValue:
        """The rows of the list as it is narrowed, as CSV."""
        return self.export_list()


class RecordView(TableView):
    """Rows to edit directly: each save is shown before it is made, and refused on an old version."""

    reads = Permission.EDIT_RECORDS
    writes: Permission | None = Permission.EDIT_RECORDS
    #: Foreign keys and what is suggested for them: the other table's name in the address.
    references: ClassVar[dict[str, str]] = {}
    suggested: ClassVar[Suggested | None] = None
    hints: ClassVar[dict[str, str]] = {}
    looked_up_with = Permission.READ_PARTNERS
    can_edit = True

    def __init__(self, name: str) -> None:
        super().__init__(name)
        ADDRESSES[self.model.__tablename__] = (self.endpoint, self.reads)

    def _endpoint_of(self, name: str) -> str:
        return f"records_{name}"

    def mark(self, name: str) -> str | None:
        if name in {"edit_view", "create_view"}:
            return self.writes
        return self.looked_up_with if name == "lookup" else super().mark(name)

    def scaffold_form(self) -> type[RecordForm]:
        """The form of `form_columns`, which has to be named."""
        if not self.form_columns:
            raise TypeError(f"{type(self).__name__}: name the columns of the form")
        return form_of(
            self.model,
            tuple(self.form_columns),
            labels=self.labels,
            references={
                column: (SUGGESTED[table], f"records_{table}.lookup")
                for column, table in self.references.items()
            },
        )

    @property
    def record_form(self) -> type[RecordForm]:
        form: type[RecordForm] = self._edit_form_class
        return form

    def edit_url(self, row: Any) -> str:
        if not self.refuses_edit(row) and records.may_edit(staff(), self.model):
            return url_for(f"{self.endpoint}.edit_view", record_id=row.id)
        return ""

    def refuses_edit(self, row: Any) -> str:
        """Why this row is not edited any more; "" where it is."""
        return ""

    @expose("/<int:record_id>/edit", methods=["GET", "POST"])
    def edit_view(self, record_id: int) -> ResponseReturnValue:
        """Edit a row: the form, then what would change, then the save."""
        row = self.get_one(record_id)
        if records.needs_fresh(self.model) and (way := again_first(request.path)) is not None:
            return way
        if why := self.refuses_edit(row):
            flash(why, "warn")
            return see_other(url_for(f"{self.endpoint}.details_view", record_id=row.id))
        return edit_record(self, row)

    @expose("/lookup")
    def lookup(self) -> Response:
        """At most twenty rows whose name begins with or holds ?q=, as {id, label, hint}."""
        if self.suggested is None:
            raise NotFound
        return jsonify(self.suggested.find(request.args.get("q", "")))


class CreatingRecordView(RecordView):
    """A table to which rows are added directly."""

    can_create = True

    def new_link(self) -> dict[str, str] | None:
        if not records.may_edit(staff(), self.model):
            return None
        return {"label": f"New {self.listing.nouns[0]}", "url": url_for(f"{self.endpoint}.create_view")}

    @expose("/new", methods=["GET", "POST"])
    def create_view(self) -> ResponseReturnValue:
        """Make a row."""
        return new_record(self)


#: Of each table of records: the endpoint of its view and what it takes to read there.
ADDRESSES: dict[str, tuple[str, Permission]] = {}


def record_url(row: Any) -> str:
    """The page of a row among the records, where it has one that the reader may open."""
    found = ADDRESSES.get(row.__tablename__)
    if found is None or not allowed(staff(), found[1]):
        return ""
    return url_for(f"{found[0]}.details_view", record_id=row.id)


def history_url(row: Any) -> str:
    """What the audit log has about that row."""
    return url_for("audit.index", record=f"{row.__tablename__}:{row.id}")
