"""Partner Management: the one view of everything under /admin/partners, put together from its parts."""

from typing import Any

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from admin.base import DeskView, staff
from admin.contacts import Contacts
from admin.invitations import Invitations
from admin.listed import Listed
from admin.new_partner import NewPartner
from admin.partner_edit import PartnerEdit
from admin.partner_list import EXPORTED, PARTNERS, PartnerList
from admin.partner_page import PartnerPage
from permissions import Permission, allowed, requires


class PartnersView(
    PartnerList, NewPartner, PartnerPage, PartnerEdit, Contacts, Invitations, Listed, DeskView
):
    """Partners: the list, a new one, and the page of each."""

    listing = PARTNERS

    @expose("/")
    @requires(Permission.READ_PARTNERS)
    def index(self) -> ResponseReturnValue:
        """The list of partners, as the address narrows it."""
        new: dict[str, Any] | None = None
        if allowed(staff(), Permission.EDIT_PARTNERS):
            new = {"url": url_for("partners.new"), "label": "Create new partner"}
        return self.show_list(
            "admin/partners/index.html",
            title="Partners",
            url=url_for("partners.index"),
            export_url=url_for("partners.export"),
            new=new,
            may_resend=allowed(staff(), Permission.RENEW_INVITATIONS),
        )

    @expose("/export", methods=["POST"])
    @requires(Permission.READ_PARTNERS)
    def export(self) -> ResponseReturnValue:
        """The partners that the address narrows the list to, as CSV."""
        return self.export_list(EXPORTED)


def views() -> list[DeskView]:
    """What this room adds to the desk."""
    return [PartnersView(name="Partners", endpoint="partners", url="/admin/partners")]
