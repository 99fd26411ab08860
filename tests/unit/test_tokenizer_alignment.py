"""Where two texts or two id lists part, in words that a terminal can print."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelcheck.tokenization.alignment import (
    character_name,
    first_difference,
    quoted,
    same_ids,
    text_difference,
)

ANY = st.text(alphabet=st.characters(), max_size=80) | st.text(alphabet="\x1b\u202e\ud800'\\\n\x85\u2028a", max_size=20)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "''"),
        ("a gate", "'a gate'"),
        ("it's", r"'it\'s'"),
        ("back\\slash", r"'back\\slash'"),
        ("\\x1b", r"'\\x1b'"),
        ("\x1b[31m", r"'\x1b[31m'"),
        ("\n\r\t", r"'\n\r\t'"),
        ("\x00", r"'\x00'"),
        ("\u202e\u2066\u200b\ufeff", r"'\u202e\u2066\u200b\ufeff'"),
        ("\ud800", r"'\ud800'"),
        ("\u00a0\u2003", r"'\xa0\u2003'"),
        ("\ue000", r"'\ue000'"),
        ("\U000e0041", r"'\U000e0041'"),
        ("caf\u00e9 \u4eca", "'caf\u00e9 \u4eca'"),
        ("x" * 60, "'" + "x" * 60 + "'"),
        ("x" * 61, "'" + "x" * 59 + "…'"),
    ],
)
def test_a_text_in_quotes(text, shown):
    assert quoted(text) == shown


def test_a_text_in_quotes_is_as_long_as_allowed():
    assert quoted("abcdef", longest=4) == "'abc…'"


@given(ANY)
def test_a_text_in_quotes_is_printable_and_can_be_read_back(text):
    shown = quoted(text, longest=1000)
    assert shown.isprintable()
    assert (shown[0], shown[-1]) == ("'", "'")
    assert quoted(text) == quoted(text, longest=60)


@given(ANY, ANY)
def test_different_texts_are_quoted_differently(left, right):
    assert (quoted(left, longest=1000) == quoted(right, longest=1000)) == (left == right)


@pytest.mark.parametrize(
    ("character", "name"),
    [
        ("a", "'a' (U+0061 LATIN SMALL LETTER A)"),
        ("\u0301", r"'\u0301' (U+0301 COMBINING ACUTE ACCENT)"),
        ("\n", r"'\n' (U+000A Cc)"),
        ("\x1b", r"'\x1b' (U+001B Cc)"),
        ("\ue000", r"'\ue000' (U+E000 Co)"),
        ("\ufdd0", r"'\ufdd0' (U+FDD0 Cn)"),
        ("\ud800", r"'\ud800' (U+D800 Cs)"),
        ("\u2581", "'▁' (U+2581 LOWER ONE EIGHTH BLOCK)"),
        ("'", r"'\'' (U+0027 APOSTROPHE)"),
        ("\U0001f469", "'👩' (U+1F469 WOMAN)"),
    ],
)
def test_a_character_by_its_name(character, name):
    assert character_name(character) == name


@given(st.characters())
def test_the_name_of_any_character_can_be_printed(character):
    assert character_name(character).isprintable()


@pytest.mark.parametrize(
    ("found", "expected", "sentence"),
    [
        ("same", "same", ""),
        ("", "", ""),
        ("", "a", "at character 0: the end of the text instead of 'a' (U+0061 LATIN SMALL LETTER A)"),
        ("ab", "a", "at character 1: 'b' (U+0062 LATIN SMALL LETTER B) instead of the end of the text, after 'a'"),
        (
            "0123456789abcdeX",
            "0123456789abcdeY",
            "at character 15: 'X' (U+0058 LATIN CAPITAL LETTER X) instead of 'Y' (U+0059 LATIN CAPITAL LETTER Y), "
            "after '3456789abcde'",
        ),
        (
            "\x1b\u202ea",
            "\x1b\u202eb",
            r"at character 2: 'a' (U+0061 LATIN SMALL LETTER A) instead of 'b' (U+0062 LATIN SMALL LETTER B), after "
            r"'\x1b\u202e'",
        ),
    ],
)
def test_where_two_texts_part(found, expected, sentence):
    assert text_difference(found, expected) == sentence


@given(ANY, ANY)
def test_the_sentence_is_printable_and_empty_for_the_same_text_only(found, expected):
    sentence = text_difference(found, expected)
    assert bool(sentence) == (found != expected)
    assert sentence.isprintable()


@given(st.lists(st.integers(0, 3)), st.lists(st.integers(0, 3)))
def test_the_first_difference_is_where_the_common_start_ends(left, right):
    at = first_difference(left, right)
    if at is None:
        assert left == right
    else:
        assert left[:at] == right[:at]
        assert left[at : at + 1] != right[at : at + 1]


@pytest.mark.parametrize(
    ("found", "expected", "sentence"),
    [
        ([1, 2], [1, 2], ""),
        ([1], [1, 2], r"'a\x1b': here, id 1 is the end instead of 2"),
        ([1, 2], [1], r"'a\x1b': here, id 1 is 2 instead of the end"),
        ([], [7], r"'a\x1b': here, id 0 is the end instead of 7"),
        ((1, 3), [1, 2], r"'a\x1b': here, id 1 is 3 instead of 2"),
    ],
)
def test_where_two_id_lists_part(found, expected, sentence):
    assert same_ids("a\x1b", found, expected, "here") == sentence
