"""Text to ids to text, measured for many texts at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_modelcheck.tokenization.pipeline import Ids, Level, Pipeline

# Texts are measured in batches, so that memory does not grow with their number.
_BATCH = 1000


@dataclass(frozen=True)
class Trip:
    """One text's round trip. `problem` says why it could not be made, and is `""` where it was.

    `unknown` counts the unknown tokens among the ids, and the letters for which there is no token at all.
    """

    text: str
    ids: Ids
    decoded: str
    expected: str
    unknown: int
    dropped: int = 0
    stable: bool = True
    problem: str = ""

    @property
    def pieces(self) -> int:
        """What `unknown` is a share of: the tokens, and the letters that have none."""
        return len(self.ids) + self.dropped

    @property
    def kept(self) -> bool:
        """Whether the text came back as its level promises."""
        return not self.problem and self.decoded == self.expected and self.stable


def round_trips(pipeline: Pipeline, texts: Sequence[str], level: Level) -> Iterator[Trip]:
    """The round trip of each text, in order, at a level that the pipeline can promise."""
    for start in range(0, len(texts), _BATCH):
        batch = texts[start : start + _BATCH]
        sound = [text for text in batch if _is_unicode(text)]
        trips = iter(_trips(pipeline, sound, level))
        for text in batch:
            yield next(trips) if _is_unicode(text) else _refused(text)


def _trips(pipeline: Pipeline, texts: Sequence[str], level: Level) -> Iterator[Trip]:
    if not texts:
        return
    rows = pipeline.encode(texts)
    plain = pipeline.decode_plain if level == "canonical" else None
    decoded = (plain or pipeline.decode)(rows)
    again = pipeline.encode(pipeline.decode(rows) if plain else decoded) if level in ("canonical", "stable") else rows
    dropped = pipeline.dropped(texts) if pipeline.dropped is not None else [0] * len(texts)
    for text, ids, back, ids_again, lost in zip(texts, rows, decoded, again, dropped, strict=True):
        yield Trip(
            text=text,
            ids=ids,
            decoded=back,
            expected=_expected(pipeline, text, back, level),
            unknown=lost + (ids.count(pipeline.unknown_id) if pipeline.unknown_id is not None else 0),
            dropped=lost,
            stable=ids_again == ids,
        )


def _expected(pipeline: Pipeline, text: str, decoded: str, level: Level) -> str:
    if level == "lossless":
        return text
    if level == "normalized":
        return pipeline.normalize(text)
    if level == "canonical" and pipeline.canonical is not None:
        return pipeline.canonical(text)
    return decoded


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refused(text: str) -> Trip:
    problem = "it holds a lone surrogate, which is no Unicode text"
    return Trip(text=text, ids=[], decoded="", expected=text, unknown=0, problem=problem)
