"""The team, tested at the door: who sees it, who changes it, and what a principal cannot do to it."""

import pytest

from models import Affiliation, Invitation, InvitationStatus, PartnerRole, db
from services import people
from tests import cast, make

TEAM = "/partners/team"
INVITE = "/partners/team/invite"


@pytest.fixture
def amara(app):
    return cast.contact(cast.AMARA)


@pytest.fixture
def kofi(app):
    return cast.contact(cast.KOFI)


@pytest.fixture
def principal(browse, amara):
    browse.keep_cookie("pp", make.session(amara))
    return browse


def signed_in(browse, who):
    visitor = browse.another()
    visitor.keep_cookie("pp", make.session(who))
    return visitor


def fresh(row):
    db.session.expire_all()
    return db.session.get(type(row), row.id)


# MARK: Seeing


def test_a_principal_sees_everybody_with_what_each_may(principal, kofi):
    make.contact(
        email="ida@unl.example",
        full_name="Ida Holm",
        role=PartnerRole.FINANCE,
        overrides={"view_amounts": False},
    )
    page = principal.get(TEAM)
    for words in (
        "Amara Okafor (you)",
        "Kofi Mensah",
        "Salesperson",
        "cannot see amounts",
        "Invite a person",
    ):
        assert words in page


@pytest.mark.parametrize("who", [cast.KOFI, cast.HANA, cast.LUIS])
def test_others_see_the_team_without_buttons_and_learn_who_can_change_it(browse, amara, who):
    page = signed_in(browse, cast.contact(who)).get(TEAM)
    assert page.status == 200
    assert "Amara Okafor can invite people and change roles." in page
    assert "Invite a person" not in page
    assert page.html.css("main form") == []


def test_a_viewer_does_not_see_the_team_and_learns_whom_to_ask(browse, amara):
    visitor = signed_in(browse, cast.contact(cast.GRACE))
    assert "Team" not in visitor.get("/partners/dashboard").texts(".nav a")
    page = visitor.get(TEAM)
    assert (page.status, page.heading) == (403, "You can't see the team")
    assert "Your role in Admissions Office is Viewer." in page
    assert "Amara Okafor" in page


def test_another_partners_people_are_not_there(principal, amara):
    ruth = cast.contact(cast.RUTH)
    invitation = make.invitation(entity=ruth.entity, email="x@lincolneast.example")
    paths = [
        f"{TEAM}/{ruth.affiliation.id}/role",
        f"{TEAM}/{ruth.affiliation.id}/end",
        f"{TEAM}/invitations/{invitation.id}/cancel",
    ]
    missing = principal.get(f"{TEAM}/999999/role")
    assert missing.status == 404
    for path in paths:
        page = principal.get(path)
        assert page.status == 404
        assert page.texts("main") == [text.replace(_id(missing), _id(page)) for text in missing.texts("main")]


def _id(page):
    return page.headers["X-Request-Id"]


@pytest.mark.parametrize("number", ["0", "-1", "abc", "9" * 30, "1,2"])
def test_a_number_that_is_none_is_not_there(principal, number):
    assert principal.get(f"{TEAM}/{number}/role").status == 404


def test_the_pages_take_no_more_statements_for_more_people(principal, queries):
    def count(path):
        principal.get(path)
        with queries() as log:
            principal.get(path)
        return len(log)

    paths = (TEAM, "/partners/dashboard", "/partners/sessions")
    before = [count(path) for path in paths]
    for number in range(12):
        make.contact(email=f"p{number}@unl.example", role=PartnerRole.FINANCE)
        make.invitation(email=f"i{number}@unl.example")
    assert [count(path) for path in paths] == before
    assert max(before) <= 12


# MARK: Inviting


