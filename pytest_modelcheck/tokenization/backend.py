"""The pipeline of a tokenizer of the `tokenizers` library, bare or inside of a transformers tokenizer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from pytest_modelcheck.errors import ModelCheckError, require
from pytest_modelcheck.tokenization import metaspace, wordpiece
from pytest_modelcheck.tokenization.copies import copy_of
from pytest_modelcheck.tokenization.offsets import lost_letters
from pytest_modelcheck.tokenization.pipeline import Ids, Level, Pipeline, nothing_unknown

# How many texts must agree, beside the code being transformers' own, before batch calls stand in for single ones. Of
# later batches it is fewer: the first, the middle and the last.
_PROBES = 8

# What transformers' own tokenizers of some models do in ways of their own, to some texts only: Whisper's, CodeLlama's.
_OWN_WAYS = frozenset({"__call__", "_encode_plus", "_batch_encode_plus", "decode", "_decode", "batch_decode"})

# What transformers' clean-up of white space changes, wherever a tokenizer leaves any to it.
_SPACED = "a . b ? c ! d , e ' f n't 'm 's 've 're"


def is_backend(candidate: Any) -> bool:
    """Whether this is a `tokenizers.Tokenizer`."""
    return type(candidate).__module__.partition(".")[0] == "tokenizers" and hasattr(candidate, "encode_batch")


def backend_pipeline(copy: Any, owner: Any = None) -> Pipeline:
    """The pipeline of a copy of a backend; `owner` is the transformers tokenizer whose copy it is in, if any."""
    encode = copy.encode_batch_fast if hasattr(copy, "encode_batch_fast") else copy.encode_batch

    def encode_all(texts: Sequence[str]) -> list[Ids]:
        return [item.ids for item in encode(list(texts), add_special_tokens=False)]

    def decode_all(rows: Sequence[Ids]) -> list[str]:
        decoded = copy.decode_batch(list(rows), skip_special_tokens=False)
        return [clean(text) for text in decoded] if clean is not None else list(decoded)

    dropout = getattr(copy.model, "dropout", None)
    if dropout:
        raise ModelCheckError(f"its BPE has dropout {dropout:g}, so that ids change from call to call: set it to None")
    if owner is not None:
        copy.encode_special_tokens = bool(getattr(owner, "split_special_tokens", False))
    clean = None if owner is None else _clean_up_of(owner, copy)
    level = _inferred_level(copy)
    covers_all = _has_byte_letters(copy) or metaspace.has_all_bytes(copy)
    own = {"canonical": wordpiece.canonical, "metaspace": metaspace.unescaped}.get(level)
    return Pipeline(
        family=_family(copy),
        level=level,
        encode=encode_all if owner is None else _proven(encode_all, lambda text: own_ids(owner, text), owner),
        decode=decode_all if owner is None else _proven(decode_all, lambda ids: str(owner.decode(ids)), owner),
        tokens=lambda ids: [copy.id_to_token(item) or "" for item in ids],
        normalize=_normalize_of(copy),
        expected=own(copy) if own is not None else None,
        decode_plain=_decode_plain_of(copy) if level == "canonical" else None,
        is_tidied=_tidies(copy, clean is not None),
        unknown=nothing_unknown if covers_all else _unknown_of(copy),
        dropped=_dropped_of(copy) if not covers_all and unknown_id(copy) is None else None,
        # The name of the unknown token is then read as any text.
        rewrites_unknown=bool(copy.encode_special_tokens),
        loose=_loose_of(copy),
    )


def own_ids(tokenizer: Any, text: str) -> Ids:
    """The ids of a transformers tokenizer's own call, special tokens not added."""
    return list(tokenizer(text, add_special_tokens=False, truncation=False, padding=False, verbose=False)["input_ids"])


def unknown_id(backend: Any) -> int | None:
    """The id of the unknown token, or `None`."""
    if type(backend.model).__name__ == "Unigram":  # the model in Python does not tell
        unknown: int | None = json.loads(backend.to_str())["model"].get("unk_id")
        return unknown
    token = getattr(backend.model, "unk_token", None)
    return None if token is None else backend.token_to_id(token)


def _unknown_of(copy: Any) -> Callable[[str, Ids], int]:
    """Unknown tokens, but for those that stand in the text as a literal: nothing was unknown about these."""
    unknown = unknown_id(copy)
    if unknown is None:
        return nothing_unknown
    literal = copy.id_to_token(unknown)

    def count(text: str, ids: Ids) -> int:
        found = ids.count(unknown)
        return max(0, found - text.count(literal)) if found and literal in text else found

    return count


def _is_stock(tokenizer: Any) -> bool:
    """Whether all that happens on the way is what transformers does for every model, and nobody does more."""
    for owner in type(tokenizer).__mro__:
        if owner.__module__.startswith("transformers.models."):
            if _OWN_WAYS.intersection(vars(owner)):
                return False
        elif owner.__module__.partition(".")[0] == "transformers":
            break
        elif any(callable(value) and name != "__init__" for name, value in vars(owner).items()):
            return False
    return not any(map(callable, vars(tokenizer).values()))


