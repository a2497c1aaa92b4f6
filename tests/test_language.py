"""Languages, dates, numbers and money: whose choice counts, and how each reader is told."""

from datetime import UTC, date, datetime

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

import config
import language
from services import company
from services.transaction import transaction
from tests import cast, make
from tests.pseudo import ROOT, catalogue, messages, pseudo, translate
from tests.visitor import Visitor

#: The clocks of Chicago went back on 1 November 2026 at 7:00 UTC, those of Berlin on 25 October at 1:00 UTC.
IN_SUMMER = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
BETWEEN = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
IN_WINTER = datetime(2026, 11, 1, 7, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def catalogues(tmp_path_factory):
    """Catalogues of a language that is written from the right, and of one with a region."""
    folder = tmp_path_factory.mktemp("translations")
    for locale in ("he", "pt_BR"):
        translate(folder, locale)
    return folder


@pytest.fixture
def speaking(app_with, catalogues):
    """Portico in these languages and English."""
    app = app_with(translations=catalogues)
    with app.app_context():
        yield app


@pytest.fixture
def reader(system, speaking):
    return Visitor(speaking, base_url=system.settings.base_url)


def opened(reader, *, languages="", path="/partners/login"):
    """lang and dir of a page, for a browser that asks for these languages."""
    root = reader.get(path, headers={"Accept-Language": languages}).find("html").attributes
    return root["lang"], root["dir"]


# MARK: Which language


def test_english_is_always_spoken_and_a_compiled_catalogue_makes_another(app, speaking):
    assert language.locales() == ("en", "he", "pt_BR")


def test_a_folder_that_is_no_language_or_not_compiled_makes_none(app_with, tmp_path):
    for name in ("xx_notes", "de"):
        (tmp_path / name / "LC_MESSAGES").mkdir(parents=True)
    (tmp_path / "xx_notes" / "LC_MESSAGES" / "messages.mo").touch()
    app_with(translations=tmp_path)
    assert language.locales() == ("en",)


@pytest.mark.parametrize(
    ("languages", "expected"),
    [
        ("he", ("he", "rtl")),
        ("he-IL,en;q=0.5", ("he", "rtl")),
        ("pt-BR,pt;q=0.9", ("pt-BR", "ltr")),
        ("fr,en;q=0.8,he;q=0.2", ("en", "ltr")),
        ("pt", ("pt-BR", "ltr")),
        ("fr;q=0.9,he;q=0,*;q=0.1", ("en", "ltr")),
        ("", ("en", "ltr")),
    ],
)
def test_the_browsers_language_counts_where_the_portal_speaks_it(reader, languages, expected):
    assert opened(reader, languages=languages) == expected


def test_the_persons_own_language_wins_over_the_browsers_and_the_companys_comes_last(reader, speaking):
    amara = cast.contact(cast.AMARA)
    make.person(amara.person.email, locale="pt_BR")
    ours(locale="he")
    assert opened(reader, languages="en") == ("en", "ltr")
    assert opened(reader, languages="fr") == ("he", "rtl")

    reader.keep_cookie("pp", make.session(amara))
    assert opened(reader, languages="en", path="/partners/dashboard") == ("pt-BR", "ltr")
    assert opened(reader, languages="he", path="/partners/nothing")[0] in {"pt-BR", "he"}


def test_a_language_whose_catalogue_went_away_is_english_again(reader, speaking):
    amara = cast.contact(cast.AMARA)
    make.person(amara.person.email, locale="de")
    ours(locale="de")
    reader.keep_cookie("pp", make.session(amara))
    assert opened(reader, languages="fr", path="/partners/dashboard") == ("en", "ltr")


def test_the_desk_speaks_english_whatever_the_browser_asks_for(reader):
    assert opened(reader, languages="he", path="/admin/login") == ("en", "ltr")


def ours(**columns):
    with transaction():
        row = company.current()
        for name, value in columns.items():
            setattr(row, name, value)
        from services import audit

        audit.record(actor=make.PORTICO, verb="company.changed", subject=row)


# MARK: Days and hours


@pytest.mark.parametrize(
    ("zone", "moment", "expected"),
    [
        ("Europe/Berlin", IN_SUMMER, "25 Oct 2026, 02:30 CEST"),
        ("Europe/Berlin", BETWEEN, "25 Oct 2026, 02:30 CET"),
        ("Europe/Berlin", IN_WINTER, "1 Nov 2026, 08:30 CET"),
        ("America/Chicago", IN_SUMMER, "24 Oct 2026, 19:30 CDT"),
        ("America/Chicago", BETWEEN, "24 Oct 2026, 20:30 CDT"),
        ("America/Chicago", IN_WINTER, "1 Nov 2026, 01:30 CST"),
    ],
)
def test_a_moment_is_told_in_the_readers_zone_on_both_sides_of_a_change_of_clocks(
    app, zone, moment, expected
):
    with language.speaking("en", zone):
        assert language.moment(moment) == expected
        assert language.day(moment) == expected.partition(",")[0]


def test_a_zone_without_a_name_is_told_by_its_distance(app):
    with language.speaking("en", "America/Sao_Paulo"):
        assert language.moment(IN_WINTER) == "1 Nov 2026, 04:30 GMT-03:00"


def test_pages_tell_the_time_in_the_persons_zone_else_in_the_companys(browse, time):
    amara = cast.contact(cast.AMARA)
    browse.keep_cookie("pp", make.session(amara))
    hours = {}
    for zone in ("America/Chicago", "Europe/Berlin", None):
        make.person(amara.person.email, time_zone=zone)
        (said,) = browse.get("/partners/sessions").texts("li:first-child .rows__hint:last-of-type time")
        hours[zone] = said
    assert hours["America/Chicago"].endswith("CDT")
    assert hours["Europe/Berlin"].endswith("CEST")
    with language.speaking("en", company.current().time_zone):
        assert hours[None] == language.moment(time.now)


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en", ("21 Nov 2026", "21 Nov 2026, 14:30 UTC", "12,345.5")),
        ("de", ("21.11.2026", "21.11.2026, 14:30 UTC", "12.345,5")),
        ("ja", ("2026/11/21", "2026/11/21 14:30 UTC", "12,345.5")),
        ("pt_BR", ("21 de nov. de 2026", "21 de nov. de 2026 14:30 UTC", "12.345,5")),
    ],
)
def test_days_and_numbers_are_written_as_the_language_writes_them(app, locale, expected):
    at = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)
    with language.speaking(locale, "UTC"):
        assert (language.day(date(2026, 11, 21)), language.moment(at), language.number(12345.5)) == expected


