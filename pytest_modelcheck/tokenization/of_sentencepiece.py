"""A `sentencepiece.SentencePieceProcessor`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_modelcheck.tokenization.metaspace import SPACE
from pytest_modelcheck.tokenization.pipeline import Ids, Level, Pipeline
from pytest_modelcheck.tokenization.subject import Encoded, Subject

# What a model without a normalizer leaves as it is: a ligature, a fullwidth letter, and more than one space.
_PROBE = "\ufb01  \uff21 "


def is_sentencepiece(candidate: Any) -> bool:
    """Whether this is a SentencePiece processor."""
    return hasattr(candidate, "id_to_piece") and hasattr(candidate, "serialized_model_proto")


class SentencePieceSubject(Subject):
    """A SentencePiece model. Nothing that is asked of it changes it."""

    kind = "a SentencePiece processor"

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    def pipeline(self) -> Pipeline:
        level = self._level()
        unknown = self._processor.unk_id()
        return Pipeline(
            family="SentencePiece with byte fallback" if level == "metaspace" else "SentencePiece",
            level=level,
            encode=self._bare_batch,
            decode=lambda rows: self._processor.decode([list(row) for row in rows]) if rows else [],
            tokens=lambda ids: [self._processor.id_to_piece(item) for item in ids],
            expected=(lambda text: text.replace(SPACE, " ")) if level == "metaspace" else None,
            unknown=lambda _, ids: ids.count(unknown),
            rewrites_unknown=True,
        )

    def bare(self, text: str) -> Ids:
        return self._bare_batch([text])[0]

    def decode(self, ids: Sequence[int], *, skip_special: bool = False) -> str:
        return str(self._processor.decode(list(ids)))

    def full(self, text: str) -> Encoded:
        begins, ends = self._processor.bos_id() >= 0, self._processor.eos_id() >= 0
        ids = list(self._processor.encode(text, add_bos=begins, add_eos=ends))
        return Encoded(ids, [*[True] * begins, *[False] * (len(ids) - begins - ends), *[True] * ends])

    def batch(self, texts: Sequence[str]) -> list[Ids]:
        begins, ends = self._processor.bos_id() >= 0, self._processor.eos_id() >= 0
        return [list(row) for row in self._processor.encode(list(texts), add_bos=begins, add_eos=ends)]

    def special_tokens(self) -> Mapping[str, int]:
        ids = range(self._processor.vocab_size())
        return {self._processor.id_to_piece(item): item for item in ids if self._processor.is_control(item)}

    def unknown_id(self) -> int | None:
        return int(self._processor.unk_id())

    def bos_id(self) -> int | None:
        found = int(self._processor.bos_id())
        return found if found >= 0 else None

    def token_id(self, token: str) -> int | None:
        found = int(self._processor.piece_to_id(token))
        return None if found == self._processor.unk_id() != self._named_unknown(token) else found

    def token(self, item: int) -> str | None:
        return str(self._processor.id_to_piece(item)) if 0 <= item < self._processor.vocab_size() else None

    def size(self) -> int:
        return int(self._processor.vocab_size())

    def largest_id(self) -> int:
        return self.size() - 1

    def reloaded(self) -> Subject:
        loaded = type(self._processor)()
        loaded.load_from_serialized_proto(self._processor.serialized_model_proto())
        return SentencePieceSubject(loaded)

    def _bare_batch(self, texts: Sequence[str]) -> list[Ids]:
        found = self._processor.encode(list(texts), add_bos=False, add_eos=False) if texts else []
        return [list(row) for row in found]

    def _named_unknown(self, token: str) -> int:
        unknown = int(self._processor.unk_id())
        return unknown if token == self._processor.id_to_piece(unknown) else -1

    def _level(self) -> Level:
        """Metaspace where every byte has a token and the model's normalizer leaves texts as they are."""
        size = self._processor.vocab_size()
        has_all_bytes = sum(self._processor.is_byte(item) for item in range(size)) == 256
        normalize = getattr(self._processor, "normalize", None)
        if not has_all_bytes or normalize is None:
            return "letters"
        return "metaspace" if normalize(_PROBE).removeprefix(SPACE) == _PROBE.replace(" ", SPACE) else "letters"
