"""The promise that text survives its tokenizer."""

from typing import Annotated, Any

from pytest_modelcheck.checks import trips
from pytest_modelcheck.checks.promises import Rate, Texts, one_of
from pytest_modelcheck.context import current
from pytest_modelcheck.mechanism import check
from pytest_modelcheck.result import Number, Result
from pytest_modelcheck.tokenization.alignment import quoted
from pytest_modelcheck.tokenization.corpus import HARD_TEXTS
from pytest_modelcheck.tokenization.parallel import threads_for
from pytest_modelcheck.tokenization.pipeline import LEVELS
from pytest_modelcheck.tokenization.roundtrip import round_trips
from pytest_modelcheck.tokenization.subjects import subject_of


@check
def roundtrip(
    tokenizer: Any,
    /,
    *,
    texts: Texts = HARD_TEXTS,
    more_texts: Texts | None = None,
    level: Annotated[str, one_of("inferred", *LEVELS)] = "inferred",
    max_unknown_rate: Rate | None = None,
) -> Result:
    """Each text comes back from its token ids as exactly as the level says.

    With `enc` and `dec` for encoding and decoding, special tokens neither added nor skipped, the levels are:

    - `"lossless"`: `dec(enc(x)) == x`
    - `"normalized"`: `dec(enc(x)) == normalize(x)`, with the tokenizer's own normalizer
    - `"metaspace"` (SentencePiece BPE with byte fallback): `dec(enc(x)) == x`, a literal `▁` read as a space, and,
      where the tokenizer puts a space before a text, less one space that begins it
    - `"canonical"` (WordPiece): the words of the normalized text between single spaces, unknown words substituted,
      without the decoder's clean-up; and the ids of the decoded text are the ids again
    - `"letters"`: all letters and digits come back in order, case and accents aside, and the ids of the decoded text
      are the ids again. Texts with unknown tokens that the tokenizer decodes to something else (Unigram) cannot be
      judged, and are counted apart
    - `"stable"`: the ids of the decoded text are the ids again, whatever the text has become
    - `"inferred"`: the strongest of these that tokenizers of this build keep; the result names it. Texts with an added
      token that takes spaces or case with it, as `<mask>` of RoBERTa does, then keep their letters

    `texts` are the hard corpus unless given, and `more_texts` come after them. `max_unknown_rate` is the largest share
    of unknown tokens in any one text, from 0 to 1; without it, the texts as a whole may not be mostly unknown.

    The tokenizer is a transformers tokenizer, a `tokenizers.Tokenizer`, a SentencePiece processor, a tiktoken encoding,
    or any object with `encode` and `decode`. It is worked with as a copy wherever it has a state.

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
    every = texts if more_texts is None else [*texts, *more_texts]
    what = f"round trip of {type(tokenizer).__name__}"
    with threads_for(every), current().progress(what, len(every), "texts") as advance:
        pipeline, judged = trips.judged_pipeline(subject_of(tokenizer).pipeline(), level)
        trips.require_countable(pipeline, max_unknown_rate)
        tally = round_trips(pipeline, every, judged, advance)
        problems = [
            trips.broken_trips(tally, pipeline),
            trips.nothing_measured(tally) or trips.too_many_unknown(tally, max_unknown_rate),
        ]
    message = "\n".join(problem for problem in problems if problem)
    return Result(
        outcome="failed" if message else "passed",
        promised=f"{judged} round trip of {tally.texts} texts"
        + (f", at most {max_unknown_rate:.1%} unknown in each" if max_unknown_rate is not None else ""),
        measured=trips.measured(tally),
        message=message,
        evidence={
            "level": judged,
            "pipeline": pipeline.family,
            "texts": tally.texts,
            "kept": tally.kept,
            "unjudged": tally.unjudged,
            "tokens": tally.tokens,
            "unknown": tally.unknown,
            "failing": [quoted(trip.text) for trip in tally.failing],
        },
        number=Number("kept_share", tally.kept / tally.texts, better="higher") if tally.texts else None,
    )
