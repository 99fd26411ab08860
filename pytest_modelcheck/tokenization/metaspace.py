"""What a SentencePiece BPE tokenizer with byte fallback promises to return: the text, its spaces escaped on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from pytest_modelcheck.tokenization.wordpiece import added_literals

SPACE = "\u2581"


def is_escaped(backend: Any) -> bool:
    """Whether all that happens to a text is that spaces are written as `▁` and one is put before it."""
    if type(backend.model).__name__ != "BPE" or not has_all_bytes(backend):
        return False
    steps = [step["type"] for part in ("normalizer", "pre_tokenizer") for step in _steps(backend, part)]
    decoded = {step["type"] for step in _steps(backend, "decoder")}
    splits = [step for step in _steps(backend, "pre_tokenizer") if step["type"] == "Split"]
    kept = all(step["behavior"] != "Removed" and not step["invert"] for step in splits)
    allowed = {"Prepend", "Replace", "Metaspace", "Split"}
    return kept and set(steps) <= allowed and {"Replace", "ByteFallback"} <= decoded


def has_all_bytes(backend: Any) -> bool:
    """Whether a letter without a token becomes its bytes, and each byte has a token."""
    tokens = (f"<0x{byte:02X}>" for byte in range(256))
    return bool(getattr(backend.model, "byte_fallback", False)) and all(
        backend.token_to_id(token) is not None for token in tokens
    )


def unescaped(backend: Any) -> Callable[[str], str]:
    """The text with each `▁` read as a space, and with what the prefix does to the spaces that begin it.

    Each stretch between two added tokens is a text of its own. The prefix is put before it always, or only where it
    does not begin with a space, or only at the start; and one space is stripped from the start of the whole.
    """
    literals = added_literals(backend)
    added = {token.content for token in backend.get_added_tokens_decoder().values()}
    prepends = any(step["type"] == "Prepend" for step in _steps(backend, "normalizer"))
    schemes = [step.get("prepend_scheme") for step in _steps(backend, "pre_tokenizer") if step["type"] == "Metaspace"]
    strips = any(step["type"] == "Strip" for step in _steps(backend, "decoder"))

    def escaped(piece: str, at_start: bool) -> str:
        if piece in added:
            return piece
        piece = (SPACE if prepends else "") + piece.replace(" ", SPACE)
        wanted = "always" in schemes or ("first" in schemes and at_start)
        return piece if piece.startswith(SPACE) or not wanted else SPACE + piece

    def expected(text: str) -> str:
        pieces = literals.split(text) if literals is not None else [text]
        whole = "".join(escaped(piece, index == 0) for index, piece in enumerate(pieces) if piece)
        whole = whole.replace(SPACE, " ")
        return whole.removeprefix(" ") if strips else whole

    return expected


def _steps(backend: Any, part: str) -> list[Mapping[str, Any]]:
    """The steps of a part of the pipeline, in order."""
    component = getattr(backend, part)
    if component is None:
        return []
    described = json.loads(component.__getstate__())
    if described["type"] == "Sequence":
        found: list[Mapping[str, Any]] = next(value for key, value in described.items() if key != "type")
        return found
    return [described]
