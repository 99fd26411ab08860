"""The promise of reviewed ids."""

from __future__ import annotations

import json
from hashlib import sha256

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from pytest_modelcheck import ConfigError, ModelCheckFailure, assert_token_ids
from pytest_modelcheck.checks.token_ids import token_ids
from pytest_modelcheck.context import Context

REFERENCE, IDS = "This is a input.", [101, 2023, 2003, 1037, 7953, 1012, 102]


def words(vocabulary=("[UNK]", "yes", "no", "[CLS]")):
    tokenizer = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(vocabulary)}, unk_token=vocabulary[0])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


class Own:
    """A tokenizer of the user's own that gives what it is told."""

    def __init__(self, ids):
        self.ids = ids

    def encode(self, text):
        return self.ids

    def decode(self, ids):
        return "x"


def test_the_real_vocabulary_gives_the_reviewed_ids(uncased):
    result = assert_token_ids(uncased, text=REFERENCE, ids=IDS)
    assert result.promised == "'This is a input.' is [101, 2023, 2003, 1037, 7953, 1012, 102]"
    assert result.measured == "[101, 2023, 2003, 1037, 7953, 1012, 102]"


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", [101, 102]),
        ("[MASK]", [101, 103, 102]),
        ("CAFÉ", [101, 7668, 102]),
        ("\u4eca", [101, 100, 102]),
    ],
)
def test_real_ids_are_kept(uncased, text, ids):
    if text == "\u4eca":
        ids = uncased(text)["input_ids"]
    assert_token_ids(uncased, text=text, ids=ids)


@pytest.mark.parametrize(
    "ids", [[1, 2], (1, 2), np.array([1, 2]), torch.tensor([1, 2]), [np.int64(1), torch.tensor(2)]], ids=repr
)
def test_ids_of_any_integer_type_are_read(ids):
    assert token_ids(Own(ids), text="x", ids=[1, 2]).ok


def test_a_template_is_part_of_the_ids():
    tokenizer = words()
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 3)])
    assert_token_ids(tokenizer, text="yes no", ids=[3, 1, 2])


BROKEN = [
    (
        "another id",
        lambda uncased: uncased,
        REFERENCE,
        [101, 2023, 2003, 1037, 7953, 1013, 102],
        """
        token_ids of BertTokenizer: 'This is a input.' becomes 7 ids, and id 5 is 1012 ('.') where 1013 ('/') was promised.
          promised: [101, 2023, 2003, 1037, 7953, 1013, 102]
          measured: [101, 2023, 2003, 1037, 7953, 1012, 102]
        If the new ids are meant, promise ids=[101, 2023, 2003, 1037, 7953, 1012, 102].
        """,  # noqa: E501
    ),
    (
        "special tokens not promised",
        lambda uncased: uncased,
        "input",
        [7953],
        """
        token_ids of BertTokenizer: 'input' becomes 3 ids, and id 0 is 101 ('[CLS]') where 7953 ('input') was promised.
          promised: [7953]
          measured: [101, 7953, 102]
        If the new ids are meant, promise ids=[101, 7953, 102].
        """,
    ),
    (
        "more than promised",
        lambda _: words(),
        "yes no",
        [1],
        """
        token_ids of Tokenizer: 'yes no' becomes 2 ids, and id 1 is 2 ('no') where the promise ends.
          promised: [1]
          measured: [1, 2]
        If the new ids are meant, promise ids=[1, 2].
        """,
    ),
    (
        "fewer than promised",
        lambda _: words(),
        "yes",
        [1, 2],
        """
        token_ids of Tokenizer: 'yes' becomes 1 id, and they end where id 1, 2 ('no'), was promised.
          promised: [1, 2]
          measured: [1]
        If the new ids are meant, promise ids=[1].
        """,
    ),
    (
        "unknown",
        lambda _: words(),
        "maybe",
        [1],
        """
        token_ids of Tokenizer: 'maybe' becomes 1 id, and id 0 is 0 ('[UNK]') where 1 ('yes') was promised.
          promised: [1]
          measured: [0]
        If the new ids are meant, promise ids=[0].
        """,
    ),
    (
        "nothing at all",
        lambda _: words(),
        "",
        [1],
        """
        token_ids of Tokenizer: '' becomes 0 ids, and they end where id 0, 1 ('yes'), was promised.
          promised: [1]
          measured: []
        If the new ids are meant, promise ids=[].
        """,
    ),
]