def test_distances_and_lists_are_told_in_the_language(app, time):
    at = time.now
    time.pass_(days=2)
    with language.speaking("de"):
        assert language.relative(at) == "vor 2 Tagen"
        assert language.listed(["A", "B", "C"], "or") == "A, B oder C"


# MARK: Money


@pytest.mark.parametrize(
    ("minor", "currency", "expected"),
    [
        (1_250_000, "USD", "$12,500.00"),
        (1, "EUR", "€0.01"),
        (-199, "USD", "-$1.99"),
        (12_500, "JPY", "¥12,500"),
        (12_500, "KWD", "KWD12.500"),
        # More than 2 to the 53rd: a float would lose the cents.
        (90_071_992_547_409_93, "USD", "$90,071,992,547,409.93"),
        (9_223_372_036_854_775_807, "USD", "$92,233,720,368,547,758.07"),
    ],
)
def test_money_is_exact_and_has_the_digits_of_its_currency(app, minor, currency, expected):
    with language.speaking("en"):
        assert language.money(minor, currency) == expected


def test_money_is_written_as_the_language_writes_it(app):
    with language.speaking("de"):
        assert language.money(1_250_050, "EUR") == "12.500,50\xa0€"


# MARK: Catalogues


def test_a_catalogue_keeps_what_was_translated_when_the_texts_are_collected_again(catalogues):
    messages(catalogues)
    found = catalogue(catalogues, "he")
    assert found.get("Sign in").string == pseudo("Sign in")
    one, *_more = found.get(("%(num)s invitation expired",)).string
    assert one == pseudo("%(num)s invitation expired")
    assert not any(message.fuzzy for message in found if message.id)


def test_the_desks_own_texts_are_not_collected(catalogues):
    assert catalogue(catalogues, "he").get("Search partners, people, invite codes") is None


def test_every_translation_that_comes_along_is_whole_and_compiled(tmp_path):
    """As long as there is none, this says only that there is none."""
    folder = config.Settings.translations
    assert folder == ROOT / "translations"
    messages(tmp_path)
    with (tmp_path / "messages.pot").open("rb") as file:
        wanted = {message.id for message in read_po(file) if message.id}
    for path in folder.glob("*/LC_MESSAGES/messages.po"):
        with path.open("rb") as texts, path.with_suffix(".mo").open("rb") as compiled:
            said = {message.id: message.string for message in read_po(texts) if message.id and message.string}
            used = {message.id: message.string for message in read_mo(compiled) if message.id}
        assert wanted <= said.keys(), f"{path}: run make messages and translate what is new."
        assert said == used, f"{path}: run make messages, which compiles it."
