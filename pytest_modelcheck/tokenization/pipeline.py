"""A tokenizer seen as one pipeline, text to ids to text, whatever library it comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any, Literal

from pytest_modelcheck.errors import ModelCheckError, require

Level = Literal["lossless", "normalized", "canonical", "stable"]
LEVELS: tuple[Level, ...] = ("lossless", "normalized", "canonical", "stable")

Ids = list[int]

# How many texts must agree, beside the code being transformers' own, before batch calls stand in for single ones.
_PROBES = 8


@dataclass(frozen=True)
class Pipeline:
    """What a round trip needs of a tokenizer, special tokens neither added nor skipped.

    `normalize` is the identity where there is no normalizer. `canonical` gives the text that a WordPiece tokenizer
    promises to return and `decode_plain` decodes without the decoder's clean-up; both are `None` elsewhere.
    `unknown_id` is `None` where no text can become unknown, or where that cannot be asked. `dropped` counts the letters
    of each text that no token stands for, where a tokenizer without an unknown token may leave some out.
    """

    family: str
    level: Level
    encode: Callable[[Sequence[str]], list[Ids]]
    decode: Callable[[Sequence[Ids]], list[str]]
    tokens: Callable[[Ids], list[str]]
    normalize: Callable[[str], str]
    canonical: Callable[[str], str] | None = None
    decode_plain: Callable[[Sequence[Ids]], list[str]] | None = None
    unknown_id: int | None = None
    dropped: Callable[[Sequence[str]], list[int]] | None = None

    def can_promise(self, level: Level) -> bool:
        """Whether the level can be judged for this tokenizer."""
        return level != "canonical" or self.canonical is not None


def pipeline_of(tokenizer: Any) -> Pipeline:
    """The pipeline of a transformers tokenizer, a `tokenizers.Tokenizer`, or any object with `encode` and `decode`.

    A tokenizer of the `tokenizers` library is worked with as a copy: truncation and padding are off on the copy, and
    the original is not touched.
    """
    backend = _backend_of(tokenizer)
    copy = None if backend is None else _copy_of(backend)
    if copy is not None:
        return _backend_pipeline(tokenizer, copy, is_bare=backend is tokenizer)
    if callable(getattr(tokenizer, "encode", None)) and callable(getattr(tokenizer, "decode", None)):
        return _plain_pipeline(tokenizer)
    raise ModelCheckError(
        f"{type(tokenizer).__name__} is no tokenizer: it has no encode and decode methods. "
        "Give a transformers tokenizer, a tokenizers.Tokenizer, or an object with both"
    )


def full_ids(tokenizer: Any, text: str) -> Ids:
    """The ids of a text as a model gets them, with the special tokens that the tokenizer adds."""
    encoded = tokenizer.encode(text)
    return [index(item) for item in getattr(encoded, "ids", encoded)]


def token_names(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """The token of each id, or its text where the tokenizer cannot name tokens."""
    for name in ("convert_ids_to_tokens", "id_to_token"):
        convert = getattr(tokenizer, name, None)
        if callable(convert):
            return [str(convert(item)) for item in ids]
    return [str(tokenizer.decode([item])) for item in ids]


def _backend_of(tokenizer: Any) -> Any:
    candidate = getattr(tokenizer, "backend_tokenizer", tokenizer)
    return candidate if type(candidate).__module__.partition(".")[0] == "tokenizers" else None


def _copy_of(backend: Any) -> Any:
    tokenizers = require("tokenizers", "checking this tokenizer")
    try:
        copy = tokenizers.Tokenizer.from_str(backend.to_str())
    except Exception:  # parts written in Python cannot be copied; the tokenizer is then used through its own methods
        return None
    copy.no_truncation()
    copy.no_padding()
    copy.encode_special_tokens = backend.encode_special_tokens
    return copy


def _backend_pipeline(tokenizer: Any, copy: Any, *, is_bare: bool) -> Pipeline:
    def encode(texts: Sequence[str]) -> list[Ids]:
        return [item.ids for item in copy.encode_batch_fast(list(texts), add_special_tokens=False)]

    def decode(rows: Sequence[Ids]) -> list[str]:
        decoded = copy.decode_batch(list(rows), skip_special_tokens=False)
        return [clean(text) for text in decoded] if clean is not None else list(decoded)

    stock = not is_bare and _is_stock(tokenizer)
    model = type(copy.model).__name__
    clean = _clean_up_of(tokenizer, model)
    is_wordpiece = model == "WordPiece"
    normalizer = copy.normalizer
    return Pipeline(
        family=_family(copy),
        level=_inferred_level(copy),
        encode=encode if is_bare else _proven(encode, lambda text: _own_ids(tokenizer, text), stock=stock),
        decode=decode if is_bare else _proven(decode, lambda ids: str(tokenizer.decode(ids)), stock=stock),
        tokens=lambda ids: [copy.id_to_token(item) or "" for item in ids],
        normalize=normalizer.normalize_str if normalizer is not None else str,
        canonical=_canonical_of(copy) if is_wordpiece else None,
        decode_plain=_decode_plain_of(copy) if is_wordpiece else None,
        unknown_id=_unknown_id(copy),
        dropped=_dropped_of(copy) if _unknown_id(copy) is None and not _is_byte_level(copy) else None,
    )


def _own_ids(tokenizer: Any, text: str) -> Ids:
    return list(tokenizer(text, add_special_tokens=False, truncation=False, padding=False)["input_ids"])


def _is_stock(tokenizer: Any) -> bool:
    """Whether encoding and decoding are transformers' own, and nobody's who may do something more on the way."""
    names = ("__call__", "encode", "_encode_plus", "decode", "_decode", "convert_tokens_to_string")
    methods = [getattr(type(tokenizer), name, None) for name in names]
    own = any(name in getattr(tokenizer, "__dict__", {}) for name in names)
    return not own and all(item is None or item.__module__.partition(".")[0] == "transformers" for item in methods)


def _proven(
    batch: Callable[[Any], list[Any]], single: Callable[[Any], Any], *, stock: bool
) -> Callable[[Any], list[Any]]:
    """The batch call where it is known to give what the tokenizer's own call gives; else the own call."""

    def call(rows: Any) -> list[Any]:
        if not stock:
            return [single(row) for row in rows]
        results = batch(rows)
        if all(single(row) == result for row, result in zip(rows[:_PROBES], results, strict=False)):
            return results
        return [single(row) for row in rows]

    return call


