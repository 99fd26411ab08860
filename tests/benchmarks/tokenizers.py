"""Round trips of many texts: the gate, loops over a tokenizer, its batch calls, and those of its backend."""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Callable, Sequence
from typing import Any

from tests.benchmarks.peers import Peers
from tests.benchmarks.results import Goal, Section
from tests.benchmarks.rounds import ROOT, SAMPLE, Contender, interleaved, ratio, table, worker

_WORDS = 17  # about 92 characters
_TOKENIZERS = ("GPT-2", "Llama's build", "DistilBERT")

# Texts that the limit is given at a time. With all of them at once it takes more time and memory.
_TOGETHER = 1_000

_LIMIT = "encode_batch_fast and decode_batch of the backend (the limit)"
_AGAIN = "the limit, its texts encoded again"
_GATE = "pytest-modelcheck, one gate"
_CONTENDERS = {
    _LIMIT: "limit",
    _AGAIN: "again",
    _GATE: "gate",
    "the tokenizer's batch calls": "batches",
    "a loop over the tokenizer, text by text": "loop",
}


def measure(peers: Peers, rounds: int, texts: int = 20_000) -> Section:
    """The gate compares every text as well, and on DistilBERT the ids of the decoded texts.

    No tool can compare the ids of decoded texts without encoding them, so the limit of DistilBERT encodes twice. What
    the others give is compared outside of their time: for GPT-2 with the texts, for the others, which give them back in
    another form, with what the loop gives.
    """
    parts, goals = [], []
    for name in _TOKENIZERS:

        def given(function: str, is_right: Callable[[Any], bool], name: str = name) -> Contender:
            place = f"tests.benchmarks.tokenizers:{function}"
            return worker(peers.beside_torch, place, name, texts, is_right=is_right)

        back = _digest(some_texts(texts))
        if name != "GPT-2":
            back = given("loop", lambda answer: isinstance(answer, str)).run(name).answer
        contenders = {
            told: given(function, lambda answer, back=back: answer == back) for told, function in _CONTENDERS.items()
        }
        contenders[_GATE] = given("gate", lambda answer: answer == texts)
        costs = interleaved(f"round trips of {name}", contenders, rounds)
        parts.append(f"### {name}, {texts:,} texts of 92 characters, {rounds} rounds\n\n{table(costs, _LIMIT)}")
        base = _AGAIN if name == "DistilBERT" else _LIMIT
        work = ratio(costs, _GATE, base, "work")
        goals.append(Goal(f"round trips of {name}: work, to {base}", work, 1.15))
    return Section("Round trips of tokenizers", "\n\n".join(parts), tuple(goals))


# The work, which gives texts, and what makes an answer of them.
_Work = tuple[Callable[[], list[str]], Callable[[list[str]], str]]


def limit(name: str, number: int) -> _Work:
    return _in_parts(name, number, is_encoded_again=False)


def again(name: str, number: int) -> _Work:
    return _in_parts(name, number, is_encoded_again=True)


def _in_parts(name: str, number: int, *, is_encoded_again: bool) -> _Work:
    backend, texts = _of(name).backend_tokenizer, some_texts(number)

    def run() -> list[str]:
        found: list[str] = []
        for start in range(0, number, _TOGETHER):
            decoded = _there_and_back(backend, texts[start : start + _TOGETHER])
            if is_encoded_again:
                backend.encode_batch_fast(decoded, add_special_tokens=False)
            found += decoded
        return found

    return run, _digest


def _there_and_back(backend: Any, texts: list[str]) -> list[str]:
    rows = [item.ids for item in backend.encode_batch_fast(texts, add_special_tokens=False)]
    return backend.decode_batch(rows, skip_special_tokens=False)


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def gate(name: str, number: int) -> Callable[[], int]:
    from pytest_modelcheck import assert_roundtrip

    tokenizer, texts = _of(name), some_texts(number)

    def run() -> int:
        told = assert_roundtrip(tokenizer, texts=texts, max_unknown_rate=1.0)
        return told.evidence["kept"]

    return run


def batches(name: str, number: int) -> _Work:
    tokenizer, texts = _of(name), some_texts(number)
    return lambda: tokenizer.batch_decode(tokenizer(texts, add_special_tokens=False)["input_ids"]), _digest


def loop(name: str, number: int) -> _Work:
    tokenizer, texts = _of(name), some_texts(number)

    def run() -> list[str]:
        return [tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]

    return run, _digest


def _of(name: str) -> Any:
    sys.path.insert(0, str(SAMPLE))
    from modelrepo.text.tokenizer import uncased_tokenizer
    from tests.tokenizers_of_the_field import gpt2, llama

    return {"GPT-2": gpt2, "Llama's build": llama, "DistilBERT": uncased_tokenizer}[name]()


def some_texts(number: int) -> list[str]:
    """Sentences of words from the project's own pages, in an order drawn from seed 0."""
    pages = (ROOT / "README.md", SAMPLE / "README.md")
    words = " ".join(page.read_text(encoding="utf-8") for page in pages).split()
    chance = random.Random(0)
    return [" ".join(chance.choices(words, k=_WORDS))[:92] for _ in range(number)]
