"""What a WordPiece tokenizer promises to return: words between single spaces."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

# Parts of a pipeline that treat what stands between two spaces by itself. Such stretches recur, and are remembered.
_LOCAL = frozenset({"NoneType", "BertNormalizer", "Lowercase", "BertPreTokenizer", "Whitespace", "WhitespaceSplit"})
_REMEMBERED = 50_000


def canonical(backend: Any) -> Callable[[str], str]:
    """The words of the normalized text between single spaces, unknown words substituted."""
    literals = added_literals(backend)
    normalizer, splitter, model = backend.normalizer, backend.pre_tokenizer, backend.model
    added = {token.content for token in backend.get_added_tokens_decoder().values()}
    longest = model.max_input_chars_per_word

    def is_unknown(word: str) -> bool:
        if len(word) <= longest and model.token_to_id(word) is not None:
            return False
        return [token.value for token in model.tokenize(word)] == [model.unk_token]

    def words(text: str) -> list[str]:
        normal = normalizer.normalize_str(text) if normalizer is not None else text
        found = [word for word, _ in splitter.pre_tokenize_str(normal)] if splitter is not None else [normal]
        return [model.unk_token if is_unknown(word) else word for word in found if word]

    @lru_cache(_REMEMBERED)
    def stretch(text: str) -> str:
        return " ".join(words(text))

    def plain(text: str) -> str:
        return " ".join(filter(None, map(stretch, text.split(" ")))) if local else stretch(text)

    def expected(text: str) -> str:
        if literals is None:
            return plain(text)
        pieces = ((piece if piece in added else plain(piece)) for piece in literals.split(text))
        return " ".join(filter(None, pieces))

    local = type(normalizer).__name__ in _LOCAL and type(splitter).__name__ in _LOCAL
    return expected


def added_literals(backend: Any) -> re.Pattern[str] | None:
    """What finds the added tokens that stand in a text, the longest first; `None` where none is looked for."""
    added = sorted((token.content for token in backend.get_added_tokens_decoder().values()), key=len, reverse=True)
    if not added or backend.encode_special_tokens:
        return None
    return re.compile("(" + "|".join(map(re.escape, added)) + ")")
