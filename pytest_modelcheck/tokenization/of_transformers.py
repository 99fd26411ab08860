"""A transformers tokenizer, of versions 4 and 5, written in Rust or in Python."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from pytest_modelcheck.errors import ModelCheckError, require
from pytest_modelcheck.tokenization.backend import backend_pipeline, is_backend, own_ids
from pytest_modelcheck.tokenization.copies import light_copy
from pytest_modelcheck.tokenization.of_any import plain_pipeline
from pytest_modelcheck.tokenization.pipeline import Ids, Pipeline
from pytest_modelcheck.tokenization.subject import Encoded, NotAsked, Side, Subject, as_ids

_SPOKEN = "Copies speak, as originals do."

# What cannot change.
_FLAT = frozenset((str, int, float, bool, bytes, type(None)))


def is_transformers(candidate: Any) -> bool:
    """Whether this is a transformers tokenizer, or one that can be asked like one."""
    names = ("convert_ids_to_tokens", "convert_tokens_to_ids", "save_pretrained", "all_special_ids")
    return callable(candidate) and all(hasattr(candidate, name) for name in names)


class TransformersSubject(Subject):
    """A copy of a transformers tokenizer, asked through its own calls."""

    def __init__(self, tokenizer: Any, *, is_copy: bool = False) -> None:
        self._tokenizer = tokenizer if is_copy else _copied(tokenizer)
        self._fast = bool(getattr(self._tokenizer, "is_fast", False))
        self.kind = f"{type(tokenizer).__name__} ({'fast' if self._fast else 'written in Python'})"

    def pipeline(self) -> Pipeline:
        """The backend's, with this tokenizer's own ways; that of its own calls where it is written in Python."""
        backend: Any = getattr(self._tokenizer, "backend_tokenizer", None)
        if is_backend(backend):
            backend.no_truncation()
            backend.no_padding()
            return backend_pipeline(backend, self._tokenizer)
        return plain_pipeline(self._tokenizer, self.kind, lambda text: own_ids(self._tokenizer, text))

    def bare(self, text: str) -> Ids:
        return own_ids(self._tokenizer, text)

    def decode(self, ids: Sequence[int], *, skip_special: bool = False) -> str:
        found = self._tokenizer.decode(list(ids), skip_special_tokens=skip_special, clean_up_tokenization_spaces=False)
        return str(found)

    def full(self, text: str) -> Encoded:
        return self._one(self._call(text, **self._details()), text)

    def encoded(self, text: str) -> Ids:
        return as_ids(self._tokenizer.encode(text))

    def batch(self, texts: Sequence[str]) -> list[Ids]:
        return [as_ids(row) for row in self._call(list(texts))["input_ids"]]

    def padded(self, texts: Sequence[str], side: Side, multiple: int | None) -> list[Encoded]:
        self.pad_id()
        before, self._tokenizer.padding_side = self._tokenizer.padding_side, side
        try:
            found = self._call(list(texts), padding=True, pad_to_multiple_of=multiple, return_attention_mask=True)
        finally:
            self._tokenizer.padding_side = before
        return [
            Encoded(as_ids(ids), [False] * len(ids), mask=list(mask))
            for ids, mask in zip(found["input_ids"], found["attention_mask"], strict=True)
        ]

    def pad_id(self) -> int:
        if getattr(self._tokenizer, "pad_token", None) is None:
            raise NotAsked("it has no pad token")
        return int(self._tokenizer.pad_token_id)

    def windows(self, text: str, length: int, stride: int, side: Side) -> list[Encoded]:
        if not self._fast:
            self._cannot("give windows")
        asked = {"truncation": True, "max_length": length, "stride": stride, "return_overflowing_tokens": True}
        before, self._tokenizer.truncation_side = self._tokenizer.truncation_side, side
        try:
            found = self._call(text, **asked, return_special_tokens_mask=True)
        finally:
            self._tokenizer.truncation_side = before
        rows = zip(found["input_ids"], found["special_tokens_mask"], strict=True)
        return [Encoded(as_ids(ids), list(map(bool, special))) for ids, special in rows]

    def added(self, *, pair: bool) -> int:
        return int(self._tokenizer.num_special_tokens_to_add(pair=pair))

    def pair(self, first: str, second: str) -> Encoded:
        return self._one(self._call(first, second, **self._details()), f"{first} | {second}")

    def pretokenized(self, words: Sequence[str]) -> Encoded:
        try:
            found = self._call(list(words), is_split_into_words=True, add_special_tokens=False)
        except (AssertionError, ValueError, NotImplementedError) as error:
            raise NotAsked(f"words that were split before: {error}") from error
        return self._one(found, " ".join(words))

    def special_tokens(self) -> Mapping[str, int]:
        known = {str(token): self.token_id(str(token)) for token in self._tokenizer.all_special_tokens}
        known.update(
            {str(token): item for item, token in self._tokenizer.added_tokens_decoder.items() if token.special}
        )
        return {token: -1 if item is None else item for token, item in known.items()}

    def leaves_literals(self) -> bool:
        return bool(getattr(self._tokenizer, "split_special_tokens", False))

    def unknown_id(self) -> int | None:
        unknown: int | None = getattr(self._tokenizer, "unk_token_id", None)
        return unknown

    def bos_id(self) -> int | None:
        bos: int | None = getattr(self._tokenizer, "bos_token_id", None)
        return bos

    def token_id(self, token: str) -> int | None:
        found: int | None = self._tokenizer.convert_tokens_to_ids(token)
        missing = found is None or (found == self.unknown_id() and token != str(self._tokenizer.unk_token))
        return None if missing else found

    def token(self, item: int) -> str | None:
        found = self._tokenizer.convert_ids_to_tokens(item)
        return None if found is None else str(found)

    def size(self) -> int:
        size: int = len(self._tokenizer)
        return size

    def largest_id(self) -> int:
        ids: list[int] = [*self._tokenizer.get_vocab().values(), *self._tokenizer.all_special_ids]
        return max(ids)

    def normalized(self, text: str) -> str:
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        normalizer = getattr(backend, "normalizer", None)
        return str(normalizer.normalize_str(text)) if normalizer is not None else text

    def reloaded(self) -> Subject:
        with tempfile.TemporaryDirectory() as folder:
            self._tokenizer.save_pretrained(folder)
            loaded = type(self._tokenizer).from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        return TransformersSubject(loaded, is_copy=True)

    def settings(self) -> Mapping[str, object]:
        names = ("chat_template", "padding_side", "truncation_side", "model_max_length")
        return {name: getattr(self._tokenizer, name, None) for name in names}

    def with_token(self, token: str, *, special: bool) -> Subject:
        more = _copied(self._tokenizer)
        more.add_tokens([token], special_tokens=special)
        return TransformersSubject(more, is_copy=True)

    def chat(self, messages: Sequence[Mapping[str, str]], *, prompt: bool) -> tuple[str, Ids]:
        if not getattr(self._tokenizer, "chat_template", None):
            raise NotAsked("it has no chat template")
        require("jinja2", "applying a chat template")
        apply = self._tokenizer.apply_chat_template
        asked = {"add_generation_prompt": prompt, "return_dict": False}
        return apply(list(messages), tokenize=False, **asked), as_ids(apply(list(messages), tokenize=True, **asked))

    def _call(self, *texts: Any, **asked: Any) -> Any:
        return self._tokenizer(*texts, **{"truncation": False, "padding": False, "verbose": False, **asked})

    def _details(self) -> dict[str, bool]:
        return {"return_special_tokens_mask": True, "return_offsets_mapping": self._fast}

    def _one(self, found: Any, text: str) -> Encoded:
        ids = as_ids(found["input_ids"])
        return Encoded(
            ids,
            list(map(bool, found.get("special_tokens_mask", [0] * len(ids)))),
            text=text,
            offsets=found.get("offset_mapping"),
            words=found.word_ids() if self._fast else None,
            sequences=found.sequence_ids() if self._fast else None,
        )


def _copied(tokenizer: Any) -> Any:
    """A copy that does as the tokenizer does; a `ModelCheckError` where there is none."""
    name = type(tokenizer).__name__
    try:
        made = copy.deepcopy(tokenizer, _copied_parts(tokenizer))
    except Exception as error:  # parts written in Python cannot be copied, and the library says so in many ways
        message = f"{name} cannot be copied ({error}), and a check changes nothing that it is given"
        raise ModelCheckError(message) from error
    # A copy of CLIP's backend forgets that its decode was replaced.
    mend = getattr(made, "_wrap_decode_method_backend_tokenizer", None)
    if callable(mend):
        mend()
    if not _speak_alike(made, tokenizer):
        raise ModelCheckError(f"{name} cannot be copied: its copy decodes otherwise, and a check measures no other")
    return made


def _copied_parts(tokenizer: Any) -> dict[int, Any]:
    """Copies of its backend, and of its vocabulary and merges, by the originals' ids, as `deepcopy` takes them.

    The tables are of texts and numbers, in which nothing can change: to copy each of these takes ten times as long.
    """
    parts = getattr(tokenizer, "__dict__", {}).values()
    made = {id(item): type(item)(item) for item in parts if _is_flat(item)}
    lights = {id(item): light_copy(item) for item in parts if is_backend(item)}
    return made | {key: item for key, item in lights.items() if item is not None}


def _is_flat(table: Any) -> bool:
    if type(table) is dict:
        return _FLAT.issuperset(map(type, table)) and _FLAT.issuperset(map(type, table.values()))
    if type(table) is not list:
        return False
    kinds = set(map(type, table))
    rows = table if kinds == {tuple} else [row for row in table if type(row) is tuple]
    return kinds <= _FLAT | {tuple} and _FLAT.issuperset(map(type, chain.from_iterable(rows)))


def _speak_alike(made: Any, tokenizer: Any) -> bool:
    """Whether a copy decodes as the original does. What raises is left to be found where it is looked at."""
    try:
        ids = own_ids(made, _SPOKEN)
        return bool(made.decode(ids) == tokenizer.decode(ids))
    except Exception:
        return True
