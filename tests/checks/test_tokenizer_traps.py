"""What real tokenizers get wrong: each trap is fallen into here, and a check says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.implementations import BertWordPieceTokenizer
from tokenizers_broken_in_one_way import KNOWN, TEMPLATE, Fast, complete, overriding
from tokenizers_of_the_field import byte_letters, byte_level, gpt2, llama, sentencepiece, tiktoken_gpt2
from transformers import BertTokenizerFast, CLIPTokenizerFast, GPT2TokenizerFast

from modelrepo.text.tokenizer import VOCABULARY
from pytest_modelcheck import (
    ModelCheckFailure,
    assert_roundtrip,
    assert_tokenizer_conforms,
    assert_vocabulary,
)
from pytest_modelcheck.checks.conformance import tokenizer_conforms
from pytest_modelcheck.checks.tokenizer import roundtrip
from pytest_modelcheck.tokenization.parallel import threads_for
from pytest_modelcheck.tokenization.roundtrip import round_trips
from pytest_modelcheck.tokenization.subjects import subject_of
from tests.installed import before

TESTS = Path(__file__).parents[1]
TEXT = " The Gate's promise, which a team kept "


def broken_parts(tokenizer, **promises):
    result = tokenizer_conforms(tokenizer, **promises)
    return {part.name: part.message for part in result.parts if part.broken}


@pytest.fixture(scope="module")
def five_words():
    """The keyword is `vocab=`; this one is taken without a word, and read by nobody."""
    if before("transformers", "5"):
        pytest.skip("transformers before 5 reads vocab_file=")
    return BertTokenizerFast(vocab_file=str(VOCABULARY))


def test_a_vocabulary_of_five_is_caught_by_the_round_trip(five_words, expect):
    message = (
        "roundtrip of BertTokenizer: 209 of 212 tokens are unknown, so that the round trip says nothing. Is this the "
        "right vocabulary? If so, promise max_unknown_rate=1.0."
    )
    expect(roundtrip, five_words, outcome="failed", message=message)


def test_a_vocabulary_of_five_is_caught_by_its_size(five_words):
    with pytest.raises(ModelCheckFailure) as raised:
        assert_vocabulary(five_words, size=30_522)
    assert str(raised.value) == (
        "vocabulary of BertTokenizer: it has 5 tokens, and 30,522 were promised. It knows special tokens only, as "
        "transformers 5 does where a vocabulary is given as vocab_file=: the keyword is vocab=."
    )


def test_a_vocabulary_of_five_does_not_conform(five_words):
    assert list(broken_parts(five_words, expected_failures=KNOWN)) == ["unknown_rate"]


def test_the_keyword_that_is_read_is_no_trap(expect):
    tokenizer = BertTokenizerFast(str(VOCABULARY))
    assert assert_vocabulary(tokenizer, size=30_522, special_tokens={"[PAD]": 0, "[CLS]": 101}).ok
    assert assert_roundtrip(tokenizer).evidence["kept"] == 42


@pytest.mark.skipif(before("transformers", "5"), reason="transformers before 5 loads what it has saved")
def test_loading_changes_the_ids_after_special_tokens():
    """Only where a text holds a special token's literal, and only with the older way of prefixing."""
    broken = broken_parts(llama(legacy=True), texts=["a plain text that is kept"], expected_failures=KNOWN)
    lines = broken.pop("save_load").split("\n")
    assert broken == {}
    assert [line.partition(" id ")[0] for line in lines[1:4]] == [
        "  'x<s>y <s> z': saved and loaded,",
        "  'x</s>y </s> z': saved and loaded,",
        "  'x<unk>y <unk> z': saved and loaded,",
    ]
    assert "saved and loaded twice" in lines[4]
    assert broken_parts(llama(), texts=["a plain text that is kept"], expected_failures=KNOWN) == {}


