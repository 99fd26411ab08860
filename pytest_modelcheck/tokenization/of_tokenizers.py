"""A bare `tokenizers.Tokenizer`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.tokenization.backend import backend_pipeline, unknown_id
from pytest_modelcheck.tokenization.copies import copy_of
from pytest_modelcheck.tokenization.pipeline import Ids, Pipeline
from pytest_modelcheck.tokenization.subject import Encoded, NotAsked, Side, Subject

_PADS = ("[PAD]", "<pad>", "<|pad|>", "<|padding|>", "<|endoftext|>")
_STARTS = ("<s>", "<bos>", "<|begin_of_text|>", "<|startoftext|>")


class TokenizersSubject(Subject):
    """A copy of a backend, its truncation and padding off unless they are asked for."""

    kind = "a tokenizers.Tokenizer"

    def __init__(self, tokenizer: Any) -> None:
        # Those of tokenizers.implementations are shells around one.
        tokenizer = getattr(tokenizer, "_tokenizer", tokenizer)
        copy = copy_of(tokenizer)
        if copy is None:
            raise ModelCheckError(
                "this tokenizer has parts written in Python and cannot be copied, and a check changes nothing that it "
                "is given"
            )
        self._tokenizer = copy
        self._padding = tokenizer.padding

    def pipeline(self) -> Pipeline:
        return backend_pipeline(self._tokenizer)

    def bare(self, text: str) -> Ids:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int], *, skip_special: bool = False) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=skip_special))

    def full(self, text: str) -> Encoded:
        return _encoded(self._tokenizer.encode(text))

    def batch(self, texts: Sequence[str]) -> list[Ids]:
        return [list(item.ids) for item in self._tokenizer.encode_batch(list(texts))]

    def padded(self, texts: Sequence[str], side: Side, multiple: int | None) -> list[Encoded]:
        pad = self.pad_id()
        token = self._tokenizer.id_to_token(pad)
        self._tokenizer.enable_padding(direction=side, pad_id=pad, pad_token=token, pad_to_multiple_of=multiple)
        try:
            return [_encoded(item) for item in self._tokenizer.encode_batch(list(texts))]
        finally:
            self._tokenizer.no_padding()

    def pad_id(self) -> int:
        if self._padding is not None:
            return int(self._padding["pad_id"])
        known = [self._tokenizer.token_to_id(token) for token in _PADS]
        found = [item for item in known if item is not None]
        if not found:
            raise NotAsked("it has no pad token")
        return int(found[0])

    def windows(self, text: str, length: int, stride: int, side: Side) -> list[Encoded]:
        self._tokenizer.enable_truncation(length, stride=stride, direction=side)
        try:
            first = self._tokenizer.encode(text)
            return [_encoded(item) for item in (first, *first.overflowing)]
        finally:
            self._tokenizer.no_truncation()

    def added(self, *, pair: bool) -> int:
        return int(self._tokenizer.num_special_tokens_to_add(pair))

    def pair(self, first: str, second: str) -> Encoded:
        return _encoded(self._tokenizer.encode(first, second))

    def pretokenized(self, words: Sequence[str]) -> Encoded:
        return _encoded(self._tokenizer.encode(list(words), is_pretokenized=True, add_special_tokens=False))

    def special_tokens(self) -> Mapping[str, int]:
        added = self._tokenizer.get_added_tokens_decoder()
        return {token.content: item for item, token in added.items() if token.special}

    def leaves_literals(self) -> bool:
        return bool(self._tokenizer.encode_special_tokens)

    def unknown_id(self) -> int | None:
        return unknown_id(self._tokenizer)

    def bos_id(self) -> int | None:
        found = (self._tokenizer.token_to_id(token) for token in _STARTS)
        return next((item for item in found if item is not None), None)

    def token_id(self, token: str) -> int | None:
        found: int | None = self._tokenizer.token_to_id(token)
        return found

    def token(self, item: int) -> str | None:
        found: str | None = self._tokenizer.id_to_token(item)
        return found

    def size(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def largest_id(self) -> int:
        return max(self._tokenizer.get_vocab().values(), default=-1)

    def normalized(self, text: str) -> str:
        normalizer = self._tokenizer.normalizer
        return str(normalizer.normalize_str(text)) if normalizer is not None else text

    def reloaded(self) -> Subject:
        return TokenizersSubject(type(self._tokenizer).from_str(self._tokenizer.to_str()))

    def with_token(self, token: str, *, special: bool) -> Subject:
        more = TokenizersSubject(self._tokenizer)
        (more._tokenizer.add_special_tokens if special else more._tokenizer.add_tokens)([token])
        return more


def _encoded(item: Any) -> Encoded:
    return Encoded(
        list(item.ids),
        list(map(bool, item.special_tokens_mask)),
        offsets=item.offsets,
        words=item.word_ids,
        sequences=item.sequence_ids,
        mask=item.attention_mask,
    )
