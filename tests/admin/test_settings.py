"""Settings of the desk: staff and brand."""

import io

import pytest
from PIL import Image
from sqlalchemy import select

from models import AuditEvent, Mail, StaffRole, db
from services import company, passwords
from tests import cast, make

GOOD = "a lantern under the wet bridge"
KEPT = passwords.hash_of(GOOD)


def desk_of(browse, who):
    browse.keep_cookie("staff", make.desk(cast.staff(who)))
    return browse


@pytest.fixture
def sam(browse):
    """An administrator's browser."""
    return desk_of(browse, cast.SAM)


@pytest.fixture
def operations(browse):
    return desk_of(browse, cast.DANA)


def picture(kind: str = "PNG", size: tuple[int, int] = (600, 200)) -> bytes:
    packed = io.BytesIO()
    Image.new("RGB", size, "#00aa77").save(packed, kind)
    return packed.getvalue()


# MARK: Staff


def test_everybody_is_listed_in_one_number_of_queries(sam, queries):
    cast.staff(cast.DANA)
    with queries() as few:
        page = sam.get("/admin/settings/staff/")
    assert "Dana Ortiz" in page
    for number in range(20):
        make.staff(StaffRole.SUPPORT, full_name=f"Somebody {number}")
    with queries() as many:
        page = sam.get("/admin/settings/staff/")
    assert len(page.texts("tbody tr")) == 22
    assert len(many) == len(few)


def test_a_colleague_is_added_and_mailed_a_link(sam, mailbox):
    page = sam.get("/admin/settings/staff/").follow("Add a colleague")
    wrong = page.submit("Add colleague", full_name="Zoe Quist", email="sam@northwind.example", role="support")
    assert wrong.status == 422
    assert "already" in wrong.errors["email"]

    page = wrong.submit("Add colleague", email="zoe@northwind.example")
    assert page.heading == "Zoe Quist"
    assert "We mailed zoe@northwind.example" in page
    letter = next(letter for letter in mailbox.collect() if letter.recipients == ["zoe@northwind.example"])
    assert letter.link("/admin/password/")


def test_name_and_role_are_changed(sam):
    dana = cast.staff(cast.DANA)
    page = sam.submit(f"/admin/settings/staff/{dana.id}", "Save account", full_name="Dana O.", role="support")
    assert page.heading == "Dana O."
    db.session.refresh(dana)
    assert dana.role is StaffRole.SUPPORT


def test_two_administrators_at_the_same_form_do_not_undo_each_other(sam):
    dana = cast.staff(cast.DANA)
    page = sam.get(f"/admin/settings/staff/{dana.id}")
    sam.submit(f"/admin/settings/staff/{dana.id}", "Save account", full_name="Dana First")
    late = page.submit("Save account", full_name="Dana Second")
    assert late.status == 409
    assert "Dana First" in late
    assert late.find("#full_name").attributes["value"] == "Dana Second"
    assert late.submit("Save account").heading == "Dana Second"


def test_oneself_is_shown_without_the_means_to_lock_oneself_out(sam):
    me = cast.staff(cast.SAM)
    page = sam.get(f"/admin/settings/staff/{me.id}")
    assert "This is you" in page
    assert not page.html.css("main form")


def test_a_lost_second_factor_is_removed_with_a_reason(sam, mailbox):
    dana = make.staff(
        StaffRole.OPERATIONS,
        email=cast.DANA.email,
        full_name="Dana Ortiz",
        totp_secret="sealed",
        totp_confirmed_at=make.clock.now(),
    )
    page = sam.get(f"/admin/settings/staff/{dana.id}").follow("Remove it")
    assert page.submit("Remove second factor").errors["reason"] == "Error: Enter the reason"
    page = page.submit("Remove second factor", reason="Called back on the known number")
    assert page.heading == "Dana Ortiz"
    db.session.refresh(dana)
    assert not dana.has_second_factor
    letter = next(letter for letter in mailbox.collect() if "second factor was removed" in letter.subject)
    assert letter.recipients == [dana.email]


def test_an_account_is_closed_and_opened_again(sam, browse):
    dana = cast.staff(cast.DANA)
    other = desk_of(browse.another(), cast.DANA)
    page = sam.get(f"/admin/settings/staff/{dana.id}").follow("Close account")
    assert "(1 now)" in page
    page = page.submit("Close account", reason="Left the company")
    assert "is closed" in page
    assert other.get("/admin/").heading == "Sign in to the desk"

    page = page.submit("Open it")
    assert "can choose a password" in page
    event = db.session.scalars(select(AuditEvent).where(AuditEvent.reason == "Left the company")).one()
    assert event.changes[f"staff_users:{dana.id}"]["is_active"] == [True, False]


def test_somebody_is_signed_out_everywhere_and_sent_a_link(sam, browse):
    dana = cast.staff(cast.DANA)
    other = desk_of(browse.another(), cast.DANA)
    page = sam.submit(f"/admin/settings/staff/{dana.id}", "main form[action$='/sign-out']")
    assert "signed out everywhere" in page
    assert other.get("/admin/").heading == "Sign in to the desk"
    page = page.submit("Email the link")
    assert "We mailed" in page
    assert (
        db.session.scalars(select(Mail).where(Mail.staff_id == dana.id)).one().verb == "staff.password_link"
    )


def test_an_auditor_reads_and_changes_nothing(browse):
    dana = cast.staff(cast.DANA)
    ingrid = desk_of(browse, cast.INGRID)
    assert "Add a colleague" not in ingrid.get("/admin/settings/staff/")
    page = ingrid.get(f"/admin/settings/staff/{dana.id}")
    assert page.status == 200
    assert not page.html.css("main form, main .button")