def test_an_unknown_token_that_is_special_is_injected_and_yet_not_unknown():
    tokenizer = gpt2()
    text = "a <|endoftext|> that a user wrote"
    assert tokenizer.unk_token_id == tokenizer.eos_token_id == 50_256
    assert assert_roundtrip(tokenizer, texts=[text], max_unknown_rate=0.0).evidence["unknown"] == 0
    assert broken_parts(tokenizer, texts=[text])["injection"].split("\n")[1] == f"  '{text}' gives the special id 50256"


def test_tiktoken_takes_a_literal_for_what_it_is():
    assert broken_parts(tiktoken_gpt2(), texts=["a <|endoftext|> that a user wrote"]) == {}


@pytest.mark.parametrize("make", [byte_level, gpt2, tiktoken_gpt2, llama], ids=lambda make: make.__name__)
def test_a_lone_surrogate_costs_no_other_text(make):
    result = roundtrip(make(), texts=["a fine text", "a\ud800b", "another"])
    assert result.outcome == "failed"
    assert (result.evidence["kept"], result.evidence["failing"]) == (2, [r"'a\ud800b'"])
    assert r"'a\ud800b': it holds a lone surrogate, which is no Unicode text" in result.message


@pytest.mark.parametrize("transformers", [False, True], ids=["tokenizers", "transformers"])
def test_truncation_and_padding_that_were_left_on_change_nothing(transformers):
    tokenizer = complete() if transformers else byte_level()
    backend = tokenizer.backend_tokenizer if transformers else tokenizer
    text = "a text of many more than four ids, each of which is wanted"
    backend.enable_truncation(4)
    backend.enable_padding(length=200)
    assert len(backend.encode(text).ids) == 200
    assert assert_roundtrip(tokenizer, texts=[text]).evidence["tokens"] > 9
    assert broken_parts(tokenizer, texts=[text], expected_failures=KNOWN if transformers else None) == {}
    assert (backend.truncation["max_length"], backend.padding["length"]) == (4, 200)


def test_offsets_into_a_text_that_was_prepared_before_have_drifted():
    class Decomposes(Fast):
        def __call__(self, text, pair=None, **options):
            if isinstance(text, str):
                text = unicodedata.normalize("NFD", text)
            return super().__call__(text, pair, **options)

    broken = broken_parts(complete(Decomposes), texts=["caf\u00e9 r\u00e9sum\u00e9, and the rest"])
    assert broken["offsets"] == (
        "1 of 1 cases break it: offsets lie in the text, in order, and cover every letter that the normalizer keeps.\n"
        "  'café résumé, and the rest': token 23 is at 25 to 27 of 25 characters"
    )


def test_a_clean_up_that_eats_spaces_is_caught():
    options = {"clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output": True}
    result = roundtrip(gpt2(clean_up_tokenization_spaces=True, **options), texts=["x != y", "it 'm a ! !", "x = y"])
    assert result.outcome == "failed"
    assert result.evidence["failing"] == ["'x != y'", "'it \\'m a ! !'"]
    assert roundtrip(gpt2(), texts=["x != y", "it 'm a ! !", "x = y"]).ok


def test_a_template_and_the_tokenizer_give_two_beginnings():
    tokenizer = complete(template="{{ bos_token }}" + TEMPLATE)
    written = tokenizer.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False)
    assert tokenizer(written)["input_ids"][:2] == [tokenizer.bos_token_id] * 2
    message = broken_parts(tokenizer, expected_failures=KNOWN)["chat_template"]
    assert (
        "the template's text, encoded as usual begins with 2 BOS tokens: encode it with add_special_tokens=False, or "
        "take the BOS out of the template"
    ) in message


def test_ids_decoded_one_at_a_time_are_no_text():
    class OneByOne(Fast):
        def decode(self, ids, **options):
            return "".join(super(OneByOne, self).decode([item], **options) for item in ids)

    tokenizer = complete(OneByOne)
    assert tokenizer.decode(tokenizer("\u4eca", add_special_tokens=False)["input_ids"]) == "\ufffd\ufffd\ufffd"
    result = roundtrip(tokenizer, texts=["plain", "\u4eca\u5929"])
    assert result.evidence["failing"] == ["'今天'"]
    assert "'\ufffd' (U+FFFD REPLACEMENT CHARACTER) instead of '今'" in result.message


