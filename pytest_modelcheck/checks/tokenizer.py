"""Promises of a tokenizer: text survives the round trip, and ids are the reviewed ids."""

import unicodedata
from typing import Annotated, Any

from pytest_modelcheck.checks.promises import Ids, Rate, Text, Texts, one_of
from pytest_modelcheck.comparison import at_most, promised_number
from pytest_modelcheck.context import current
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.mechanism import check
from pytest_modelcheck.result import Result
from pytest_modelcheck.tokenization.alignment import first_difference, quoted, text_difference
from pytest_modelcheck.tokenization.corpus import HARD_TEXTS
from pytest_modelcheck.tokenization.pipeline import (
    LEVELS,
    Level,
    Pipeline,
    full_ids,
    pipeline_of,
    token_names,
)
from pytest_modelcheck.tokenization.roundtrip import Trip, round_trips

# A corpus that is mostly unknown tokens says nothing about a round trip, whatever comes back.
_MOSTLY_UNKNOWN = 0.5

_SHOWN = 5


@check
def roundtrip(
    tokenizer: Any,
    /,
    *,
    texts: Texts = HARD_TEXTS,
    level: Annotated[str, one_of("inferred", *LEVELS)] = "inferred",
    max_unknown_rate: Rate | None = None,
) -> Result:
    """Each text comes back from its token ids as exactly as the level says.

    With `enc` and `dec` for encoding and decoding, special tokens neither added nor skipped, the levels are:

    - `"lossless"`: `dec(enc(x)) == x`
    - `"normalized"`: `dec(enc(x)) == normalize(x)`, with the tokenizer's own normalizer
    - `"canonical"` (WordPiece): the words of the normalized text between single spaces, unknown words substituted,
      without the decoder's clean-up; and the ids of the decoded text are the ids again
    - `"stable"`: decoding, encoding and decoding again change nothing more, neither text nor ids
    - `"inferred"`: the strongest of these that tokenizers of this build keep; the result names it

    `texts` are the hard corpus unless given. `max_unknown_rate` is the largest share of unknown tokens in any one
    text, from 0 to 1; without it, the texts as a whole may not be mostly unknown.

    Raises `ModelCheckError` where the level cannot be judged for this tokenizer.

    >>> from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    >>> letters = {letter: index for index, letter in enumerate("ab ")}
    >>> tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[]))
    >>> tokenizer.decoder = decoders.Fuse()
    >>> roundtrip(tokenizer, texts=["a b"], level="lossless").measured
    '1 of 1 texts kept, 0.0 % unknown tokens'
    >>> roundtrip(tokenizer, texts=["a c"], level="lossless").outcome
    'failed'
    """
    pipeline = pipeline_of(tokenizer)
    judged: Level = pipeline.level if level == "inferred" else level  # type: ignore[assignment]
    if not pipeline.can_promise(judged):
        raise ModelCheckError(
            f"level={judged!r} is for WordPiece; this is {pipeline.family}, which can promise level={pipeline.level!r}"
        )
    trips = list(round_trips(pipeline, texts, judged))
    kept = sum(trip.kept for trip in trips)
    tokens, unknown = sum(trip.pieces for trip in trips), sum(trip.unknown for trip in trips)
    problems = [_broken_trips(trips, pipeline, judged), *_unknown_problems(trips, max_unknown_rate)]
    message = "\n".join(problem for problem in problems if problem)
    return Result(
        outcome="failed" if message else "passed",
        promised=f"{judged} round trip of {len(trips)} texts"
        + (f", at most {max_unknown_rate:.1%} unknown in each" if max_unknown_rate is not None else ""),
        measured=f"{kept} of {len(trips)} texts kept, {100 * unknown / max(tokens, 1):.1f} % unknown tokens",
        message=message,
        evidence={
            "level": judged,
            "pipeline": pipeline.family,
            "texts": len(trips),
            "kept": kept,
            "tokens": tokens,
            "unknown": unknown,
            "failing": [quoted(trip.text) for trip in trips if not trip.kept][:_SHOWN],
        },
    )


@check
def token_ids(tokenizer: Any, /, *, text: Text, ids: Ids | None = None) -> Result:
    """The text becomes exactly these ids, special tokens included as the tokenizer adds them.

    Without `ids`, the promise is what a run with `--modelcheck-update` recorded in `__modelcheck__/` beside the test
    file: the text, its tokens and its ids, to be reviewed like code.

    >>> from tokenizers import Tokenizer, models
    >>> tokenizer = Tokenizer(models.WordLevel({"yes": 0, "no": 1}, unk_token="no"))
    >>> token_ids(tokenizer, text="yes", ids=[0]).ok
    True
    >>> print(token_ids(tokenizer, text="yes", ids=[1]).message)
    token_ids of Tokenizer: 'yes' becomes 1 id, and id 0 is 0 ('yes') where 1 ('no') was promised.
      promised: [1]
      measured: [0]
    If the new ids are meant, promise ids=[0].
    """
    measured = full_ids(tokenizer, text)
    promised, source = ([int(item) for item in ids], "") if ids is not None else _recorded(tokenizer, text, measured)
    index = first_difference(measured, promised)
    message = (
        "" if index is None else _differing_ids(tokenizer, text, measured, promised, index) + _remedy(measured, source)
    )
    return Result(
        outcome="failed" if message else "passed",
        promised=f"{quoted(text)} is {_listed(promised)}",
        measured=_listed(measured) + (f" ({source})" if source else ""),
        message=message,
        evidence={"text": quoted(text), "promised": promised, "measured": measured, "baseline": source},
    )