def _proven(batch: Callable[[Any], list[Any]], single: Callable[[Any], Any], owner: Any) -> Callable[[Any], list[Any]]:
    """The batch call where it is known to give what the tokenizer's own call gives; else the own call."""
    stock, is_first = _is_stock(owner), True

    def call(rows: Any) -> list[Any]:
        nonlocal is_first
        if not stock:
            return [single(row) for row in rows]
        results = batch(rows)
        if not all(single(rows[row]) == results[row] for row in _probed(len(rows), is_first)):
            return [single(row) for row in rows]
        is_first = False
        return results

    return call


def _probed(size: int, is_first: bool) -> Sequence[int]:
    """The rows of a batch that are asked for one by one as well."""
    return range(min(size, _PROBES)) if is_first or size <= _PROBES else (0, size // 2, size - 1)


def _clean_up_of(owner: Any, copy: Any) -> Callable[[str], str] | None:
    """The clean-up that the owner's `decode` applies, found by asking it: versions differ on when they do."""
    clean = getattr(owner, "clean_up_tokenization", None)
    if not callable(clean):
        return None
    ids = copy.encode(_SPACED, add_special_tokens=False).ids
    plain = copy.decode(ids, skip_special_tokens=False)
    return clean if plain != clean(plain) == owner.decode(ids) else None


def _family(copy: Any) -> str:
    normalizer = "" if copy.normalizer is None else f" with {type(copy.normalizer).__name__}"
    return f"{type(copy.model).__name__}{normalizer}"


def _inferred_level(copy: Any) -> Level:
    model = type(copy.model).__name__
    if model == "WordPiece":
        return "canonical"
    if _has_byte_letters(copy) and "add_prefix_space=True" not in str(copy.pre_tokenizer):
        return "lossless" if copy.normalizer is None else "normalized"
    return "metaspace" if metaspace.is_escaped(copy) else "letters"


def is_byte_level(copy: Any) -> bool:
    """Whether texts become bytes, each written as a letter."""
    return "ByteLevel" in f"{copy.pre_tokenizer} {copy.decoder}"


def _has_byte_letters(copy: Any) -> bool:
    """Whether texts become bytes, each written as a letter that there is a token for, and nothing else of note."""
    if type(copy.model).__name__ != "BPE" or not is_byte_level(copy):
        return False
    if copy.model.end_of_word_suffix or copy.model.continuing_subword_prefix:
        return False
    alphabet = require("tokenizers", "checking this tokenizer").pre_tokenizers.ByteLevel.alphabet()
    return all(copy.token_to_id(letter) is not None for letter in alphabet)


def _normalize_of(copy: Any) -> Callable[[str], str]:
    """The normalizer, which leaves added tokens alone that are cut out of a text before it."""
    if copy.normalizer is None:
        return str
    normalize: Callable[[str], str] = copy.normalizer.normalize_str
    cut = [token.content for token in copy.get_added_tokens_decoder().values() if not token.normalized]
    if not cut or copy.encode_special_tokens:
        return normalize
    literals = re.compile("(" + "|".join(map(re.escape, sorted(cut, key=len, reverse=True))) + ")")
    return lambda text: "".join(item if item in cut else normalize(item) for item in literals.split(text) if item)


def _loose_of(copy: Any) -> Callable[[str], bool] | None:
    """Whether a text holds an added token that is looked for in a way of its own."""
    normalize: Callable[[str], str] = copy.normalizer.normalize_str if copy.normalizer is not None else str
    added = copy.get_added_tokens_decoder().values()
    own = [token for token in added if token.lstrip or token.rstrip or token.single_word or token.normalized]
    if not own:
        return None
    written = [item for token in own for item in (token.content, normalize(token.content)) if item]
    literals = re.compile("|".join(map(re.escape, written)))
    return lambda text: bool(literals.search(text) or literals.search(normalize(text)))


def _dropped_of(copy: Any) -> Callable[[Sequence[str]], list[int]]:
    """The number of letters that lie outside of every token's offsets, though the normalizer keeps them."""

    def dropped(texts: Sequence[str]) -> list[int]:
        encodings = copy.encode_batch(list(texts), add_special_tokens=False)
        rows = zip(texts, encodings, strict=True)
        return [len(lost_letters(text, encoding.offsets, normalize)) for text, encoding in rows]

    normalize = copy.normalizer.normalize_str if copy.normalizer is not None else str
    return dropped


def _tidies(copy: Any, is_cleaned: bool) -> bool:
    """Whether the spaces before marks are taken away from the text of a WordPiece, by its decoder or its owner.

    Without a prefix to tell what goes on with a word, it has no spaces to begin with.
    """
    if type(copy.model).__name__ != "WordPiece" or type(copy.decoder).__name__ != "WordPiece":
        return False
    return bool(copy.model.continuing_subword_prefix) and (is_cleaned or bool(getattr(copy.decoder, "cleanup", False)))


def _decode_plain_of(copy: Any) -> Callable[[Sequence[Ids]], list[str]]:
    tokenizers = require("tokenizers", "checking this tokenizer")
    plain = copy_of(copy)
    plain.decoder = tokenizers.decoders.WordPiece(prefix=copy.model.continuing_subword_prefix, cleanup=False)
    return lambda rows: list(plain.decode_batch(list(rows), skip_special_tokens=False))