def test_bytes_that_arrive_one_by_one_are_held_back():
    assert broken_parts(byte_level(), texts=["one \u4eca\u5929 \U0001f469\u200d\U0001f467 and the rest"]) == {}


def alone(code, *arguments, **environment):
    """What a process of its own says, on both of its channels."""
    left = {name: value for name, value in os.environ.items() if name != "TOKENIZERS_PARALLELISM"}
    path = os.pathsep.join([str(TESTS), str(TESTS.parent), str(TESTS.parent / "sample_project")])
    command = [sys.executable, "-c", code, *arguments]
    found = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**left, "PYTHONPATH": path, **environment}
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.strip(), found.stderr


FORKS = """
import os, sys
from tokenizers import Tokenizer

# Training uses threads, and so it was done in another process.
tokenizer = Tokenizer.from_file(sys.argv[1])
if sys.argv[2] == "checks":
    from pytest_modelcheck import assert_roundtrip, assert_tokenizer_conforms
    assert_roundtrip(tokenizer)
    assert_tokenizer_conforms(tokenizer)
else:
    tokenizer.encode_batch(["a gate"] * 1000)
assert "TOKENIZERS_PARALLELISM" not in os.environ
child = os.fork()
if not child:
    count = len(tokenizer.encode_batch(["a gate"] * 1000))
    print(f"{count} texts", flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("fork") / "tokenizer.json"
    byte_level().save(str(path))
    return str(path)


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@needs_fork
def test_a_process_may_fork_after_a_check(saved):
    said, complaints = alone(FORKS, saved, "checks")
    assert said == "1000 texts"
    assert complaints == ""


@needs_fork
def test_a_process_that_used_the_library_itself_is_warned(saved):
    said, complaints = alone(FORKS, saved, "plain")
    assert said == "1000 texts"
    if not complaints:
        pytest.skip("this version of the library does not warn, so that the test beside this one shows little")
    assert "forked" in complaints


@pytest.mark.parametrize("check", [roundtrip, tokenizer_conforms], ids=lambda check: check.name)
def test_no_threads_of_the_library_are_used_for_few_texts(check, monkeypatch):
    seen = set()

    class Watching(Fast):
        def __call__(self, *args, **options):
            seen.add(os.environ.get("TOKENIZERS_PARALLELISM"))
            return super().__call__(*args, **options)

    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    check(complete(Watching), texts=["a gate of a model that is kept"])
    assert seen == {"false"}
    assert "TOKENIZERS_PARALLELISM" not in os.environ


@pytest.mark.parametrize(
    ("texts", "before", "inside"),
    [
        (["few"], None, "false"),
        (["many" * 200_000], None, None),
        (["many" * 100] * 20_000, None, None),
        (["few"], "true", "true"),
        (["few"], "", ""),
    ],
    ids=["few", "long", "many", "asked for", "set to nothing"],
)
def test_threads_are_for_many_texts_or_where_they_were_asked_for(monkeypatch, texts, before, inside):
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    if before is not None:
        monkeypatch.setenv("TOKENIZERS_PARALLELISM", before)
    with pytest.raises(ZeroDivisionError), threads_for(texts):
        assert os.environ.get("TOKENIZERS_PARALLELISM") == inside
        raise ZeroDivisionError
    assert os.environ.get("TOKENIZERS_PARALLELISM") == before


LOADS = """
import sys
from tokenizers_broken_in_one_way import KNOWN, complete
from pytest_modelcheck import assert_roundtrip, assert_token_ids, assert_tokenizer_conforms, assert_vocabulary

