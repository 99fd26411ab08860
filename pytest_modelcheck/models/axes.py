"""Arithmetic on the names of axes: `2*tokens+1` is read and worked out here, and no code is run for it."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

_TOKEN = re.compile(r"[0-9]{1,18}|[A-Za-z][A-Za-z0-9_]*|//|[-+*()]")
_NAME = re.compile(r"[A-Za-z]")
# Longer than any axis, and short enough for what is nested in it.
_LONGEST = 100

_OPERATIONS: Mapping[str, Callable[[int, int], int]] = MappingProxyType(
    {"+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv}
)
_SUMS, _PRODUCTS = ("+", "-"), ("*", "//")


class Misread(ValueError):
    """An axis that cannot be read; `at` is where reading stopped."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


@dataclass(frozen=True)
class Expression:
    """An axis that is worked out of others; `steps` are its numbers, names and operators, each after its operands."""

    text: str
    steps: tuple[int | str, ...]

    def __str__(self) -> str:
        return self.text

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it uses, in their order."""
        return tuple(dict.fromkeys(step for step in self.steps if isinstance(step, str) and step not in _OPERATIONS))

    def value(self, sizes: Mapping[str, int]) -> int:
        """Its size, of those that its names stand for; a `ZeroDivisionError` where it divides by zero."""
        stack: list[int] = []
        for step in self.steps:
            if isinstance(step, int):
                stack.append(step)
            elif step in _OPERATIONS:
                right, left = stack.pop(), stack.pop()
                stack.append(_OPERATIONS[step](left, right))
            else:
                stack.append(sizes[step])
        return stack.pop()


def parse_axis(word: str) -> int | str | Expression:
    """A size, a name, `"_"`, `"..."`, or an expression of sizes and names with `+`, `-`, `*`, `//` and parentheses.

    Raises `Misread` with the place where it is none of them.

    >>> parse_axis("768"), parse_axis("tokens")
    (768, 'tokens')
    >>> parse_axis("2*(tokens+1)").value({"tokens": 7})
    16
    """
    if word in ("_", "..."):
        return word
    tokens = _tokens(word)
    steps, at = _operations(tokens, 0, _SUMS)
    if at < len(tokens) - 1:
        raise Misread(tokens[at][1])
    return steps[0] if len(steps) == 1 else Expression(word, tuple(steps))


# A token and where it starts; the last one is empty.
_Tokens = list[tuple[str, int]]


def _tokens(word: str) -> _Tokens:
    if len(word) > _LONGEST:
        raise Misread(_LONGEST)
    found, at = [], 0
    while at < len(word):
        match = _TOKEN.match(word, at)
        if match is None:
            raise Misread(at)
        found.append((match.group(), at))
        at = match.end()
    return [*found, ("", at)]


def _operations(tokens: _Tokens, at: int, operators: tuple[str, ...]) -> tuple[list[int | str], int]:
    """Operands with operators of one rank between them, from the left, and the place behind them."""
    steps, at = _operand(tokens, at, operators)
    while tokens[at][0] in operators:
        following, behind = _operand(tokens, at + 1, operators)
        steps, at = [*steps, *following, tokens[at][0]], behind
    return steps, at


def _operand(tokens: _Tokens, at: int, operators: tuple[str, ...]) -> tuple[list[int | str], int]:
    if operators is _SUMS:
        return _operations(tokens, at, _PRODUCTS)
    word, start = tokens[at]
    if word == "(":
        steps, behind = _operations(tokens, at + 1, _SUMS)
        if tokens[behind][0] != ")":
            raise Misread(tokens[behind][1])
        return steps, behind + 1
    if word.isdigit():
        return [int(word)], at + 1
    if _NAME.match(word):
        return [word], at + 1
    raise Misread(start)