@pytest.mark.parametrize("who", [cast.DANA, cast.PRIYA, cast.TOMAS])
def test_others_do_not_see_staff(browse, who):
    assert desk_of(browse, who).get("/admin/settings/staff/").status == 403


@pytest.mark.parametrize("who", [cast.DANA, cast.PRIYA, cast.TOMAS, cast.INGRID])
def test_only_administrators_change_staff(browse, who):
    sam = cast.staff(cast.SAM)
    visitor = desk_of(browse, who)
    token = visitor.get("/admin/account/").find('input[name="csrf_token"]').attributes["value"]
    for path in (
        "new",
        f"{sam.id}",
        f"{sam.id}/link",
        f"{sam.id}/sign-out",
        f"{sam.id}/close",
        f"{sam.id}/open",
    ):
        page = visitor.post(f"/admin/settings/staff/{path}", {"csrf_token": token, "reason": "x"})
        assert page.status == 403, path


def test_an_old_sign_in_is_asked_once_more(browse, time):
    make.staff(StaffRole.ADMIN, email=cast.SAM.email, full_name="Sam", password_hash=KEPT)
    sam, dana = desk_of(browse, cast.SAM), cast.staff(cast.DANA)
    page = sam.get(f"/admin/settings/staff/{dana.id}")
    time.pass_(minutes=16)
    page = page.submit("Email the link")
    assert page.heading == "Confirm that it is you"
    assert db.session.scalars(select(Mail)).all() == []
    page = page.submit(password=GOOD)
    assert page.heading == "Dana Ortiz"


@pytest.mark.parametrize("number", ["0", "987654", "9" * 12, "9" * 40, "x", "-1"])
def test_a_number_that_is_nobodys_is_not_found(sam, number):
    assert sam.get(f"/admin/settings/staff/{number}").status == 404


# MARK: Brand


def test_the_brand_is_changed(operations):
    page = operations.submit(
        "/admin/settings/brand/",
        "Save brand",
        name="Northwind Learning",
        portal_name="Northwind partner portal",
        brand_colour="#FFCC00",
        support_email="partners@northwind.example",
        time_zone="America/Chicago",
    )
    assert "Brand saved" in page
    assert "Text on buttons will be black, contrast 13.9." in page
    ours = company.current()
    assert (ours.name, ours.brand_colour) == ("Northwind Learning", "#ffcc00")


def test_a_colour_is_shown_before_it_is_saved(operations):
    page = operations.submit(
        "/admin/settings/brand/", button="Show colour", form="Save brand", brand_colour="#123"
    )
    assert page.status == 200
    assert "Text on buttons will be white" in page
    assert company.current().brand_colour == "#2b59c3"
    picture_of = page.find("img.preview").attributes["src"]
    drawn = operations.get(picture_of)
    assert drawn.headers["Content-Type"].startswith("image/svg+xml")
    assert b"#112233" in drawn.body


@pytest.mark.parametrize("colour", ["", "red", "red;}*{display:none", "%22/><script>", "#12345"])
def test_what_is_no_colour_is_drawn_nowhere(operations, colour):
    assert (
        operations.ask("GET", "/admin/settings/brand/preview.svg", query_string={"colour": colour}).status
        == 404
    )
    page = operations.submit("/admin/settings/brand/", "Save brand", brand_colour=colour or " ")
    assert page.status == 422
    assert "brand_colour" in page.errors


def test_a_logo_is_uploaded_shown_to_everybody_and_kept_for_good(operations, browse):
    page = operations.submit("/admin/settings/brand/", "Upload logo", logo=(picture("WEBP"), "logo.webp"))
    assert "Logo changed" in page
    address = page.find("img.identity__logo").attributes["src"]
    answer = browse.another().get(address)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Set-Cookie" not in answer.headers
    assert address in browse.another().get("/partners/login").body.decode()

    page = page.submit("Remove logo")
    assert "Logo removed" in page
    assert not page.html.css("img.identity__logo")


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "logo.png", "PNG, JPEG or WebP"),
        (picture("GIF"), "logo.gif", "PNG, JPEG or WebP"),
        (b"x" * 3_000_000, "logo.png", "smaller than 1 MB"),
        (picture("PNG", (2400, 20)), "logo.png", "2000 × 2000"),
        (b"", "", "Choose a file"),
    ],
)
def test_what_is_no_logo_is_told_at_the_field(operations, content, name, told):
    page = operations.submit("/admin/settings/brand/", "Upload logo", logo=(content, name))
    assert page.status == 422
    assert told in page.errors["logo"]
    assert company.current().logo_url is None


def test_the_brand_is_as_it_came_after_a_reset(operations):
    operations.submit("/admin/settings/brand/", "Save brand", brand_colour="#ffcc00")
    page = operations.submit("/admin/settings/brand/", "Reset colour and logo")
    assert "as Portico came" in page
    assert company.current().brand_colour == "#2b59c3"


def test_two_at_the_same_brand_do_not_undo_each_other(operations):
    page = operations.get("/admin/settings/brand/")
    operations.submit("/admin/settings/brand/", "Save brand", name="First")
    late = page.submit("Save brand", name="Second")
    assert late.status == 409
    assert late.find("#name").attributes["value"] == "Second"
    assert company.current().name == "First"


@pytest.mark.parametrize("who", [cast.PRIYA, cast.TOMAS, cast.INGRID])
def test_others_do_not_manage_the_brand(browse, who):
    visitor = desk_of(browse, who)
    for path in ("", "preview", "preview.svg?colour=%23ffcc00"):
        assert visitor.get(f"/admin/settings/brand/{path}").status == 403


def test_no_logo_lies_under_what_is_no_number(browse, app):
    for number in ("x", "0" * 32, "..%2f..%2fsecret_key"):
        assert browse.get(f"/brand/{number}.png").status == 404
