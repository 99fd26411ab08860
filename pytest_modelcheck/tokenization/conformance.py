"""All properties of a tokenizer that conforms, and what was found when one was looked at."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pytest_modelcheck.errors import RAISED, is_panic, told
from pytest_modelcheck.tokenization import layouts, properties
from pytest_modelcheck.tokenization.properties import Cases
from pytest_modelcheck.tokenization.subject import Misbehaved, NotAsked, Subject

_KEPT = 5

Property = Callable[[Subject, Sequence[str]], Cases]

PROPERTIES: Mapping[str, Property] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            properties.wrap,
            properties.batch,
            properties.offsets,
            properties.injection,
            properties.special_tokens,
            layouts.padding,
            layouts.truncation,
            layouts.pairs,
            layouts.pretokenized,
            layouts.save_load,
            properties.incremental_decoding,
            layouts.added_tokens,
            layouts.chat_template,
            properties.threads,
            properties.empty_input,
        )
    }
)


@dataclass(frozen=True)
class Finding:
    """What was found of one property: how many cases, how many broken, and the first few different problems.

    `not_asked` says why it could not be asked of the tokenizer, and `error` what went wrong on the way; both are `""`
    where it was measured.
    """

    cases: int = 0
    broken: int = 0
    different: int = 0
    problems: tuple[str, ...] = ()
    not_asked: str = ""
    error: str = ""
    seconds: float = 0.0


def claim_of(name: str) -> str:
    """What a property states, in a sentence.

    >>> claim_of("batch")
    'A batch gives what each of its texts gives alone, by whichever method.'
    """
    return (PROPERTIES[name].__doc__ or "").partition("\n")[0]


def examine(name: str, subject: Subject, texts: Sequence[str]) -> Finding:
    """Look at one property. Whatever the tokenizer raises is an error of this property alone."""
    started = time.perf_counter()
    cases = 0
    broken = 0
    problems: dict[str, None] = {}
    not_asked = error = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # these texts are chosen to be what libraries warn about
            for problem in PROPERTIES[name](subject, texts):
                cases += 1
                if problem:
                    broken += 1
                    problems[problem] = None
    except Misbehaved as found:
        cases, broken = cases + 1, broken + 1
        problems[str(found)] = None
    except NotAsked as reason:
        not_asked = str(reason)
    except BaseException as raised:
        if not isinstance(raised, RAISED) and not is_panic(raised):
            raise
        error = told(raised)
    if not (cases or not_asked or error):
        error = "no text is long enough to measure it: give longer texts"
    seconds = time.perf_counter() - started
    return Finding(cases, broken, len(problems), tuple(problems)[:_KEPT], not_asked, error, seconds)