def test_a_principal_invites_a_colleague_who_signs_in(principal, browse, mailbox, amara):
    page = principal.get(INVITE)
    assert "Sees their own deals" in page
    page = page.submit("Send invitation", email="noah.becker@unl.example", role="salesperson")
    assert page.path == TEAM
    assert "Invitation sent to noah.becker@unl.example" in page
    assert "Salesperson, invited by Amara Okafor" in page

    link = mailbox.latest(to="noah.becker@unl.example").link("/partners/")
    page = browse.another().get(link)
    assert "Amara Okafor invited you" in page
    assert page.submit("Accept and sign in").heading == "About you"
    assert {row.affiliation.role for row in people.contacts_of(amara.entity)} == {
        PartnerRole.PRINCIPAL,
        PartnerRole.SALESPERSON,
    }


def test_the_same_form_sent_twice_invites_once(principal):
    page = principal.get(INVITE)
    for _ in range(2):
        assert page.submit("Send invitation", email="noah@unl.example", role="viewer").path == TEAM
    assert db.session.query(Invitation).count() == 1


WRONG = [
    ({"email": "", "role": "viewer"}, "email", "Enter the person's work email address"),
    ({"email": "noah@", "role": "viewer"}, "email", "Enter an email address, like name@example.edu"),
    (
        {"email": "аnn@unl.example", "role": "viewer"},
        "email",
        "letters that email addresses here cannot have",
    ),
    ({"email": "Amara.okafor@unl.example", "role": "viewer"}, "email", "is in this team already"),
]


@pytest.mark.parametrize(("fields", "name", "words"), WRONG)
def test_a_wrong_invitation_comes_back_as_it_was_typed(principal, fields, name, words):
    page = principal.submit(INVITE, "Send invitation", **fields)
    assert page.status == 422
    assert words in page.errors[name]
    assert page.find("[name=email]").attributes.get("value", "") == fields["email"]
    assert (
        page.find("[value=viewer]").attributes.get("checked") is not None
        or "checked" in page.find("[value=viewer]").attributes
    )


def test_a_role_has_to_be_chosen(principal):
    page = principal.submit(INVITE, "Send invitation", email="noah@unl.example")
    assert page.status == 422
    assert "Select a role" in page


def test_nobody_offers_a_role_that_may_more_than_theirs(browse, amara):
    ida = make.contact(email="ida@unl.example", role=PartnerRole.FINANCE, overrides={"manage_team": True})
    visitor = signed_in(browse, ida)
    page = visitor.get(INVITE)
    assert [node.attributes["value"] for node in page.html.css("[name=role]")] == ["finance", "viewer"]


def test_an_invitation_is_sent_again_and_cancelled(principal, mailbox):
    principal.submit(INVITE, "Send invitation", email="noah@unl.example", role="viewer")
    mailbox.collect()
    page = principal.get(TEAM).submit("form[action$=resend]")
    assert [mail.recipients for mail in mailbox.collect()] == [["noah@unl.example"]]

    page = page.follow("Cancel invitation noah@unl.example")
    assert page.heading == "Cancel the invitation to noah@unl.example?"
    assert db.session.query(Invitation).filter_by(status=InvitationStatus.PENDING).count() == 1
    page = page.submit("Cancel invitation")
    assert "Invitation to noah@unl.example cancelled" in page
    assert db.session.query(Invitation).filter_by(status=InvitationStatus.PENDING).count() == 0


def test_an_expired_invitation_is_shown_and_made_anew(principal, time, amara):
    principal.submit(INVITE, "Send invitation", email="noah@unl.example", role="viewer")
    time.pass_(days=8)
    assert "1 invitation expired" in principal.get("/partners/dashboard")
    page = principal.get(TEAM)
    assert "Expired" in page
    page = page.submit("form[action$=resend]")
    assert "Pending" in page
    assert "Expired" not in page


# MARK: Changing


def test_a_role_changes_from_the_next_click_on(principal, browse, kofi, mailbox):
    theirs = signed_in(browse, kofi)
    assert theirs.get(INVITE).status == 403
    page = principal.get(TEAM).follow("Change role Kofi Mensah")
    assert page.heading == "Change the role of Kofi Mensah"
    page = page.submit("Change role", role="principal")
    assert "Kofi Mensah now has the role Principal" in page
    assert theirs.get(INVITE).status == 200
    assert mailbox.latest(to=kofi.person.email).subject == "Your role at Admissions Office has changed"


