"""Round trips of 100,000 strings: the gate, a loop over the Python tokenizer, and the backend's own batch calls."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from pytest_modelcheck import assert_roundtrip
from tests.benchmarks.rounds import in_process, interleaved, shown
from tests.tokenizers_of_the_field import gpt2, llama

SAMPLE = Path(__file__).parents[2] / "sample_project"

_TEXTS = 100_000
_WORDS = 17  # about 92 characters


def measure(rounds: int) -> str:
    """Each gate is checked to pass before its time counts. The limit decodes what it encoded, and compares nothing; the
    canonical level compares ids of decoded texts as well, which no tool can without encoding these."""
    sys.path.insert(0, str(SAMPLE))
    from modelrepo.text.tokenizer import uncased_tokenizer

    texts = _texts()
    length = sum(map(len, texts)) / len(texts)
    tables = []
    for name, tokenizer in (("GPT-2", gpt2()), ("Llama's build", llama()), ("DistilBERT", uncased_tokenizer())):
        level = assert_roundtrip(tokenizer, texts=texts, max_unknown_rate=1.0).evidence["level"]
        contenders = {
            "encode_batch and decode_batch (the limit)": in_process(lambda made=tokenizer: _limit(made, texts)),
            "the limit, its texts encoded again": in_process(lambda made=tokenizer: _limit(made, texts, again=True)),
            f"roundtrip gate, {level}": in_process(
                lambda made=tokenizer: assert_roundtrip(made, texts=texts, max_unknown_rate=1.0)
            ),
            "loop over the tokenizer, text by text": in_process(lambda made=tokenizer: _loop(made, texts)),
        }
        title = f"{name}, {len(texts):,} texts of {length:.0f} characters"
        tables.append(shown(title, interleaved(contenders, rounds), "encode_batch and decode_batch (the limit)"))
    return "\n\n".join(tables)


def _texts() -> list[str]:
    """Sentences of words from the project's own pages, in an order drawn from seed 0."""
    pages = (Path(__file__).parents[2] / "README.md", SAMPLE / "README.md")
    words = " ".join(page.read_text(encoding="utf-8") for page in pages).split()
    chance = random.Random(0)
    return [" ".join(chance.choices(words, k=_WORDS))[:92] for _ in range(_TEXTS)]


def _limit(tokenizer: object, texts: list[str], *, again: bool = False) -> None:
    backend = tokenizer.backend_tokenizer
    rows = [item.ids for item in backend.encode_batch(texts, add_special_tokens=False)]
    decoded = backend.decode_batch(rows, skip_special_tokens=False)
    if again:
        backend.encode_batch(decoded, add_special_tokens=False)


def _loop(tokenizer: object, texts: list[str]) -> None:
    for text in texts:
        tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"])
