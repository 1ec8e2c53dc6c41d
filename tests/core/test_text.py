"""Typed text: stored as it came, refused when nothing could hold it, matched without its dress."""

import json
import unicodedata
import zipfile

import pytest

from core.errors import Invalid
from core.text import confusable_skeleton, flesch_kincaid, fold, is_blank, normalise, slugify
from tests.support.shared import shared_file


def test_normalise_composes_accents_and_turns_crlf_into_lf() -> None:
    assert normalise("Me\u0301nie\u0300re\r\nline two\r\n") == "Ménière\nline two\n"


@pytest.mark.parametrize(
    "typed", ["  two spaces  ", "\n\n", "\ttab", "a\rb", "a\u00a0\u200bb ", "\ufeffa", "\x1b[31m", ""]
)
def test_normalise_trims_and_changes_nothing_else(typed: str) -> None:
    assert normalise(typed) == typed


@pytest.mark.parametrize(
    ("typed", "code"), [("a\0b", "nul-character"), ("\ud83d", "broken-character"), ("x\udfff", "broken-character")]
)
def test_normalise_refuses_what_no_database_can_hold_and_names_the_field(typed: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        normalise(typed, field="title")
    assert caught.value.code == code
    assert [name for name, _ in caught.value.errors] == ["title"]
    assert caught.value.status == 422


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n\t\r\x0b\x0c",
        "\u00a0\u2003\u3000\u2028",
        "\u200b\u200c\u200d\u2060\ufeff",
        "\x00\x01\x7f\x85\x9f",
        "\u0301\u0327",
        "\u115f\u1160\u3164\uffa0",
        "\u2800",
        "\u202e\u2066",
        "\U000e0041",
        "\ufe0f",
        "\ufffe",
        "\u034f",
    ],
)
def test_text_that_shows_nothing_is_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize(
    "text", ["a", " . ", "\u200b0", "é", "e\u0301", "ع", "한", "🙂", "—", "\u0600", "\uf8ff", "\ufffd"]
)
def test_text_with_one_visible_character_is_not_blank(text: str) -> None:
    assert not is_blank(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Alzheimer's Disease", "alzheimers disease"),
        ("Alzheimer’s disease", "ALZHEIMER'S  DISEASE"),
        ("Sjögren syndrome", "Sjo\u0308gren-syndrome"),
        ("Usher syndrome (type 1)", "usher syndrome, type 1"),
        ("Ærø fever", "aero fever"),
        ("Straße", "STRASSE"),
    ],
)
def test_names_that_differ_in_dress_only_fold_to_one_key(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"), [("Usher syndrome 1B", "Usher syndrome 1E"), ("Type 1", "Type 2"), ("Sjögren", "Sjgren")]
)
def test_names_of_different_things_fold_to_different_keys(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def test_a_slug_is_short_plain_and_never_empty() -> None:
    assert slugify("  Ménière's disease: what now?! ") == "menieres-disease-what-now"
    assert slugify("日本") == "untitled"
    long = slugify("backache " * 30)
    assert len(long) <= 80
    assert set(long.split("-")) == {"backache"}
    assert len(slugify("x" * 300)) == 80


@pytest.mark.parametrize(
    "fake", ["MODERATOR", "m0derat0r", "rnoderator", "mod_er.ator", "mоdеrаtоr", "modératör", "mοderatοr", "ｍoderator"]
)
def test_handles_that_pass_for_another_share_its_skeleton(fake: str) -> None:
    assert confusable_skeleton(fake) == confusable_skeleton("moderator")


def test_one_capital_i_and_small_l_are_alike_and_so_are_vv_and_w() -> None:
    assert len({confusable_skeleton(handle) for handle in ("Iilly", "1illy", "llIly", "l1lly")}) == 1
    assert confusable_skeleton("vvendy") == confusable_skeleton("Wendy")


def test_different_handles_keep_different_skeletons() -> None:
    handles = ["ann", "ben", "cora", "mo", "mia", "lea", "ada", "ed", "anna", "sam5", "sam", "maria", "mario"]
    assert len({confusable_skeleton(handle) for handle in handles}) == len(handles)


def test_the_reading_grade_rises_with_long_words_and_long_sentences() -> None:
    easy = "Rest your back for a day. Then walk a bit. Heat may help. Call a doctor if your leg goes numb."
    hard = (
        "Conservative rehabilitation incorporating progressive physiotherapeutic mobilisation ordinarily precedes "
        "consideration of interventional alternatives in uncomplicated presentations."
    )
    assert flesch_kincaid(easy) < 4
    assert flesch_kincaid(hard) > 18
    assert flesch_kincaid("— 12 !") == 0.0


def test_the_reading_grade_follows_the_published_formula() -> None:
    # 10 words, 2 sentences, 12 syllables (hap-py and o-pen have two each).
    text = "The cat was happy and fat. Keep the door open."
    assert flesch_kincaid(text) == pytest.approx(0.39 * 5 + 11.8 * 12 / 10 - 15.59)


@pytest.mark.shared_data
def test_naughty_strings_are_stored_as_they_came_but_for_composition_and_line_breaks() -> None:
    with zipfile.ZipFile(shared_file("strings_shared.zip")) as archive:
        strings: list[str] = json.loads(archive.read("blns.json"))
    assert len(strings) == 515
    for string in strings:
        assert normalise(string) == unicodedata.normalize("NFC", string).replace("\r\n", "\n")
    assert 1 <= sum(is_blank(string) for string in strings) <= 10
