"""Text to ids to text, measured in batches, so that memory does not grow with the number of texts."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType

from pytest_modelcheck.tokenization.metaspace import SPACE
from pytest_modelcheck.tokenization.pipeline import Ids, Level, Pipeline, nothing_unknown

# A batch ends after so many texts, or so many characters.
_TEXTS = 1000
_CHARACTERS = 1_000_000

# Takes all but letters and digits from a text of ASCII.
_NO_LETTERS = MappingProxyType({code: None for code in range(128) if not chr(code).isalnum()})

# The spaces that a decoder of WordPiece takes away which tidies at all.
_TIDIED = ((" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","))

# How many failing texts are kept to be shown.
_KEPT = 5


@dataclass(frozen=True)
class Trip:
    """One text's round trip. `problem` says why it could not be made, and is `""` where it was.

    `dropped` counts the letters for which there is no token at all; `unknown` counts these and the unknown tokens.
    """

    text: str
    ids: Ids
    decoded: str = ""
    expected: str = ""
    unknown: int = 0
    dropped: int = 0
    problem: str = ""

    @property
    def pieces(self) -> int:
        """What `unknown` is a share of: the tokens, and the letters that have none."""
        return len(self.ids) + self.dropped

    @property
    def unknown_rate(self) -> Fraction:
        """The share that is unknown, from 0 to 1."""
        return Fraction(self.unknown, self.pieces) if self.pieces else Fraction(0)


@dataclass
class Tally:
    """What was found in the round trips of many texts.

    `unjudged` counts texts with unknown tokens whose decoder writes these as something else. `silent` counts the
    texts, not empty, that gave no token. `letters` and `rows` are the different texts and ids among the first ones.
    """

    level: Level
    texts: int = 0
    kept: int = 0
    kept_written: int = 0
    unjudged: int = 0
    tokens: int = 0
    unknown: int = 0
    written: int = 0
    silent: int = 0
    failing: list[Trip] = field(default_factory=list)
    worst: Trip | None = None
    letters: set[str] = field(default_factory=set)
    rows: set[tuple[int, ...]] = field(default_factory=set)

    @property
    def broken(self) -> int:
        """The number of texts that did not come back."""
        return self.texts - self.kept - self.unjudged

    def fail(self, trip: Trip) -> None:
        """Count a text that did not come back, and keep the first few."""
        if len(self.failing) < _KEPT:
            self.failing.append(trip)


def round_trips(
    pipeline: Pipeline, texts: Sequence[str], level: Level, advance: Callable[[int], object] = int
) -> Tally:
    """The round trips of all texts at a level that the pipeline can promise; `advance` is told how many were made."""
    tally = Tally(level)
    for batch in _batches(texts):
        sound = list(filter(is_unicode, batch))
        if len(sound) < len(batch):
            for text in batch:
                if not is_unicode(text):
                    tally.fail(Trip(text, [], problem="it holds a lone surrogate, which is no Unicode text"))
        tally.texts += len(batch)
        _count(tally, pipeline, sound)
        advance(len(batch))
    return tally


def is_kept(pipeline: Pipeline, texts: Sequence[str], level: Level) -> list[bool]:
    """Whether each text comes back as the level promises."""
    return [trip is None for trip in _broken(pipeline, texts, pipeline.encode(texts), level)] if texts else []


def is_unicode(text: str) -> bool:
    """Whether the text can be written as UTF-8, as every tokenizer needs."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    characters = 0
    for text in texts:
        batch.append(text)
        characters += len(text)
        if len(batch) == _TEXTS or characters >= _CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _count(tally: Tally, pipeline: Pipeline, texts: Sequence[str]) -> None:
    if not texts:
        return
    rows = pipeline.encode(texts)
    count = None if pipeline.unknown is nothing_unknown else pipeline.unknown
    unknowns = [count(text, ids) for text, ids in zip(texts, rows, strict=True)] if count is not None else []
    dropped = pipeline.dropped(texts) if pipeline.dropped is not None else []
    for index, trip in enumerate(_broken(pipeline, texts, rows, tally.level)):
        if trip is None:
            tally.kept += 1
            tally.kept_written += not _is_blank(texts[index])
        elif unknowns and unknowns[index] and _rewrites(pipeline, tally.level, trip.text):
            tally.unjudged += 1
        else:
            tally.fail(trip)
    tally.tokens += sum(map(len, rows)) + sum(dropped)
    tally.unknown += sum(unknowns) + sum(dropped)
    _find_silent(tally, texts, rows)
    if any(unknowns) or any(dropped):
        _find_worst(tally, texts, rows, unknowns or [0] * len(rows), dropped or [0] * len(rows))
    if len(tally.letters) < _TEXTS:
        _find_collapse(tally, texts, rows, unknowns)


def _rewrites(pipeline: Pipeline, level: Level, text: str) -> bool:
    """Whether an unknown token of the text is decoded to letters that it does not have."""
    return pipeline.rewrites_unknown or level == "letters" or (pipeline.loose is not None and pipeline.loose(text))


