"""Promises and measurements that are no numbers, or lie about what they are."""

from __future__ import annotations

import pytest

from tests.faults.fault import Fault, Group

PROMISE = """
import decimal
import pytest

class Yes:
    def __eq__(self, other):
        return True
    __ge__ = __gt__ = __le__ = __lt__ = __eq__
    __hash__ = None

class Mute(Yes):
    def __repr__(self):
        raise RuntimeError("no text")

class Masked(Yes):
    @property
    def __class__(self):
        return float

@pytest.mark.modelcheck_accuracy(min={value})
def test_fault(): ...
"""

TOKENIZER = """
import pytest

class Same(str):
    def __eq__(self, other):
        return True
    __hash__ = str.__hash__

class Any(int):
    def __eq__(self, other):
        return True
    __hash__ = int.__hash__

class List(list):
    def __eq__(self, other):
        return True
    __hash__ = None

class Liar:
    def encode(self, text):
        return {ids}

    def decode(self, ids):
        return {text}

@pytest.fixture
def tokenizer():
    return Liar()

@pytest.mark.modelcheck_{promise}
def test_fault(): ...
"""

MODEL = """
import pytest
import torch
import torchmetrics
from collections.abc import Mapping
from pytest_modelcheck import assert_accuracy, assert_metric, assert_parameters

MODEL = torch.nn.Sequential(torch.nn.Linear(4, 3))
DATA = (torch.eye(3), torch.tensor([0, 1, 1]))

class Small(float):
    def __repr__(self):
        return "0.1"
    __str__ = __repr__
    def __le__(self, other):
        return True
    __lt__ = __le__

class Large(int):
    def __ge__(self, other):
        return True
    __gt__ = __ge__
    def __sub__(self, other):
        return 1
    numerator = 100

class Most:
    def __ge__(self, other):
        return True
    __gt__ = __le__ = __lt__ = __eq__ = __ge__
    __hash__ = None
    def __float__(self):
        return 1.0
    def __repr__(self):
        return "most"

class Changing(Mapping):
    def __init__(self, first, then):
        self.items_of = [first, then]
    def __len__(self):
        return 1
    def __iter__(self):
        return iter(self.items_of[0] if len(self.items_of) == 1 else self.items_of.pop(0))
    def __getitem__(self, key):
        return 999

class Greedy(torchmetrics.MeanMetric):
    def compute(self):
        return {value}

@pytest.mark.modelcheck
def test_fault():
    {body}
"""


def no_number(value: str, shown: str) -> Fault:
    """A promise that is refused when tests are collected."""
    return Fault(
        PROMISE.format(value=value),
        f"test_fault.py::test_fault: min={shown}: a number from 0 to 1 is expected",
        "",
        exit=pytest.ExitCode.INTERRUPTED,
        goes_on=False,
    )


def tokenizer(promise: str, message: str, ids: str = "[1, 2, 3]", text: str = '"abc"') -> Fault:
    return Fault(TOKENIZER.format(promise=promise, ids=ids, text=text), message, "failed")


def of_model(body: str, message: str, value: str = "0") -> Fault:
    return Fault(MODEL.format(body=body, value=value), message, "failed", needs="torchmetrics")


def greedy(value: str, message: str) -> Fault:
    return of_model("assert_metric(torch.nn.Identity(), DATA, metric=Greedy(), min=0.9)", message, value)


GROUP = Group(
    "Promises and measurements that lie",
    {
        "a promise of NaN": no_number('float("nan")', "nan"),
        "a promise of infinity": no_number('float("inf")', "inf"),
        "a promise that is a text": no_number('"0.9"', "'0.9'"),
        "a promise that is True": no_number("True", "True"),
        "a promise of 5,000 digits": no_number("10**5000", "<int of too many digits>"),
        "a promise that fits no memory": no_number('decimal.Decimal("1E+999999")', "Decimal('1E+999999')"),
        "a promise that is larger and smaller than everything": no_number("Yes()", "<test_fault.Yes object at …>"),
        "a promise that cannot be shown": no_number("Mute()", "<Mute>"),
        "a promise that says it is a float": no_number("Masked()", "<…Masked object at …>"),
        "a promise that lies of its size": of_model(
            "assert_accuracy(torch.nn.Identity(), DATA, min=Small(0.9))",
            "accuracy of Identity: 2 of 3 samples are correct, and 3 are needed for 0.9 (1 too few).\n…",
        ),
        "a promise that is another one when it is read again": of_model(
            "assert_parameters(MODEL, layers=Changing(['0'], []))",
            "parameters of Sequential: layer 0 is 15, promised 999 (984 fewer).\n  0: 15",
        ),
        "a metric that is larger than everything": greedy(
            "Most()", "metric of Identity: Greedy is 1, which is no finite number, promised at least 0.9."
        ),
        "a metric that lies of its size": greedy(
            "Large(0)", "metric of Identity: Greedy is 0, promised at least 0.9 (0.9 too low)."
        ),
        "ids that equal everything": tokenizer(
            'token_ids(text="abc", ids=[1, 2, 4])',
            "token_ids of Liar: 'abc' becomes 3 ids, and id 2 is 3 ('abc') where 4 ('abc') was promised.\n"
            "  promised: [1, 2, 4]\n  measured: [1, 2, 3]\nIf the new ids are meant, promise ids=[1, 2, 3].",
            ids="List([Any(1), Any(2), Any(3)])",
        ),
        "promised ids that equal everything": tokenizer(
            'token_ids(text="abc", ids=List([Any(1), Any(2), Any(4)]))',
            "token_ids of Liar: 'abc' becomes 3 ids, and id 2 is 3 ('abc') where 4 ('abc') was promised.\n"
            "  promised: [1, 2, 4]\n  measured: [1, 2, 3]\nIf the new ids are meant, promise ids=[1, 2, 3].",
        ),
        "a decoded text that equals everything": tokenizer(
            'roundtrip(texts=["abc"])',
            "roundtrip of Liar: 1 of 1 texts do not come back as the letters level promises.\n…",
            text='Same("xyz")',
        ),
    },
    hostile=True,
)
