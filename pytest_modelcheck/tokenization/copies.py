"""Copies of a tokenizer of the `tokenizers` library, so that what a check sets never reaches the one it was given."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from pytest_modelcheck.errors import require

# The parts of a tokenizer beside its model and its added tokens. Tokens are added after the normalizer is set.
_STEPS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")

# Tokens that are added after one another, special ones and others in turns: each turn goes through all of them.
_RUNS = 32


def copy_of(backend: Any) -> Any:
    """A copy that neither truncates nor pads; `None` where parts written in Python cannot be copied."""
    copy = light_copy(backend)
    if copy is None:
        tokenizers = require("tokenizers", "checking this tokenizer")
        try:
            copy = tokenizers.Tokenizer.from_str(backend.to_str())
        except Exception:  # the library raises a bare Exception
            return None
        copy.encode_special_tokens = backend.encode_special_tokens
    copy.no_truncation()
    copy.no_padding()
    return copy


def light_copy(backend: Any) -> Any:
    """A tokenizer of its own around the same model and steps, which nothing here changes.

    To copy a vocabulary takes a tenth of a second, and more memory than all else. `None` where such a copy would not do
    as the tokenizer does, or where a part is written in Python and may have a state.
    """
    if type(backend) is not require("tokenizers", "checking this tokenizer").Tokenizer:
        return None
    added = backend.get_added_tokens_decoder()
    runs = groupby((added[item] for item in sorted(added)), lambda token: bool(token.special))
    alike = [(special, list(tokens)) for special, tokens in runs]
    if len(alike) > _RUNS:
        return None
    copy = type(backend)(backend.model)
    try:
        # Before there is a step that adds tokens: how long truncation must be is looked at when it is set.
        if backend.truncation is not None:
            copy.enable_truncation(**backend.truncation)
        if backend.padding is not None:
            copy.enable_padding(**backend.padding)
        for name in _STEPS:
            step = getattr(backend, name)
            if step is not None:
                step.__getstate__()
                setattr(copy, name, step)
        for special, tokens in alike:
            (copy.add_special_tokens if special else copy.add_tokens)(tokens)
    except Exception:  # the library's, of a part that is written in Python, say
        return None
    copy.encode_special_tokens = backend.encode_special_tokens
    return copy if _written(copy.get_added_tokens_decoder()) == _written(added) else None


def _written(tokens: Mapping[int, Any]) -> dict[int, str]:
    """Added tokens with all that is set of them, which not every version of the library compares."""
    return {item: repr(token) for item, token in tokens.items()}
