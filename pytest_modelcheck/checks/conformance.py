"""The promise that a tokenizer does what models and training code take for granted."""

from dataclasses import replace
from typing import Annotated, Any

from pytest_modelcheck.checks import trips
from pytest_modelcheck.checks.promises import Rate, Reasons, Texts, one_of
from pytest_modelcheck.context import current
from pytest_modelcheck.errors import RAISED, ConfigError, ModelCheckError, is_panic, told
from pytest_modelcheck.mechanism import check
from pytest_modelcheck.result import Part, Result
from pytest_modelcheck.tokenization.conformance import PROPERTIES, Finding, claim_of, examine
from pytest_modelcheck.tokenization.corpus import HARD_TEXTS
from pytest_modelcheck.tokenization.parallel import threads_for
from pytest_modelcheck.tokenization.pipeline import LEVELS
from pytest_modelcheck.tokenization.roundtrip import is_unicode, round_trips
from pytest_modelcheck.tokenization.subject import Subject
from pytest_modelcheck.tokenization.subjects import subject_of

_ROUND_TRIPS = ("roundtrip", "unknown_rate")


def _known(name: str, value: Any) -> None:
    names = [*_ROUND_TRIPS, *PROPERTIES]
    for key in value:
        if key not in names:
            raise ConfigError(f"{name} has {key!r}, and the properties are {', '.join(names)}")


@check
def tokenizer_conforms(
    tokenizer: Any,
    /,
    *,
    texts: Texts = HARD_TEXTS,
    more_texts: Texts | None = None,
    level: Annotated[str, one_of("inferred", *LEVELS)] = "inferred",
    max_unknown_rate: Rate | None = None,
    expected_failures: Annotated[Reasons, _known] | None = None,
) -> Result:
    """The tokenizer keeps every property that models and training code take for granted, each in a row of its own.

    The properties:

    - `roundtrip`, `unknown_rate`: as `assert_roundtrip` promises, with its `level` and `max_unknown_rate`
    - `wrap`: the ids with special tokens, less those that were added, are the bare ids
    - `batch`: a batch gives what each of its texts gives alone
    - `offsets`: they lie in the text, in order, and cover every letter that the normalizer keeps
    - `injection`: text that a user wrote gives no special token, also where it holds what stands for one. A tokenizer
      that splits texts at such literals, as transformers' do unless told otherwise, breaks it
    - `special_tokens`: each is one token of the vocabulary, and is left out of decoded text on demand
    - `padding`: on both sides, and to multiples
    - `truncation`: windows of both sides overlap by the stride and together are the whole
    - `pairs`, `pretokenized`: two texts, and words that were split before
    - `save_load`: saved and loaded, once and twice, by the tokenizer's own class
    - `incremental_decoding`: text decoded as its ids arrive is the text of the whole
    - `added_tokens`: a token more changes no other text
    - `chat_template`: its text, encoded, is its ids; a conversation has one BOS
    - `threads`: several threads get what one gets. They ask for the same: transformers' fast tokenizers share the
      settings of padding and truncation between threads
    - `empty_input`: no text, no ids, single characters

    What cannot be asked of a tokenizer (no pad token, no chat template) is reported as skipped, with the reason.
    `expected_failures` maps names of properties to the reason why each is known to be broken: it is reported with its
    reason, and fails once the property is kept after all. The tokenizer is worked with as a copy.

    >>> from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    >>> tokenizer = Tokenizer(models.BPE({letter: item for item, letter in enumerate("ab ")}, []))
    >>> tokenizer.decoder = decoders.Fuse()
    >>> result = tokenizer_conforms(tokenizer, texts=["ab ba", "a bab ab"], level="lossless")
    >>> result.ok, result.parts[0].measured
    (True, '2 of 2 texts kept, 0.0 % unknown tokens')
    """
    every = list(texts) if more_texts is None else [*texts, *more_texts]
    expected = expected_failures or {}
    what = f"conformance of {type(tokenizer).__name__}"
    with (
        threads_for(every),
        current().progress(what, len(_ROUND_TRIPS) + len(PROPERTIES), "properties") as advance,
    ):
        subject = subject_of(tokenizer)
        sound = [text for text in every if is_unicode(text)]
        if not sound:
            raise ModelCheckError(
                "each text holds a lone surrogate, and no tokenizer can be given it. Give other texts"
            )
        parts = _round_trip_parts(subject, every, level, max_unknown_rate)
        advance(len(parts))
        for name in PROPERTIES:
            parts.append(_part(name, examine(name, subject, sound)))
            advance(1)
    parts = [_as_expected(part, expected.get(part.name, "")) for part in parts]
    broken = [part for part in parts if part.broken]
    kept = sum(part.outcome == "passed" for part in parts)
    unmeasured = all(part.outcome == "error" for part in broken)
    return Result(
        outcome=("error" if unmeasured else "failed") if broken or not kept else "passed",
        promised=f"{len(parts)} properties on {len(every)} texts",
        measured=f"{kept} kept, {len(broken)} broken",
        message=_message(parts, broken) if broken or not kept else "",
        evidence={"kept": kept, "broken": [part.name for part in broken], "texts": len(every)},
        parts=tuple(parts),
    )