def _recorded(tokenizer: Any, text: str, ids: list[int]) -> tuple[list[int], str]:
    """The ids that were recorded for this text, and whether that was just now."""
    today = {"text": text, "tokens": token_names(tokenizer, ids), "ids": ids}
    recorded, is_new = current().baseline("token_ids", today)
    found = recorded.get("ids")
    if recorded.get("text") != text or not isinstance(found, list) or not all(type(item) is int for item in found):
        raise ModelCheckError(
            f"the baseline was recorded for another text, {quoted(str(recorded.get('text')))}. "
            "pytest --modelcheck --modelcheck-update=all records it anew"
        )
    return found, "recorded now" if is_new else "baseline"


def _broken_trips(trips: list[Trip], pipeline: Pipeline, level: Level) -> str:
    broken = [trip for trip in trips if not trip.kept]
    if not broken:
        return ""
    lines = [f"{len(broken)} of {len(trips)} texts do not come back as the {level} level promises."]
    lines += [
        f"  {quoted(trip.text)}: {_parting(trip)}\n    tokens: {_tokens(pipeline, trip)}" for trip in broken[:_SHOWN]
    ]
    if len(broken) > _SHOWN:
        lines.append(f"  ... and {len(broken) - _SHOWN} more")
    if all(trip.problem for trip in broken):
        lines.append("Repair these texts: no tokenizer can be given them.")
    elif level != pipeline.level:
        lines.append(f"This tokenizer ({pipeline.family}) is built to keep level={pipeline.level!r}.")
    else:
        lines.append(f"A tokenizer of this build ({pipeline.family}) keeps it: look at its normalizer and decoder.")
    return "\n".join(lines)


def _parting(trip: Trip) -> str:
    if trip.problem:
        return trip.problem
    return text_difference(trip.decoded, trip.expected) or f"{quoted(trip.decoded)} is encoded to other ids"


def _tokens(pipeline: Pipeline, trip: Trip) -> str:
    names = [quoted(name) for name in pipeline.tokens(trip.ids[:12])]
    return "[" + ", ".join(names) + (", ...]" if len(trip.ids) > 12 else "]")


def _unknown_problems(trips: list[Trip], max_unknown_rate: float | None) -> list[str]:
    tokens, unknown = sum(trip.pieces for trip in trips), sum(trip.unknown for trip in trips)
    if tokens == 0:
        return ["the texts give no token at all, so that nothing was measured. Give texts that are not empty."]
    written = [trip for trip in trips if trip.text.strip() and not trip.problem]
    lost = sum(not trip.ids for trip in written)
    if lost > _MOSTLY_UNKNOWN * len(written):
        finding = f"{lost} of {len(written)} texts give no token at all, so that the round trip says nothing."
        return [f"{finding} Is this the right vocabulary?"]
    if _collapsed(written):
        rows = len({tuple(trip.ids) for trip in written})
        finding = f"{len(written)} texts become {rows} different row{'s' * (rows != 1)} of ids"
        return [f"{finding}, so that the round trip says nothing. Is this the right vocabulary?"]
    if max_unknown_rate is None:
        if unknown <= _MOSTLY_UNKNOWN * tokens:
            return []
        finding = f"{unknown} of {tokens} tokens are unknown, so that the round trip says nothing."
        return [f"{finding} Is this the right vocabulary? If so, promise max_unknown_rate=1.0."]
    limit = promised_number("max_unknown_rate", max_unknown_rate)
    worst = max((trip for trip in trips if trip.pieces), key=lambda trip: trip.unknown / trip.pieces)
    if at_most(worst.unknown, limit * worst.pieces).ok:
        return []
    finding = f"{quoted(worst.text)} has {worst.unknown} unknown tokens of {worst.pieces}"
    return [f"{finding}, and at most {max_unknown_rate:.1%} were promised for each text."]


def _collapsed(trips: list[Trip]) -> bool:
    """Whether texts that differ in more than case, accents and spaces mostly become the ids of one another."""
    known = [trip for trip in trips if not trip.unknown]
    texts = len({_letters(trip.text) for trip in known})
    return texts > 2 and len({tuple(trip.ids) for trip in known}) <= _MOSTLY_UNKNOWN * texts


def _letters(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", text).casefold() if letter.isalnum())


def _differing_ids(tokenizer: Any, text: str, measured: list[int], promised: list[int], index: int) -> str:
    if index >= len(promised):
        parting = f"id {index} is {_id_at(tokenizer, measured, index)} where the promise ends"
    elif index >= len(measured):
        parting = f"they end where id {index}, {_id_at(tokenizer, promised, index)}, was promised"
    else:
        got, wanted = (_id_at(tokenizer, row, index) for row in (measured, promised))
        parting = f"id {index} is {got} where {wanted} was promised"
    return (
        f"{quoted(text)} becomes {len(measured)} id{'s' * (len(measured) != 1)}, and {parting}.\n"
        f"  promised: {promised}\n"
        f"  measured: {measured}\n"
    )


def _remedy(measured: list[int], source: str) -> str:
    remedy = "pytest --modelcheck --modelcheck-update=all records them" if source else f"promise ids={measured}"
    return f"If the new ids are meant, {remedy}."


def _id_at(tokenizer: Any, ids: list[int], index: int) -> str:
    try:
        name = quoted(token_names(tokenizer, [ids[index]])[0])
    except Exception:  # a promised id may lie outside of the vocabulary
        name = "not in the vocabulary"
    return f"{ids[index]} ({name})"


def _listed(ids: list[int]) -> str:
    shown = ", ".join(map(str, ids[:8]))
    return f"[{shown}{', ...' if len(ids) > 8 else ''}]" + (f" ({len(ids)} ids)" if len(ids) > 8 else "")
