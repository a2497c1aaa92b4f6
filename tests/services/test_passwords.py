"""Which passwords staff may choose, and how they are kept."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services import passwords
from services.errors import Refusal

GOOD = "a lantern under the wet bridge"


def refusal(password: str, *known: str) -> str:
    with pytest.raises(Refusal) as caught:
        passwords.check(password, known=known)
    assert caught.value.field == "password"
    return str(caught.value)


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "xkqjw zzvmp tt",
        "7391 2284 6650 1937",
        "Größenwahn über Graubünden",
        "夜の海に灯る小さな船が一つ",
        "  leading and trailing spaces  ",
        ("kqvzw" * 26)[:128],
        GOOD * 8,
    ],
)
def test_length_is_the_only_rule_about_form(password):
    passwords.check(password)


def test_eleven_characters_are_too_few_and_257_too_many():
    assert "12" in refusal("xkqjwzzvmpt")
    assert "256" in refusal((GOOD * 9)[:257])


@pytest.mark.parametrize(
    "password",
    ["password1234", "PASSWORD1234", "correcthorsebatterystaple", "qwertyuiopasdfghjkl", "iloveyou1234"],
)
def test_known_passwords_are_refused_in_any_case(password):
    assert "known from other places" in refusal(password)


@pytest.mark.parametrize("password", ["aaaaaaaaaaaaaaa", "abcabcabcabcabc", "121212121212121212"])
def test_repetition_is_refused(password):
    assert "known from other places" in refusal(password)


@pytest.mark.parametrize(
    "password",
    ["Portico-2026-!!", "P0rtic0Partn3r$", "dana.ortiz@2026", "Northwind2026!!", "WelcomeAdmin99!"],
)
def test_names_that_everybody_here_knows_are_not_enough(password):
    assert "names that others know" in refusal(
        password, "dana.ortiz@northwind.test", "Dana Ortiz", "Northwind"
    )


def test_a_known_name_inside_a_longer_thought_is_fine():
    passwords.check("portico swallows seventeen umbrellas", known=["Dana Ortiz"])


def test_the_hash_is_argon2id_and_strong_enough():
    kept = passwords.hash_of(GOOD)
    assert kept.startswith("$argon2id$v=19$m=32768,t=2,p=1$")
    assert len(kept) <= 200
    assert not passwords.is_outdated(kept)
    assert passwords.is_outdated(kept.replace("t=2", "t=1"))


def test_exactly_what_was_typed_opens():
    kept = passwords.hash_of(f" {GOOD} ")
    assert passwords.verify(kept, f" {GOOD} ")
    for other in (GOOD, f" {GOOD}", f" {GOOD.upper()} ", f" {GOOD} \x00", ""):
        assert not passwords.verify(kept, other)


def test_nothing_opens_where_no_password_is_kept():
    assert not passwords.verify(None, GOOD)
    assert not passwords.verify("not a hash", GOOD)
    assert not passwords.verify("", "")


def test_a_password_is_not_cut_to_fit():
    longest = (GOOD * 9)[: passwords.LONGEST]
    assert not passwords.verify(passwords.hash_of(longest), longest + "x")


def test_a_password_over_the_limit_is_refused_without_hashing_megabytes():
    assert not passwords.verify(passwords.hash_of(GOOD), "x" * 10_000_000)


@settings(max_examples=300)
@given(st.text(min_size=12, max_size=300))
def test_any_text_is_judged(password):
    with contextlib.suppress(Refusal):
        passwords.check(password)


@settings(max_examples=5)
@given(st.text(alphabet=st.characters(), max_size=40))
def test_any_text_can_be_kept_and_checked(password):
    assert passwords.verify(passwords.hash_of(password), password)