def test_ended_access_is_asked_about_first_and_holds_at_once(principal, browse, kofi):
    theirs = signed_in(browse, kofi)
    assert theirs.get("/partners/dashboard").status == 200
    page = principal.get(TEAM).follow("End access Kofi Mensah")
    assert page.heading == "End the access of Kofi Mensah?"
    assert fresh(kofi.affiliation).ended_at is None
    page = page.submit("End access")
    assert "Access of Kofi Mensah ended" in page
    answer = theirs.get("/partners/dashboard")
    assert (answer.status, answer.heading) == (403, "Your access has ended")


def test_nobody_changes_their_own_place(principal, amara):
    for verb, fields in (("role", {"role": "viewer"}), ("end", {})):
        page = principal.submit(f"{TEAM}/{amara.affiliation.id}/{verb}", **fields)
        assert page.status == 403
        assert "Another principal can" in page
    assert fresh(amara.affiliation).role is PartnerRole.PRINCIPAL


def test_the_last_principal_stays(browse, amara):
    ida = make.contact(email="ida@unl.example", role=PartnerRole.FINANCE, overrides={"manage_team": True})
    visitor = signed_in(browse, ida)
    page = visitor.submit(f"{TEAM}/{amara.affiliation.id}/end")
    assert page.status == 409
    assert "This is the last principal of the team." in page
    assert fresh(amara.affiliation).ended_at is None


def test_who_may_do_what_is_changed_only_soon_after_signing_in(principal, kofi, mailbox, time):
    path = f"{TEAM}/{kofi.affiliation.id}/role"
    form = principal.get(path)
    time.pass_(minutes=15)
    assert principal.get(path).status == 200
    time.pass_(seconds=1)
    for page in (principal.get(INVITE), principal.get(path), form.submit("Change role", role="viewer")):
        assert (page.status, page.heading) == (403, "Confirm that it is you")
    assert fresh(kofi.affiliation).role is PartnerRole.SALESPERSON

    page.submit("Email me a link")
    page = principal.get(mailbox.latest().link("/partners/login/")).submit("Sign in")
    principal.submit("/partners/profile", "Save and continue", full_name="Amara Okafor")
    assert principal.get(path).heading == "Change the role of Kofi Mensah"


def test_a_colleague_is_signed_out_everywhere(principal, browse, kofi):
    theirs = signed_in(browse, kofi)
    page = principal.get(TEAM).submit("form[action$=sign-out]")
    assert "Kofi Mensah is signed out everywhere" in page
    assert theirs.get("/partners/dashboard").path == "/partners/login"


@pytest.mark.parametrize("who", [cast.KOFI, cast.HANA, cast.LUIS, cast.GRACE])
def test_only_who_manages_the_team_changes_it(browse, amara, who):
    invitation = make.invitation(email="noah@unl.example")
    visitor = signed_in(browse, cast.contact(who))
    token = visitor.get("/partners/profile").find("[name=csrf_token]").attributes["value"]
    for path in (
        INVITE,
        f"{TEAM}/{amara.affiliation.id}/role",
        f"{TEAM}/{amara.affiliation.id}/end",
        f"{TEAM}/{amara.affiliation.id}/sign-out",
        f"{TEAM}/invitations/{invitation.id}/resend",
        f"{TEAM}/invitations/{invitation.id}/cancel",
    ):
        data = {"csrf_token": token, "role": "viewer", "email": "x@unl.example"}
        assert visitor.post(path, data, headers={"Sec-Fetch-Site": "same-origin"}).status == 403, path
    assert db.session.query(Invitation).count() == 1
    assert db.session.query(Affiliation).filter(Affiliation.ended_at.is_not(None)).count() == 0