def _broken(pipeline: Pipeline, texts: Sequence[str], rows: Sequence[Ids], level: Level) -> Iterator[Trip | None]:
    """The round trip of each text that does not come back, and `None` for each that does."""
    shown = pipeline.decode(rows)
    expected = _expected(pipeline, texts, shown, level)
    decoded = shown
    if level == "canonical" and pipeline.decode_plain is not None:
        decoded = _before_clean_up(pipeline, pipeline.decode_plain, rows, shown, expected)
    # What comes back as it was is encoded as it was: the ids are asked for again only where a level allows more.
    again = pipeline.encode(shown) if level in ("canonical", "letters", "stable") else rows
    if again is rows and decoded == expected:
        yield from [None] * len(texts)
        return
    for text, ids, back, wanted, ids_again in zip(texts, rows, decoded, expected, again, strict=True):
        # Of white space alone, no letter can be lost.
        blank = level == "letters" and _is_blank(text) and _is_blank(back)
        kept = back == wanted and (ids_again == ids or blank)
        if not kept and pipeline.loose is not None and pipeline.loose(text):
            wanted = _with_its_letters(text, back)
            kept = back == wanted
        yield None if kept else Trip(text, ids, back, wanted)


def _before_clean_up(
    pipeline: Pipeline,
    decode_plain: Callable[[Sequence[Ids]], list[str]],
    rows: Sequence[Ids],
    shown: Sequence[str],
    expected: Sequence[str],
) -> list[str]:
    """The decoded texts as they were before the decoder's clean-up, which takes spaces away, and nothing else.

    Where it does more, its own text is judged. What is as expected, but for the spaces that a decoder which tidies
    takes away, is not decoded once more.
    """
    pairs = zip(shown, expected, strict=True)
    rest = [index for index, (back, wanted) in enumerate(pairs) if not pipeline.is_tidied or back != _tidied(wanted)]
    found = list(expected)
    for index, plain in zip(rest, decode_plain([rows[index] for index in rest]), strict=True):
        found[index] = plain if _is_cleaned(shown[index], plain) else shown[index]
    return found


def _tidied(text: str) -> str:
    for before, after in _TIDIED:
        text = text.replace(before, after)
    return text


def _is_cleaned(text: str, plain: str) -> bool:
    """Whether the text is the plain one with nothing but spaces taken away."""
    rest = iter(plain)
    return text.replace(" ", "") == plain.replace(" ", "") and all(letter in rest for letter in text)


def _expected(pipeline: Pipeline, texts: Sequence[str], decoded: Sequence[str], level: Level) -> Sequence[str]:
    if level == "letters":
        return list(map(_with_its_letters, texts, decoded))
    if level == "normalized" and pipeline.normalize is not None:
        return list(map(pipeline.normalize, texts))
    if level in ("canonical", "metaspace") and pipeline.expected is not None:
        return list(map(pipeline.expected, texts))
    return decoded if level == "stable" else texts


def _with_its_letters(text: str, decoded: str) -> str:
    """The decoded text where it has the letters of the text, and no `▁` that was not there; else the text itself."""
    if _letters(text) != _letters(decoded):
        return text
    return decoded if decoded.count(SPACE) <= text.count(SPACE) else decoded.replace(SPACE, " ")


def _letters(text: str) -> str:
    """The letters and digits of a text, without case and accents.

    Folded before it is decomposed as well as after: some letters decompose into what folds to more than one.
    """
    if text.isascii():
        return text.lower().translate(_NO_LETTERS)
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(letter for letter in folded if letter.isalnum())


def _is_blank(text: str) -> bool:
    return not text or text.isspace()


def _find_silent(tally: Tally, texts: Sequence[str], rows: Sequence[Ids]) -> None:
    tally.written += len(texts) - sum(map(_is_blank, texts))
    if not all(rows):
        tally.silent += sum(not ids and not _is_blank(text) for text, ids in zip(texts, rows, strict=True))


def _find_worst(
    tally: Tally, texts: Sequence[str], rows: Sequence[Ids], unknowns: Sequence[int], dropped: Sequence[int]
) -> None:
    for text, ids, unknown, lost in zip(texts, rows, unknowns, dropped, strict=True):
        if unknown or lost:
            trip = Trip(text, ids, unknown=unknown + lost, dropped=lost)
            if tally.worst is None or trip.unknown_rate > tally.worst.unknown_rate:
                tally.worst = trip


def _find_collapse(tally: Tally, texts: Sequence[str], rows: Sequence[Ids], unknowns: Sequence[int]) -> None:
    """Take note of texts that differ in more than case, accents and spaces, and of their ids."""
    for index, (text, ids) in enumerate(zip(texts, rows, strict=True)):
        if not _is_blank(text) and not (unknowns and unknowns[index]):
            tally.letters.add(_letters(text)[:1000])
            tally.rows.add(tuple(ids[:1000]))
