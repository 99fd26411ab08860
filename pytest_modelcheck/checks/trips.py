"""What a tally of round trips says in words, for the checks that promise round trips."""

from __future__ import annotations

from dataclasses import replace

from pytest_modelcheck.comparison import at_most, promised_number
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.tokenization.alignment import first_difference, quoted, text_difference
from pytest_modelcheck.tokenization.pipeline import Level, Pipeline
from pytest_modelcheck.tokenization.roundtrip import Tally, Trip, is_kept, is_unicode
from pytest_modelcheck.tokenization.shrinking import shortest_failing

# A corpus that is mostly unknown tokens says nothing about a round trip, whatever comes back.
_MOSTLY = 0.5

# How many tokens are shown before the one where texts part, and in all.
_BEFORE, _SHOWN = 3, 8


def judged_pipeline(pipeline: Pipeline, level: str) -> tuple[Pipeline, Level]:
    """The level that is asked for, or the pipeline's own; a `ModelCheckError` where it cannot be judged.

    A level that is asked for is held to on every text, also on those that hold an added token of a special kind.
    """
    if level == "inferred":
        return pipeline, pipeline.level
    judged: Level = level  # type: ignore[assignment]
    if not pipeline.can_promise(judged):
        kinds = {"canonical": "WordPiece", "metaspace": "SentencePiece BPE with byte fallback"}
        built_for = kinds.get(judged, "tokenizers with a normalizer that can be asked")
        raise ModelCheckError(
            f"level={judged!r} is for {built_for}; this is {pipeline.family}, which can promise "
            f"level={pipeline.level!r}"
        )
    return replace(pipeline, loose=None), judged


def measured(tally: Tally) -> str:
    """The round trips in a line."""
    unjudged = f" ({tally.unjudged} with unknown tokens cannot be judged)" if tally.unjudged else ""
    rate = 100 * tally.unknown / max(tally.tokens, 1)
    return f"{tally.kept} of {tally.texts} texts kept{unjudged}, {rate:.1f} % unknown tokens"


def broken_trips(tally: Tally, pipeline: Pipeline) -> str:
    """Which texts do not come back, where they part, and what to do; `""` where all do."""
    if not tally.broken:
        return ""
    lines = [f"{tally.broken} of {tally.texts} texts do not come back as the {tally.level} level promises."]
    shrunk = False
    for trip in tally.failing:
        lines.append(f"  {quoted(trip.text)}: {_parting(trip)}")
        if not trip.problem:
            lines.append(f"    tokens: {_tokens(pipeline, trip)}")
            if not shrunk:
                lines += _shortest(trip, pipeline, tally.level)
                shrunk = True
    if tally.broken > len(tally.failing):
        lines.append(f"  ... and {tally.broken - len(tally.failing)} more")
    if all(trip.problem for trip in tally.failing):
        lines.append("Repair these texts: no tokenizer can be given them.")
    elif tally.level != pipeline.level:
        lines.append(f"This tokenizer ({pipeline.family}) is built to keep level={pipeline.level!r}.")
    else:
        lines.append(f"A tokenizer of this build ({pipeline.family}) keeps it: look at its normalizer and decoder.")
    return "\n".join(lines)


def nothing_measured(tally: Tally) -> str:
    """Why the round trips say nothing, whatever came back; `""` where they do."""
    if tally.failing and all(trip.problem for trip in tally.failing) and tally.broken == tally.texts:
        return ""  # said text by text
    if tally.tokens == 0:
        return "the texts give no token at all, so that nothing was measured. Give texts that are not empty."
    if tally.silent > _MOSTLY * tally.written:
        finding = f"{tally.silent} of {tally.written} texts give no token at all, so that the round trip says nothing."
        return f"{finding} Is this the right vocabulary?"
    rows, letters = len(tally.rows), len(tally.letters)
    if letters > 1 and rows <= _MOSTLY * letters:
        finding = f"{letters} different texts become {rows} different row{'s' * (rows != 1)} of ids"
        return f"{finding}, so that the round trip says nothing. Is this the right vocabulary?"
    if tally.unjudged and not tally.kept_written and not tally.broken:
        finding = "every text that is not blank has unknown tokens, so that no round trip could be judged."
        return f"{finding} Is this the right vocabulary?"
    return ""


def too_many_unknown(tally: Tally, max_unknown_rate: float | None) -> str:
    """Where more tokens are unknown than was promised for each text, or most of all; `""` where that is not so."""
    if max_unknown_rate is None:
        if tally.unknown <= _MOSTLY * tally.tokens:
            return ""
        finding = f"{tally.unknown} of {tally.tokens} tokens are unknown, so that the round trip says nothing."
        return f"{finding} Is this the right vocabulary? If so, promise max_unknown_rate=1.0."
    worst = tally.worst
    limit = promised_number("max_unknown_rate", max_unknown_rate)
    if worst is None or at_most(worst.unknown, limit * worst.pieces).ok:
        return ""
    finding = f"{quoted(worst.text)} has {worst.unknown} unknown tokens of {worst.pieces}"
    return f"{finding}, and at most {max_unknown_rate:.1%} were promised for each text."


def require_countable(pipeline: Pipeline, max_unknown_rate: float | None) -> None:
    """Raise a `ModelCheckError` where a rate is promised and unknown tokens cannot be told from others."""
    if max_unknown_rate is not None and pipeline.unknown is None:
        raise ModelCheckError(f"{pipeline.family} cannot be asked which tokens are unknown: leave max_unknown_rate out")


def _parting(trip: Trip) -> str:
    if trip.problem:
        return trip.problem
    return text_difference(trip.decoded, trip.expected) or f"{quoted(trip.decoded)} is encoded to other ids"


def _tokens(pipeline: Pipeline, trip: Trip) -> str:
    """The tokens and ids around the one with which the decoded text parts from the expected one."""
    at = first_difference(trip.decoded, trip.expected)
    start = max(0, _token_at(pipeline, trip, at) - _BEFORE) if at is not None else 0
    ids = trip.ids[start : start + _SHOWN]
    shown = [f"{quoted(name)} {item}" for name, item in zip(pipeline.tokens(ids), ids, strict=True)]
    before, after = ["..."] * (start > 0), ["..."] * (start + _SHOWN < len(trip.ids))
    return "[" + ", ".join([*before, *shown, *after]) + "]"


def _token_at(pipeline: Pipeline, trip: Trip, at: int) -> int:
    """The first token without which the decoded text ends before this character, by bisection."""
    low, high = 0, len(trip.ids)
    while low < high:
        middle = (low + high) // 2
        if len(pipeline.decode([trip.ids[: middle + 1]])[0]) > at:
            high = middle
        else:
            low = middle + 1
    return low


def _shortest(trip: Trip, pipeline: Pipeline, level: Level) -> list[str]:
    def fails(texts: list[str]) -> list[bool]:
        sound = [text for text in texts if is_unicode(text)]
        kept = iter(is_kept(pipeline, sound, level))
        return [is_unicode(text) and not next(kept) for text in texts]

    shortest = shortest_failing(trip.text, fails)  # type: ignore[arg-type]
    return [f"    the shortest part that still fails: {quoted(shortest)}"] if shortest != trip.text else []
