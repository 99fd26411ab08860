"""Promises of a vocabulary: its size, its special tokens, and that a model has a row for each of its ids."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.checks.promises import Count, SpecialTokens, Text
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.mechanism import check
from pytest_modelcheck.result import Result
from pytest_modelcheck.tokenization.alignment import quoted
from pytest_modelcheck.tokenization.subject import NotAsked, Subject
from pytest_modelcheck.tokenization.subjects import subject_of

if TYPE_CHECKING:
    from torch import nn

_NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


@check
def vocabulary(tokenizer: Any, /, *, size: Count | None = None, special_tokens: SpecialTokens | None = None) -> Result:
    """The vocabulary has exactly this many tokens, added ones included, and these special tokens with their ids.

    `special_tokens` maps special tokens to their ids, `{"[PAD]": 0}`, or the names of transformers to what stands for
    them, `{"pad_token": "[PAD]"}`.

    >>> from tokenizers import Tokenizer, models
    >>> tokenizer = Tokenizer(models.WordLevel({"[PAD]": 0, "yes": 1}, unk_token="[PAD]"))
    >>> _ = tokenizer.add_special_tokens(["[PAD]"])
    >>> vocabulary(tokenizer, size=2, special_tokens={"[PAD]": 0}).measured
    "2 tokens, '[PAD]' is 0"
    >>> print(vocabulary(tokenizer, size=3).message)
    vocabulary of Tokenizer: it has 2 tokens, and 3 were promised.
    """
    try:
        subject = subject_of(tokenizer)
        problems, found = _special_problems(tokenizer, subject, special_tokens or {})
        if size is not None:
            number = subject.size()
            found.insert(0, f"{number:,} tokens")
            problems = [*_size_problem(tokenizer, number, size), *problems]
    except NotAsked as reason:
        raise ModelCheckError(str(reason)) from None
    promised = [] if size is None else [f"{size:,} tokens"]
    promised += [f"{quoted(name)} is {_shown(value)}" for name, value in (special_tokens or {}).items()]
    return Result(
        outcome="failed" if problems else "passed",
        promised=", ".join(promised),
        measured=", ".join(found),
        message="\n".join(problems),
        evidence={"problems": problems},
    )


@check
def vocabulary_fits(model: "nn.Module", tokenizer: Any, /, *, embedding: Text = "input") -> Result:
    """The model has an embedding row for every id that the tokenizer can give, special tokens included.

    A table may be padded: it has at least `largest id + 1` rows, and the rows that no id uses are reported as slack.
    Where the model has output embeddings, these have a row for every id too. `embedding` names the layer of the input
    embeddings where the model has no `get_input_embeddings` and more than one table. Works on the meta device.

    Raises `ModelCheckError` where the table cannot be found.

    >>> from tokenizers import Tokenizer, models
    >>> from torch import nn
    >>> tokenizer = Tokenizer(models.WordLevel({"yes": 0, "no": 1}, unk_token="no"))
    >>> vocabulary_fits(nn.Embedding(8, 4), tokenizer).measured
    'largest id 1, input embeddings 8 rows (6 are slack)'
    >>> print(vocabulary_fits(nn.Embedding(1, 4), tokenizer).message)
    vocabulary_fits of Embedding: the input embeddings have 1 row, and the tokenizer gives ids up to 1 ('no').
    Call resize_token_embeddings(2), or load the tokenizer that the model was trained with.
    """
    from pytest_modelcheck.models.embeddings import embedding_tables

    tables = embedding_tables(model, embedding)
    try:
        subject = subject_of(tokenizer)
        largest = max([subject.largest_id(), *_special_of(subject).values(), *_given_ids(subject)])
    except NotAsked as reason:
        raise ModelCheckError(str(reason)) from None
    if largest < 0:
        raise ModelCheckError("the tokenizer has no tokens")
    short = {name: rows for name, rows in tables.items() if rows <= largest}
    problems = [
        f"the {name} embeddings have {rows:,} row{'s' * (rows != 1)}, and the tokenizer gives ids up to {largest}"
        f"{_named(subject, largest)}."
        for name, rows in short.items()
    ]
    problems += _config_problems(model, min(tables.values()))
    if short:
        problems.append(
            f"Call resize_token_embeddings({largest + 1}), or load the tokenizer that the model was trained with."
        )
    shown = [
        f"{name} embeddings {rows:,} rows ({max(rows - largest - 1, 0):,} are slack)" for name, rows in tables.items()
    ]
    return Result(
        outcome="failed" if problems else "passed",
        promised="a row for every id",
        measured=f"largest id {largest:,}, {', '.join(shown)}",
        message="\n".join(problems),
        evidence={"largest_id": largest, "rows": dict(tables)},
    )


def _special_of(subject: Subject) -> Mapping[str, int]:
    try:
        return subject.special_tokens()
    except NotAsked:
        return {}


def _named(subject: Subject, item: int) -> str:
    try:
        token = subject.token(item)
    except NotAsked:
        return ""
    return "" if token is None else f" ({quoted(token)})"


def _given_ids(subject: Subject) -> list[int]:
    """The ids that it gives beside those of its tokens: what its template adds, and what it pads with."""
    given: list[int] = []
    asked: tuple[Callable[[], list[int]], ...] = (
        lambda: subject.full("").ids,
        lambda: subject.pair("a", "b").ids,
        lambda: [subject.pad_id()],
    )
    for ask in asked:
        try:
            given += ask()
        except NotAsked:
            continue
    return given


def _config_problems(model: Any, rows: int) -> list[str]:
    """The ids that a transformers configuration names and the table does not have."""
    config = getattr(model, "config", None)
    problems = []
    for name in _NAMED:
        value = getattr(config, f"{name}_id", None)
        ids = value if isinstance(value, list | tuple) else [value]
        problems += [
            f"the configuration's {name}_id is {item}, and the table has {rows:,} rows."
            for item in ids
            if isinstance(item, int) and item >= rows  # older configurations write -1 for none
        ]
    return problems


def _size_problem(tokenizer: Any, number: int, size: int) -> list[str]:
    if number == size:
        return []
    problem = f"it has {number:,} token{'s' * (number != 1)}, and {size:,} were promised."
    if number <= 8 < size and hasattr(tokenizer, "convert_ids_to_tokens"):
        problem += (
            " It knows special tokens only, as transformers 5 does where a vocabulary is given as vocab_file=: the "
            "keyword is vocab=."
        )
    return [problem]


def _special_problems(
    tokenizer: Any, subject: Subject, promised: Mapping[str, int | str]
) -> tuple[list[str], list[str]]:
    problems: list[str] = []
    found: list[str] = []
    known = _special_of(subject)
    for name, value in promised.items():
        if isinstance(value, str):
            measured: Any = getattr(tokenizer, name, None)
            measured = None if measured is None or subject.token_id(str(measured)) is None else str(measured)
        else:
            measured = subject.token_id(name)
            if measured == value and name not in known:
                problems.append(f"{quoted(name)} has the id {value}, and is no special token.")
        found.append(f"{quoted(name)} is {_shown(measured)}")
        if measured != value:
            problems.append(f"{quoted(name)} is {_shown(measured)}, and {_shown(value)} was promised.")
    return problems, found


def _shown(value: int | str | None) -> str:
    if value is None:
        return "not there"
    return quoted(value) if isinstance(value, str) else str(value)