def _clean_up_of(tokenizer: Any, model: str) -> Callable[[str], str] | None:
    wanted = getattr(tokenizer, "clean_up_tokenization_spaces", False)
    clean = getattr(tokenizer, "clean_up_tokenization", None)
    return clean if wanted and callable(clean) and model != "BPE" else None


def _family(copy: Any) -> str:
    parts = [type(copy.model).__name__]
    if copy.normalizer is not None:
        parts.append(f"with {type(copy.normalizer).__name__}")
    return " ".join(parts)


def _inferred_level(copy: Any) -> Level:
    """The strongest level that tokenizers of this build keep on every text."""
    model = type(copy.model).__name__
    if model == "WordPiece":
        return "canonical"
    if model == "BPE" and _is_byte_level(copy) and "add_prefix_space=True" not in str(copy.pre_tokenizer):
        return "lossless" if copy.normalizer is None else "normalized"
    return "stable"


def _is_byte_level(copy: Any) -> bool:
    return "ByteLevel" in f"{copy.pre_tokenizer} {copy.decoder}"


def _dropped_of(copy: Any) -> Callable[[Sequence[str]], list[int]]:
    """The number of characters, white space aside, that lie outside of every token's offsets."""

    def dropped(texts: Sequence[str]) -> list[int]:
        encodings = copy.encode_batch(list(texts), add_special_tokens=False)
        return [_uncovered(text, encoding.offsets) for text, encoding in zip(texts, encodings, strict=True)]

    return dropped


def _uncovered(text: str, offsets: Sequence[tuple[int, int]]) -> int:
    covered = {position for start, stop in offsets for position in range(start, stop)}
    return sum(position not in covered and not letter.isspace() for position, letter in enumerate(text))


def _unknown_id(copy: Any) -> int | None:
    if type(copy.model).__name__ == "Unigram":  # the model in Python does not tell
        unknown: int | None = json.loads(copy.to_str())["model"].get("unk_id")
        return unknown
    token = getattr(copy.model, "unk_token", None)
    return None if token is None else copy.token_to_id(token)


def _decode_plain_of(copy: Any) -> Callable[[Sequence[Ids]], list[str]]:
    tokenizers = require("tokenizers", "checking this tokenizer")
    plain = tokenizers.Tokenizer.from_str(copy.to_str())
    plain.decoder = tokenizers.decoders.WordPiece(prefix=copy.model.continuing_subword_prefix, cleanup=False)
    return lambda rows: list(plain.decode_batch(list(rows), skip_special_tokens=False))


def _canonical_of(copy: Any) -> Callable[[str], str]:
    """What WordPiece returns: the words of the normalized text between single spaces, unknown words substituted."""
    added = sorted((token.content for token in copy.get_added_tokens_decoder().values()), key=len, reverse=True)
    literals = re.compile("(" + "|".join(map(re.escape, added)) + ")") if added else None
    normalizer, splitter, model = copy.normalizer, copy.pre_tokenizer, copy.model

    def words(text: str) -> list[str]:
        normal = normalizer.normalize_str(text) if normalizer is not None else text
        found = [word for word, _ in splitter.pre_tokenize_str(normal)] if splitter is not None else [normal]
        return [model.unk_token if _is_unknown(model, word) else word for word in found if word]

    def canonical(text: str) -> str:
        pieces = literals.split(text) if literals is not None and not copy.encode_special_tokens else [text]
        return " ".join(word for piece in pieces for word in ([piece] if piece in added else words(piece)))

    return canonical


def _is_unknown(model: Any, word: str) -> bool:
    return [token.value for token in model.tokenize(word)] == [model.unk_token]


def _plain_pipeline(tokenizer: Any) -> Pipeline:
    """A tokenizer that offers `encode` and `decode` alone: one text at a time, and only what can be asked of it."""

    def encode(texts: Sequence[str]) -> list[Ids]:
        if callable(tokenizer) and hasattr(tokenizer, "convert_ids_to_tokens"):
            return [_own_ids(tokenizer, text) for text in texts]
        return [[index(item) for item in tokenizer.encode(text)] for text in texts]

    unknown = getattr(tokenizer, "unk_token_id", None)
    shared = (getattr(tokenizer, "eos_token_id", None), getattr(tokenizer, "bos_token_id", None))
    return Pipeline(
        family=f"{type(tokenizer).__name__} (encode and decode only)",
        level="stable",
        encode=encode,
        decode=lambda rows: [str(tokenizer.decode(ids)) for ids in rows],
        tokens=lambda ids: token_names(tokenizer, ids),
        normalize=str,
        unknown_id=None if unknown in shared else unknown,
    )
