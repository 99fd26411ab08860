"""What the values of promises may be. A wrong one is a `ConfigError` before anything is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Annotated

from pytest_modelcheck.comparison import promised_number
from pytest_modelcheck.errors import ConfigError


def rate(name: str, value: object) -> None:
    """A number from 0 to 1."""
    promised_number(name, value, low=0, high=1)


def confidence(name: str, value: object) -> None:
    """A number from 0.5 to below 1."""
    if promised_number(name, value, low=0, high=1) == 1 or promised_number(name, value) < Fraction(1, 2):
        raise ConfigError(f"{name}={value!r}: a number from 0.5 to below 1 is expected, such as 0.95")


def chance(name: str, value: object) -> None:
    """A probability above 0 that an early verdict is wrong, of at most 0.1."""
    if not 0 < promised_number(name, value, low=0) <= Fraction(1, 10):
        raise ConfigError(f"{name}={value!r}: a probability above 0 and of at most 0.1 is expected, such as 1e-6")


def flag(name: str, value: object) -> None:
    """True or False."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name}={value!r}: True or False is expected")


def count(name: str, value: object) -> None:
    """An integer of at least 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigError(f"{name}={value!r}: an integer of at least 0 is expected")


def counts(name: str, value: object) -> None:
    """A mapping from names to integers of at least 0, with at least one name."""
    if not isinstance(value, Mapping) or not value:
        raise ConfigError(f"{name}={value!r}: a mapping from names to integers is expected")
    for key, item in value.items():
        count(f"{name}[{key!r}]", item)


def positive(name: str, value: object) -> None:
    """A finite number of at least 0."""
    promised_number(name, value, low=0)


def text(name: str, value: object) -> None:
    """A string."""
    if not isinstance(value, str):
        raise ConfigError(f"{name}={value!r}: a text (str) is expected")


def texts(name: str, value: object) -> None:
    """A sequence of strings with at least one in it, or what has a length and is read in order like one."""
    is_list = isinstance(value, Sequence) or (hasattr(value, "__len__") and hasattr(value, "__getitem__"))
    if isinstance(value, str | bytes | Mapping) or not is_list or not len(value):  # type: ignore[arg-type]
        shown = f"{value!r:.60}"
        raise ConfigError(f"{name}={shown}: a list of texts with at least one text is expected")
    for index, item in enumerate(value):  # type: ignore[arg-type,var-annotated]
        if not isinstance(item, str):
            text(f"{name}[{index}]", item)


def ids(name: str, value: object) -> None:
    """A sequence of token ids."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise ConfigError(f"{name}={value!r}: a list of token ids is expected")
    for index, item in enumerate(value):
        count(f"{name}[{index}]", item)


def reasons(name: str, value: object) -> None:
    """A mapping from names to reasons, none of them empty."""
    if not isinstance(value, Mapping) or not value:
        raise ConfigError(f"{name}={value!r}: a mapping from names to reasons is expected")
    for key, reason in value.items():
        if not isinstance(reason, str) or not reason.strip():
            raise ConfigError(f"{name}[{key!r}]={reason!r}: a reason (str) is expected")


def special(name: str, value: object) -> None:
    """A mapping from special tokens to their ids, or from names such as `pad_token` to special tokens."""
    if not isinstance(value, Mapping) or not value:
        raise ConfigError(f"{name}={value!r}: a mapping from special tokens to ids is expected")
    for key, item in value.items():
        if not isinstance(key, str):
            raise ConfigError(f"{name} has the key {key!r}: a special token (str) is expected")
        if not isinstance(item, str):
            count(f"{name}[{key!r}]", item)


Rate = Annotated[float, rate]
Confidence = Annotated[float, confidence]
Chance = Annotated[float, chance]
Flag = Annotated[bool, flag]
Count = Annotated[int, count]
Positive = Annotated[float, positive]
Counts = Annotated[Mapping[str, int], counts]
Text = Annotated[str, text]
Texts = Annotated[Sequence[str], texts]
Ids = Annotated[Sequence[int], ids]
Reasons = Annotated[Mapping[str, str], reasons]
SpecialTokens = Annotated[Mapping[str, int | str], special]


def one_of(*choices: str) -> object:
    """A validator: one of these words."""

    def validate(name: str, value: object) -> None:
        if value not in choices:
            raise ConfigError(f"{name}={value!r}: one of {', '.join(choices)} is expected")

    return validate