tokenizer = complete()
before = "torch" in sys.modules
assert_roundtrip(tokenizer)
assert_token_ids(tokenizer, text="", ids=[tokenizer.bos_token_id, tokenizer.eos_token_id])
assert_tokenizer_conforms(tokenizer, expected_failures=KNOWN)
assert_vocabulary(tokenizer, size=len(tokenizer))
print(before, "torch" in sys.modules)
"""


def test_no_torch_is_loaded_for_a_tokenizer():
    said, _ = alone(LOADS)
    if said.startswith("True"):
        assert before("transformers", "5")
        pytest.skip("transformers before 5 loads torch itself")
    assert said == "False False"


def test_the_field_conforms_with_its_literals_excused(uncased):
    for tokenizer in (uncased, llama()):
        assert assert_tokenizer_conforms(tokenizer, expected_failures=KNOWN).ok


def test_texts_are_padded_sixteen_at_a_time():
    sizes = []

    def call(self, text, pair=None, **options):
        if options.get("padding"):
            sizes.append(len(text))
        return Fast.__call__(self, text, pair, **options)

    texts = [f"{TEXT}{number}" for number in range(20)]
    result = tokenizer_conforms(complete(overriding(__call__=call)), texts=texts, expected_failures=KNOWN)
    assert result.ok
    assert sizes == [16] * 4 + [4] * 4
    assert next(part.measured for part in result.parts if part.name == "padding") == "80 of 80 cases"


def test_texts_of_one_id_say_nothing_about_a_stream():
    result = tokenizer_conforms(complete(), texts=["a", TEXT, "", "b"], expected_failures=KNOWN)
    assert next(part.measured for part in result.parts if part.name == "incremental_decoding") == "1 of 1 cases"


def test_without_special_tokens_none_is_injected():
    result = tokenizer_conforms(byte_level(), texts=[TEXT])
    part = next(part for part in result.parts if part.name == "injection")
    assert (part.outcome, part.measured) == ("skipped", "it has no special tokens")


@pytest.mark.parametrize("backend", [False, True], ids=["transformers", "tokenizers"])
def test_an_added_token_is_not_looked_for_where_literals_are_left_alone(backend):
    tokenizer = complete(split_special_tokens=True)
    if backend:
        tokenizer = byte_level()
        tokenizer.encode_special_tokens = True
    result = tokenizer_conforms(tokenizer, texts=[TEXT])
    part = next(part for part in result.parts if part.name == "added_tokens")
    assert (part.outcome, part.measured) == ("passed", "8 of 8 cases")


NORMALIZERS = [
    ("deletes", normalizers.Replace("\u200b", ""), "zero\u200bwidth, and more of it"),
    ("merges", normalizers.NFC(), "cafe\u0301 re\u0301sume\u0301 o\u0323\u0302"),
    ("makes spaces of", normalizers.Replace("_", " "), "a name of words_and_lines"),
    ("all of it", normalizers.Nmt(), "bell\x07 and\u200b a\tline"),
]


@pytest.mark.parametrize(("normalizer", "text"), [row[1:] for row in NORMALIZERS], ids=[row[0] for row in NORMALIZERS])
def test_letters_that_the_normalizer_takes_need_no_token(normalizer, text):
    words = {letter: index for index, letter in enumerate(sorted({*text, *normalizer.normalize_str(text)}))}
    tokenizer = Tokenizer(models.BPE(words, []))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizers.WhitespaceSplit()
    result = tokenizer_conforms(tokenizer, texts=[text], level="stable")
    assert next(part.message for part in result.parts if part.name == "offsets") == ""


def test_a_letter_that_the_normalizer_keeps_needs_a_token():
    tokenizer = Tokenizer(models.BPE({letter: index for index, letter in enumerate("abc ")}, []))
    tokenizer.normalizer = normalizers.Replace("-", "")
    # The offsets of this library shift where a letter has no token.
    result = tokenizer_conforms(tokenizer, texts=["a-b cab dab"], level="stable")
    assert next(part.message for part in result.parts if part.name == "offsets").endswith(
        "'a-b cab dab': no token covers character 10, 'b'"
    )


def test_a_long_text_of_letters_that_are_deleted_is_measured():
    result = tokenizer_conforms(byte_level(normalizers.Replace("\u200b", "")), texts=["a\u200b" * 20_000])
    assert result.message == ""


def clip(folder):
    """It replaces its backend's decode, which a copy forgets."""
    letters = byte_letters()
    ending = [f"{letter}</w>" for letter in letters]
    tokens = [*letters, *ending, "ga", "te</w>", "gate</w>", "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\ng a\nt e</w>\nga te</w>\n", encoding="utf-8")
    return CLIPTokenizerFast.from_pretrained(folder)


