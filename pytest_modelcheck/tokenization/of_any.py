"""Any object with `encode` and `decode`: one text at a time, and only what can be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pytest_modelcheck.tokenization.pipeline import Ids, Pipeline
from pytest_modelcheck.tokenization.subject import Subject, as_ids


class AnySubject(Subject):
    """A tokenizer of which nothing is known but that it encodes and decodes."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.kind = f"{type(tokenizer).__name__} (encode and decode only)"

    def pipeline(self) -> Pipeline:
        return plain_pipeline(self._tokenizer, self.kind, self.bare)

    def bare(self, text: str) -> Ids:
        return as_ids(self._tokenizer.encode(text))

    def decode(self, ids: Sequence[int], *, skip_special: bool = False) -> str:
        if skip_special:
            self._cannot("leave out special tokens")
        return str(self._tokenizer.decode(list(ids)))

    def size(self) -> int:
        for count in (lambda: self._tokenizer.vocab_size, lambda: len(self._tokenizer.get_vocab())):
            try:
                return int(count())
            except (AttributeError, TypeError):
                continue
        return super().size()


def plain_pipeline(tokenizer: Any, family: str, encode: Callable[[str], Ids]) -> Pipeline:
    """The pipeline of a tokenizer that is asked for one text at a time."""
    unknown = getattr(tokenizer, "unk_token_id", None)
    # Where the unknown token has another meaning too, its id alone tells nothing.
    shared = (getattr(tokenizer, "eos_token_id", None), getattr(tokenizer, "bos_token_id", None))

    def count(_: str, ids: Ids) -> int:
        return ids.count(unknown) if unknown is not None else 0

    return Pipeline(
        family=family,
        level="letters",
        encode=lambda texts: [encode(text) for text in texts],
        decode=lambda rows: [str(tokenizer.decode(ids)) for ids in rows],
        tokens=lambda ids: token_names(tokenizer, ids),
        unknown=None if unknown is None or unknown in shared else count,
        rewrites_unknown=True,
    )


def token_names(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """The token of each id, or its text where the tokenizer cannot name tokens."""
    for name in ("convert_ids_to_tokens", "id_to_token", "id_to_piece"):
        convert = getattr(tokenizer, name, None)
        if callable(convert):
            return [str(convert(item)) for item in ids]
    return [str(tokenizer.decode([item])) for item in ids]
