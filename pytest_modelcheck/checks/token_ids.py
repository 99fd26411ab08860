"""The promise that texts become the ids that were reviewed."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pytest_modelcheck.checks.promises import Ids, Text, Texts
from pytest_modelcheck.context import current
from pytest_modelcheck.errors import ConfigError, ModelCheckError
from pytest_modelcheck.escape import unicode_of
from pytest_modelcheck.mechanism import check
from pytest_modelcheck.result import Result
from pytest_modelcheck.tokenization.alignment import first_difference, quoted
from pytest_modelcheck.tokenization.of_any import token_names
from pytest_modelcheck.tokenization.of_transformers import is_transformers
from pytest_modelcheck.tokenization.subject import as_ids
from pytest_modelcheck.tokenization.subjects import subject_of

_SHOWN = 5

_RECORDED, _NOW = "baseline", "recorded now"


@dataclass(frozen=True)
class _Case:
    """One text with its ids, promised and measured; `source` is `""` where the promise was given."""

    text: str
    promised: list[int]
    measured: list[int]
    source: str = ""


@check
def token_ids(
    tokenizer: Any, /, *, text: Text | None = None, ids: Ids | None = None, texts: Texts | None = None
) -> Result:
    """The text becomes exactly these ids, special tokens included as the tokenizer adds them.

    Without `ids`, the promise is what a run with `--modelcheck-update` recorded in `__modelcheck__/` beside the test
    file: the text, its tokens and its ids, to be reviewed like code. `texts` are several such golden cases, each
    recorded under its text, so that one more is recorded beside the others.

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
    if (text is None) == (texts is None) or (ids is not None and text is None):
        raise ConfigError("token_ids takes either text=..., with or without ids=[...], or texts=[...]")
    encode = _encoder(tokenizer)
    if text is not None and ids is not None:
        cases = [_Case(text, [int(item) for item in ids], encode(text))]
    elif text is not None:
        cases = [_recorded(tokenizer, text, encode(text))]
    else:
        cases = [_recorded(tokenizer, item, encode(item), _named(item)) for item in dict.fromkeys(texts or ())]
    wrong = [case for case in cases if first_difference(case.measured, case.promised) is not None]
    sources = sorted({case.source for case in cases if case.source}, reverse=True)
    return Result(
        outcome="failed" if wrong else "passed",
        promised=_promised(cases),
        measured=_measured(cases, wrong) + (f" ({', '.join(sources)})" if sources else ""),
        message=_message(tokenizer, wrong, len(cases)) if wrong else "",
        evidence={
            "cases": len(cases),
            "baseline": sources[0] if sources else "",
            "differing": [
                {"text": quoted(case.text), "promised": case.promised, "measured": case.measured}
                for case in wrong[:_SHOWN]
            ],
        },
    )


def _encoder(tokenizer: Any) -> Callable[[str], list[int]]:
    """What gives the ids of a text as a model gets them, with the special tokens that the tokenizer adds."""
    # A transformers tokenizer forgets the padding and truncation of its backend when it is called: a copy is.
    if is_transformers(tokenizer) or isinstance(tokenizer, str):  # which has an encode of another kind, and is refused
        return subject_of(tokenizer).encoded
    if not callable(getattr(tokenizer, "encode", None)):
        raise ModelCheckError(
            f"{type(tokenizer).__name__} is no tokenizer: it has no encode method. Give a transformers tokenizer, a "
            "tokenizers.Tokenizer, a SentencePiece processor, a tiktoken encoding, or an object with one"
        )
    return lambda text: as_ids(tokenizer.encode(text))


def _named(text: str) -> str:
    """The name of a golden case: its text, and where that is shortened, what tells it from others that begin so."""
    short = quoted(text)
    if short == quoted(text, longest=len(text)):
        return short
    return f"{short} {sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def _recorded(tokenizer: Any, text: str, measured: list[int], case: str = "") -> _Case:
    """The case with the ids that were recorded for its text."""
    written = unicode_of(text)  # as the file gives it back
    today = {"text": written, "tokens": token_names(tokenizer, measured), "ids": measured}
    recorded, is_new = current().baseline("token_ids", today, case)
    found = recorded.get("ids")
    if recorded.get("text") != written or not isinstance(found, list) or not all(type(item) is int for item in found):
        raise ModelCheckError(
            f"the baseline was recorded for another text, {quoted(str(recorded.get('text')))}. "
            "pytest --modelcheck --modelcheck-update=all records it anew"
        )
    return _Case(text, found, measured, _NOW if is_new else _RECORDED)


def _promised(cases: list[_Case]) -> str:
    if len(cases) == 1:
        return f"{quoted(cases[0].text)} is {_listed(cases[0].promised)}"
    return f"the recorded ids of {len(cases)} texts"


def _measured(cases: list[_Case], wrong: list[_Case]) -> str:
    if len(cases) == 1:
        return _listed(cases[0].measured)
    return f"{len(wrong)} differ" if wrong else f"the same ids for all {len(cases)}"


def _message(tokenizer: Any, wrong: list[_Case], number: int) -> str:
    differing = [_differing_ids(tokenizer, case) for case in wrong[:_SHOWN]]
    if number > 1:
        differing.insert(0, f"{len(wrong)} of {number} texts become other ids than were recorded.\n")
    if len(wrong) > _SHOWN:
        differing.append(f"... and {len(wrong) - _SHOWN} more\n")
    return "".join(differing) + _remedy(wrong[0])


def _differing_ids(tokenizer: Any, case: _Case) -> str:
    measured, promised = case.measured, case.promised
    index = first_difference(measured, promised) or 0
    if index >= len(promised):
        parting = f"id {index} is {_id_at(tokenizer, measured, index)} where the promise ends"
    elif index >= len(measured):
        parting = f"they end where id {index}, {_id_at(tokenizer, promised, index)}, was promised"
    else:
        got, wanted = (_id_at(tokenizer, row, index) for row in (measured, promised))
        parting = f"id {index} is {got} where {wanted} was promised"
    return (
        f"{quoted(case.text)} becomes {len(measured)} id{'s' * (len(measured) != 1)}, and {parting}.\n"
        f"  promised: {promised}\n"
        f"  measured: {measured}\n"
    )


def _remedy(case: _Case) -> str:
    known = "pytest --modelcheck --modelcheck-update=all records them"
    return f"If the new ids are meant, {known if case.source else f'promise ids={case.measured}'}."


def _id_at(tokenizer: Any, ids: list[int], index: int) -> str:
    try:
        name = quoted(token_names(tokenizer, [ids[index]])[0])
    except Exception:  # a promised id may lie outside of the vocabulary
        name = "not in the vocabulary"
    return f"{ids[index]} ({name})"


def _listed(ids: list[int]) -> str:
    shown = ", ".join(map(str, ids[:8]))
    return f"[{shown}{', ...' if len(ids) > 8 else ''}]" + (f" ({len(ids)} ids)" if len(ids) > 8 else "")