def test_the_copy_of_a_clip_tokenizer_decodes_as_it_does(tmp_path):
    tokenizer = clip(tmp_path)
    ids = tokenizer("A gate, kept!")["input_ids"]
    before = tokenizer.decode(ids)
    result = assert_roundtrip(tokenizer)
    assert (result.evidence["level"], result.evidence["kept"]) == ("letters", 42)
    assert broken_parts(tokenizer, expected_failures=KNOWN) == {}
    assert (tokenizer.decode(ids), tokenizer("A gate, kept!")["input_ids"]) == (before, ids)


def test_a_processor_that_adds_tokens_of_its_own_is_asked_without_them():
    model = sentencepiece("bpe").serialized_model_proto()
    processor = SentencePieceProcessor(model_proto=model, add_bos=True, add_eos=True)
    assert (processor.encode("a")[0], processor.encode("a")[-1]) == (processor.bos_id(), processor.eos_id())
    assert assert_roundtrip(processor).measured == assert_roundtrip(sentencepiece("bpe")).measured
    assert broken_parts(processor) == {}


def test_a_decoder_of_the_real_vocabulary_that_writes_other_letters_is_caught():
    tokenizer = BertTokenizerFast(str(VOCABULARY))
    steps = [decoders.WordPiece(), decoders.Replace("a", "\u00c1")]
    tokenizer.backend_tokenizer.decoder = decoders.Sequence(steps)
    result = roundtrip(tokenizer, texts=["the gate", "is open"])
    assert (result.outcome, result.evidence["failing"]) == ("failed", ["'the gate'"])


def test_a_clean_up_that_takes_spaces_away_is_no_loss(uncased):
    text = "it 's a gate , is n't it ? they 've kept it ."
    backend = uncased.backend_tokenizer
    assert backend.decode(backend.encode(text, add_special_tokens=False).ids) != text
    assert assert_roundtrip(backend, texts=[text]).evidence["level"] == "canonical"


def spaced(*more):
    """Real words and marks, and what else the decoder does to them."""
    tokenizer = BertTokenizerFast(str(VOCABULARY))
    tokenizer.backend_tokenizer.decoder = decoders.Sequence([decoders.WordPiece(), decoders.Fuse(), *more])
    return tokenizer


SPACED = [
    ("nothing", [], True),
    ("a space away before a mark", [decoders.Replace(" ;", ";")], True),
    ("a space away between words", [decoders.Replace("the gate", "thegate")], False),
    ("a space more between words", [decoders.Replace("the gate", "the  gate")], False),
    ("a space more, and one away", [decoders.Replace("the gate ;", "the  gate;")], False),
    ("a space left before a mark", [decoders.Replace(", is", " , is")], True),
    ("a mark away", [decoders.Replace(",", "")], False),
    ("another mark", [decoders.Replace(".", "?")], False),
]


@pytest.mark.parametrize(("steps", "is_kept"), [row[1:] for row in SPACED], ids=[row[0] for row in SPACED])
def test_what_a_decoder_does_to_spaces_is_judged_by_what_is_lost(steps, is_kept):
    texts = ["Here the gate ; is open.", "the gate, is it?", "the gate ; kept"]
    result = roundtrip(spaced(*steps), texts=[" ".join(texts), *(["a word"] * 9)])
    assert result.evidence["level"] == "canonical"
    assert (result.outcome, result.evidence["kept"]) == (("passed", 10) if is_kept else ("failed", 9))


MARKED = st.lists(st.sampled_from([*"abyz .,?!;'", "n't", "[MASK]", "\u00e9"]), max_size=20).map("".join)