def _round_trip_parts(subject: Subject, texts: list[str], level: str, max_unknown_rate: float | None) -> list[Part]:
    try:
        pipeline, judged = trips.judged_pipeline(subject.pipeline(), level)
        trips.require_countable(pipeline, max_unknown_rate)
        tally = round_trips(pipeline, texts, judged)
    except ModelCheckError:
        raise
    except BaseException as error:
        if not isinstance(error, RAISED) and not is_panic(error):
            raise
        message = f"not measured: {told(error)}"
        promised = f"{level} round trip of {len(texts)} texts"
        return [Part(name, "error", promised, "not measured", message) for name in _ROUND_TRIPS]
    evidence = {"level": judged, "pipeline": pipeline.family}
    problem = "\n".join(filter(None, (trips.broken_trips(tally, pipeline), trips.nothing_measured(tally))))
    promised = f"{judged} round trip of {tally.texts} texts"
    parts = [_judged("roundtrip", problem, promised, trips.measured(tally), evidence)]
    if pipeline.unknown is None:
        reason = f"{pipeline.family} cannot be asked which tokens are unknown"
        return [*parts, Part("unknown_rate", "skipped", "few unknown tokens", reason)]
    limit = f"at most {max_unknown_rate:.1%} unknown in each text" if max_unknown_rate is not None else "mostly known"
    rate = f"{tally.unknown} of {tally.tokens} tokens are unknown"
    if not tally.tokens:
        return [*parts, Part("unknown_rate", "error", limit, rate, "not measured: the texts give no token at all")]
    return [*parts, _judged("unknown_rate", trips.too_many_unknown(tally, max_unknown_rate), limit, rate, {})]


def _judged(name: str, problem: str, promised: str, measured: str, evidence: dict[str, Any]) -> Part:
    return Part(name, "failed" if problem else "passed", promised, measured, problem, evidence)


def _part(name: str, finding: Finding) -> Part:
    claim = claim_of(name).removesuffix(".")
    if finding.not_asked:
        return Part(name, "skipped", claim, finding.not_asked, seconds=finding.seconds)
    if finding.error:
        message = "\n".join([f"not measured: {finding.error}", *(f"  before: {item}" for item in finding.problems)])
        return Part(name, "error", claim, "not measured", message, seconds=finding.seconds)
    measured = f"{finding.cases - finding.broken} of {finding.cases} cases"
    evidence = {"cases": finding.cases, "broken": finding.broken}
    if not finding.broken:
        return Part(name, "passed", claim, measured, "", evidence, finding.seconds)
    lines = [f"{finding.broken} of {finding.cases} cases break it: {claim[0].lower()}{claim[1:]}."]
    lines += [f"  {problem}" for problem in finding.problems]
    if finding.different > len(finding.problems):
        lines.append(f"  ... and {finding.different - len(finding.problems)} more")
    return Part(name, "failed", claim, measured, "\n".join(lines), evidence, finding.seconds)


def _as_expected(part: Part, reason: str) -> Part:
    """What was expected to fail, for a reason: a failure is let through with it, and a pass is one no more."""
    if not reason:
        return part
    if part.outcome == "failed":
        return replace(part, outcome="xfailed", measured=f"{part.measured}; expected: {reason}")
    if part.outcome == "passed":
        message = f"it is kept, and was expected to fail: {reason}. Take it out of expected_failures."
        return replace(part, outcome="xpassed", message=message)
    return part


def _message(parts: list[Part], broken: list[Part]) -> str:
    if not broken:
        raise ModelCheckError("no property could be measured: " + "; ".join(part.measured for part in parts))
    lines = [f"{len(broken)} of {len(parts)} properties are broken."]
    lines += [f"{part.name}: {part.message}" for part in broken]
    if any(part.outcome == "failed" for part in broken):
        names = ", ".join(f'"{part.name}": "..."' for part in broken if part.outcome == "failed")
        lines.append(f"What is known and accepted is said with its reason: expected_failures={{{names}}}.")
    return "\n".join(lines)