@pytest.mark.parametrize(
    ("make", "text", "ids", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_other_ids_fail(expect, uncased, make, text, ids, message):
    name = type(uncased).__name__
    message = message.replace("BertTokenizer", name)
    expect(token_ids, make(uncased), text=text, ids=ids, outcome="failed", message=message)


def test_a_promised_id_outside_of_the_vocabulary_fails(uncased):
    with pytest.raises(ModelCheckFailure, match=r"where 999999 \('[^']*'|where 999999 \(not in the vocabulary\)"):
        assert_token_ids(uncased, text="[MASK]", ids=[101, 999_999, 102])


@pytest.mark.parametrize(
    ("tokenizer", "message"),
    [
        (Own([1.0, 2.0]), "TypeError: 'float' object cannot be interpreted as an integer"),
        (Own([1.9, 2.2]), "TypeError: 'float' object cannot be interpreted as an integer"),
        (Own(["1", "2"]), "TypeError: 'str' object cannot be interpreted as an integer"),
        (Own("12"), "TypeError: 'str' object cannot be interpreted as an integer"),
        (Own([[1, 2]]), "TypeError: 'list' object cannot be interpreted as an integer"),
        (Own([float("nan")]), "TypeError: 'float' object cannot be interpreted as an integer"),
        (Own(None), "TypeError: 'NoneType' object is not iterable"),
        (
            None,
            "NoneType is no tokenizer: it has no encode method. Give a transformers tokenizer, a tokenizers.Tokenizer, "
            "a SentencePiece processor, a tiktoken encoding, or an object with one",
        ),
    ],
)
def test_what_gives_no_ids_is_an_error(tokenizer, message):
    result = token_ids(tokenizer, text="x", ids=[1, 2])
    assert result.outcome == "error"
    assert result.message == f"token_ids of {type(tokenizer).__name__}: not measured: {message}"


@pytest.mark.parametrize(
    ("promises", "message"),
    [
        ({"text": "x"}, "token_ids has a baseline under pytest --modelcheck only: give the promise itself"),
        ({"ids": [1]}, "token_ids takes either text=..., with or without ids=[...], or texts=[...]"),
        ({"text": "x", "texts": ["y"]}, "token_ids takes either text=..., with or without ids=[...], or texts=[...]"),
        ({"texts": ["y"], "ids": [1]}, "token_ids takes either text=..., with or without ids=[...], or texts=[...]"),
        ({"text": 1, "ids": [1]}, "text=1: a text (str) is expected"),
        (
            {"text": "x", "ids": None},
            "token_ids has a baseline under pytest --modelcheck only: give the promise itself",
        ),
        ({"text": "x", "ids": "12"}, "ids='12': a list of token ids is expected"),
        ({"text": "x", "ids": [1.0]}, "ids[0]=1.0: an integer of at least 0 is expected"),
        ({"text": "x", "ids": [1, True]}, "ids[1]=True: an integer of at least 0 is expected"),
        ({"text": "x", "ids": [-1]}, "ids[0]=-1: an integer of at least 0 is expected"),
    ],
)
def test_a_promise_that_makes_no_sense_is_a_config_error(promises, message):
    with pytest.raises(ConfigError) as raised:
        assert_token_ids(words(), **promises)
    assert str(raised.value) == message


def test_the_examples_in_the_docstring_are_true(examples):
    assert examples(token_ids) == 4


def test_a_transformers_tokenizer_is_left_as_it_was():
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words())
    backend = tokenizer.backend_tokenizer
    backend.enable_truncation(1)
    backend.enable_padding(length=9)
    backend.encode_special_tokens = True
    before = backend.to_str()
    assert_token_ids(tokenizer, text="yes no yes", ids=[1, 2, 1])
    assert (backend.to_str(), backend.encode_special_tokens) == (before, True)


def test_the_ids_are_those_of_encode():
    class Own(PreTrainedTokenizerFast):
        def encode(self, text, **options):
            return [7, *super().encode(text, **options)]

    assert_token_ids(Own(tokenizer_object=words()), text="yes", ids=[7, 1])


def recording(*texts):
    """A run in which the ids of these texts were recorded, and all others are recorded now."""
    kept = {}

    def compare(check, case, content):
        is_new = case not in kept
        return kept.setdefault(case, content), is_new

    with Context(recorded=compare).active():
        assert not texts or token_ids(words(), texts=list(texts)).ok
    return Context(recorded=compare), kept


def test_golden_cases_are_recorded_each_under_its_text():
    context, kept = recording("yes", "no yes")
    assert kept == {
        "'yes'": {"text": "yes", "tokens": ["yes"], "ids": [1]},
        "'no yes'": {"text": "no yes", "tokens": ["no", "yes"], "ids": [2, 1]},
    }
    with context.active():
        result = token_ids(words(), texts=["yes", "no yes", "yes"])
        assert (result.promised, result.measured) == (
            "the recorded ids of 2 texts",
            "the same ids for all 2 (baseline)",
        )
        assert result.evidence["cases"] == 2
        more = token_ids(words(), texts=["yes", "no"])
        assert more.measured == "the same ids for all 2 (recorded now, baseline)"
        assert more.evidence == {"cases": 2, "baseline": "recorded now", "differing": []}


def test_one_golden_case_is_told_like_a_promise():
    context, _ = recording("yes")
    with context.active():
        result = token_ids(words(), texts=["yes"])
    assert (result.promised, result.measured) == ("'yes' is [1]", "[1] (baseline)")


def test_texts_that_begin_with_the_same_sixty_characters_do_not_collide():
    start = "yes " * 20
    _, kept = recording(f"{start}yes", f"{start}no", "no")
    one, two, short = kept
    shown = f"'{start[:59]}…' "
    assert (one[: len(shown)], two[: len(shown)], short) == (shown, shown, "'no'")
    digests = [sha256(f"{start}{end}".encode()).hexdigest()[:8] for end in ("yes", "no")]
    assert [one[len(shown) :], two[len(shown) :]] == digests


@pytest.mark.parametrize("text", ["a\ud800", "a\udc00" * 80], ids=["short", "long"])
def test_a_lone_surrogate_is_recorded_escaped_and_compared_as_it_was(text):
    kept = {}

    def compare(check, case, content):
        # As a file gives it back.
        written = json.loads(json.dumps(content).encode("utf-8", "strict"))
        is_new = case not in kept
        return kept.setdefault(case, written), is_new

    with Context(recorded=compare).active():
        assert assert_token_ids(Own([7]), text=text).measured == "[7] (recorded now)"
        assert assert_token_ids(Own([7]), text=text).measured == "[7] (baseline)"
        assert token_ids(Own([8]), text=text).outcome == "failed"
    (content,) = kept.values()
    content["text"].encode()  # Unicode text, which every file takes


def test_up_to_five_golden_cases_that_differ_are_shown(expect):
    texts = [f"yes {'no ' * number}yes" for number in range(7)]
    context, _ = recording("yes", *texts)
    changed = words(("[UNK]", "yes", "maybe", "[CLS]", "no"))
    shown = "".join(
        f"'yes {'no ' * number}yes' becomes {number + 2} ids, and id 1 is 4 ('no') where 2 ('maybe') was promised.\n"
        f"  promised: {[1, *[2] * number, 1]}\n"
        f"  measured: {[1, *[4] * number, 1]}\n"
        for number in range(1, 6)
    )
    message = (
        f"token_ids of Tokenizer: 6 of 8 texts become other ids than were recorded.\n{shown}... and 1 more\n"
        "If the new ids are meant, pytest --modelcheck --modelcheck-update=all records them."
    )
    with context.active():
        result = expect(token_ids, changed, texts=["yes", *texts], outcome="failed", message=message)
    assert result.measured == "6 differ (baseline)"
    assert len(result.evidence["differing"]) == 5
    assert result.evidence["differing"][0] == {"text": "'yes no yes'", "promised": [1, 2, 1], "measured": [1, 4, 1]}