@given(texts=st.lists(MARKED, min_size=1, max_size=5))
def test_what_is_not_decoded_once_more_is_judged_as_if_it_were(uncased, texts):
    pipeline = subject_of(uncased).pipeline()
    assert pipeline.is_tidied
    decoded = replace(pipeline, is_tidied=False)
    assert round_trips(pipeline, texts, "canonical") == round_trips(decoded, texts, "canonical")


class Turned(GPT2TokenizerFast):
    """A class of the library, as far as anybody can see, whose own call turns the ids of some texts round."""

    def __call__(self, text, *more, **options):
        found = super().__call__(text, *more, **options)
        if isinstance(text, str) and text.startswith("turned"):
            found["input_ids"] = found["input_ids"][::-1]
        return found


@pytest.mark.parametrize(
    ("module", "first"),
    [
        ("of_a_user", 1_020),
        ("transformers.models.gpt2", 1_020),
        ("transformers.tokenization_utils_base", 1_000),
        ("transformers.tokenization_utils_base", 1_980),
    ],
)
def test_a_call_that_differs_from_the_backends_in_a_later_batch_is_found(module, first):
    """In any text where a class or a model has a call of its own; in the first and last of a batch whatever it is."""
    made = type("Turned", (Turned,), {"__module__": module, "__call__": Turned.__call__})
    tokenizer = made(tokenizer_object=gpt2().backend_tokenizer)
    texts = [*(["a text as it is"] * first), *(["turned round"] * 20)]
    result = roundtrip(tokenizer, texts=texts)
    assert (result.outcome, result.evidence["kept"]) == ("failed", first)


@pytest.mark.skipif(before("transformers", "5"), reason="transformers before 5 takes a vocabulary as a file only")
def test_a_decoding_of_the_models_own_is_asked_for_every_text():
    """Whisper's leaves time stamps out, which the backend decodes."""
    from transformers import WhisperTokenizer

    vocabulary = {letter: index for index, letter in enumerate([*byte_letters(), "<|endoftext|>"])}
    tokenizer = WhisperTokenizer(vocab=vocabulary, merges=[])
    tokenizer.add_tokens([f"<|{0.02 * step:.2f}|>" for step in range(20)])
    texts = [f"plain {number}" for number in range(20)]
    result = roundtrip(tokenizer, texts=[*texts, "a <|0.02|> b", *texts])
    assert (result.outcome, result.evidence["failing"]) == ("failed", ["'a <|0.02|> b'"])


def without_a_prefix(**options):
    """A WordPiece that writes no prefix before what goes on with a word, and decodes to words without spaces."""
    vocabulary = {token: index for index, token in enumerate(["[UNK]", "a", "b", ".", "?"])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", continuing_subword_prefix=""))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="", **options)
    return tokenizer


@pytest.mark.parametrize("cleanup", [False, True])
def test_spaces_that_were_never_there_were_not_cleaned_up(cleanup):
    result = roundtrip(without_a_prefix(cleanup=cleanup), texts=["a .", "b ?", "a"])
    assert (result.outcome, result.evidence["kept"]) == ("failed", 1)


def test_a_shell_of_the_librarys_own_is_looked_into():
    words = VOCABULARY.read_text(encoding="utf-8").split("\n")
    tokenizer = BertWordPieceTokenizer({word: index for index, word in enumerate(words) if word})
    tokenizer.enable_truncation(3)
    assert assert_roundtrip(tokenizer, texts=["the gate is open , and kept"]).evidence["tokens"] == 7
    assert tokenizer.truncation["max_length"] == 3


class Lazy(Sequence):
    """Texts that are made when they are asked for."""

    def __init__(self, size):
        self.size, self.made = size, 0

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        if index >= self.size:
            raise IndexError
        self.made += 1
        return "a" * 400_000


def test_texts_that_are_made_as_they_are_read_are_not_all_held():
    texts, ahead = Lazy(20), []

    class Letters:
        def encode(self, text):
            ahead.append(texts.made)
            return list(map(ord, text))

        def decode(self, ids):
            return "".join(map(chr, ids))

    assert roundtrip(Letters(), texts=texts).evidence["kept"] == 20
    assert max(later - earlier for earlier, later in pairwise(ahead)) <= 3
