"""A `tiktoken.Encoding`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_modelcheck.tokenization.pipeline import Ids, Pipeline, nothing_unknown
from pytest_modelcheck.tokenization.subject import Encoded, Subject


def is_tiktoken(candidate: Any) -> bool:
    """Whether this is an encoding of tiktoken."""
    return hasattr(candidate, "encode_ordinary") and hasattr(candidate, "special_tokens_set")


class TiktokenSubject(Subject):
    """An encoding of bytes. Nothing that is asked of it changes it."""

    kind = "a tiktoken encoding"

    def __init__(self, encoding: Any) -> None:
        self._encoding = encoding

    def pipeline(self) -> Pipeline:
        return Pipeline(
            family="tiktoken",
            level="lossless",
            encode=lambda texts: self._encoding.encode_ordinary_batch(list(texts)),
            decode=lambda rows: self._encoding.decode_batch([list(row) for row in rows]),
            tokens=lambda ids: [self.token(item) or "" for item in ids],
            normalize=str,
            unknown=nothing_unknown,
        )

    def bare(self, text: str) -> Ids:
        return list(self._encoding.encode_ordinary(text))

    def decode(self, ids: Sequence[int], *, skip_special: bool = False) -> str:
        left_out = set(self.special_tokens().values()) if skip_special else set()
        return str(self._encoding.decode([item for item in ids if item not in left_out]))

    def full(self, text: str) -> Encoded:
        ids = list(self._encoding.encode(text, disallowed_special=()))
        return Encoded(ids, [False] * len(ids))

    def batch(self, texts: Sequence[str]) -> list[Ids]:
        return [list(row) for row in self._encoding.encode_batch(list(texts), disallowed_special=())]

    def special_tokens(self) -> Mapping[str, int]:
        return {token: self._encoding.encode_single_token(token) for token in self._encoding.special_tokens_set}

    def token_id(self, token: str) -> int | None:
        try:
            return int(self._encoding.encode_single_token(token))
        except KeyError:
            return None

    def token(self, item: int) -> str | None:
        try:
            return str(self._encoding.decode_single_token_bytes(item).decode("utf-8", "backslashreplace"))
        except KeyError:
            return None

    def size(self) -> int:
        return len(self._encoding.token_byte_values()) + len(self._encoding.special_tokens_set)

    def largest_id(self) -> int:
        return int(self._encoding.max_token_value)
