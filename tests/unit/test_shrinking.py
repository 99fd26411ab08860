"""The shortest text that still fails: it fails, it is made of the text's own characters, and the search ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelcheck.tokenization import shrinking
from pytest_modelcheck.tokenization.shrinking import shortest_failing

# Two letters and one that is wider, so that texts repeat themselves.
TEXTS = st.text(alphabet="ab \u00e9\U0001f469", max_size=40)
FEW = st.text(alphabet="ab \u00e9", min_size=1, max_size=5)


def asking(predicate):
    """One text at a time, for a search that asks about several."""
    return lambda texts: [predicate(text) for text in texts]


def is_subsequence(part, text):
    letters = iter(text)
    return all(letter in letters for letter in part)


@pytest.mark.parametrize(
    ("text", "predicate", "expected"),
    [
        ("a lot of text with an \u00e9 in it", lambda text: "\u00e9" in text, "\u00e9"),
        ("first, and only then last", lambda text: "f" in text and "l" in text, "fl"),
        ("two  spaces", lambda text: "  " in text, "  "),
        ("x" * 50, lambda text: len(text) >= 10, "x" * 10),
        ("abcabc", lambda text: text.count("a") == 2, "aa"),
        ("abcdef", lambda text: text == "abcdef", "abcdef"),
        ("a1b2c3d4", lambda text: sum(map(str.isdigit, text)) >= 4, "1234"),
        ("x", lambda text: True, "x"),
        ("", lambda text: True, ""),
        ("xy", lambda text: True, "x"),
    ],
)
def test_what_remains_is_all_that_it_takes(text, predicate, expected):
    assert shortest_failing(text, asking(predicate)) == expected


@given(TEXTS, FEW)
def test_a_predicate_of_one_character_leaves_that_character(text, letters):
    text, letter = text + letters, letters[0]
    assert shortest_failing(text, asking(lambda item: letter in item)) == letter


@given(TEXTS, FEW, TEXTS)
def test_what_remains_fails_and_is_of_the_text(before, needle, after):
    text = before + needle + after
    found = shortest_failing(text, asking(lambda item: needle in item))
    assert found == needle  # a stretch without any of its ends does not hold it
    assert is_subsequence(found, text)


@given(st.text(alphabet="abc", min_size=1, max_size=24), st.randoms(use_true_random=False))
def test_any_predicate_leaves_a_failing_part_of_the_text(text, random):
    verdicts = {}

    def fails(item):
        return verdicts.setdefault(item, item == text or random.random() < 0.1)

    found = shortest_failing(text, asking(fails))
    assert fails(found)
    assert len(found) <= len(text)
    assert is_subsequence(found, text)


@given(TEXTS.filter(len), st.integers(min_value=1, max_value=40))
def test_no_single_character_can_be_left_out(text, number):
    number = min(number, len(text))
    found = shortest_failing(text, asking(lambda item: len(set(item)) >= len(set(text)) and len(item) >= number))
    assert len(found) == max(number, len(set(text)))


class Counted:
    """A predicate that notes how much it was asked."""

    def __init__(self, predicate):
        self.predicate, self.characters, self.longest_batch, self.asked = predicate, 0, 0, 0

    def __call__(self, texts):
        self.asked += len(texts)
        self.characters += sum(map(len, texts))
        self.longest_batch = max(self.longest_batch, len(texts))
        return [self.predicate(text) for text in texts]


MEGABYTE = "a" * 500_000 + "Z" + "b" * 499_998 + "Y"


@pytest.mark.parametrize(
    ("predicate", "longest"),
    [
        (lambda text: "Z" in text, 1),
        (lambda text: "Z" in text and "Y" in text, len(MEGABYTE)),
        (lambda text: text == MEGABYTE, len(MEGABYTE)),
    ],
    ids=["one character", "two far apart", "the whole"],
)
def test_a_megabyte_is_searched_within_the_budget(predicate, longest):
    counted = Counted(predicate)
    found = shortest_failing(MEGABYTE, counted)
    assert predicate(found)
    assert len(found) <= longest
    # The last text that is asked about may cross the line.
    assert counted.characters <= shrinking._BUDGET + len(MEGABYTE)


def test_a_long_text_is_made_much_shorter_as_far_as_the_budget_goes():
    text = "filling " * 2_000 + "Z" + " filling" * 2_000 + "Y"
    counted = Counted(lambda item: "Z" in item and "Y" in item)
    found = shortest_failing(text, counted)
    assert found == "ZY"
    assert counted.characters <= shrinking._BUDGET + len(text)


def test_texts_are_asked_about_together():
    counted = Counted(lambda text: False)
    text = "abcdefghij" * 100
    assert shortest_failing(text, counted) == text
    assert counted.longest_batch > 10


def test_the_search_ends_where_the_budget_is_spent(monkeypatch):
    monkeypatch.setattr(shrinking, "_BUDGET", 0)
    assert shortest_failing("a Z", asking(lambda text: "Z" in text)) == "a Z"


def test_what_the_predicate_raises_is_the_callers():
    def raises(texts):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        shortest_failing("a text", raises)


def test_a_text_of_many_different_letters_leaves_something_of_the_budget():
    """Its stretches alone would cost more than there is."""
    filling = "".join(chr(0x4E00 + number * 7_919 % 20_000) for number in range(30_000))
    text = f"{filling}Z{filling[::-1]}Y"
    counted = Counted(lambda item: "Z" in item and "Y" in item)
    found = shortest_failing(text, counted)
    assert "Z" in found
    assert "Y" in found
    assert len(found) < 100
    assert counted.characters <= shrinking._BUDGET + len(text)
