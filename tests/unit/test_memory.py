"""Memory that was not enough is told apart from other errors, and what was held of it is let go."""

from __future__ import annotations

import weakref

import pytest
import torch
from torch import nn

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.memory import memory_advice
from pytest_modelcheck.tensors import called

ADVICE = (
    "\n  There was not enough memory. Give fewer samples at a time, as by a smaller batch_size of the DataLoader, or "
    "run where there is more"
)

# Of torch 2.4 it is an error of torch.cuda alone.
OutOfMemoryError = type("OutOfMemoryError", (RuntimeError,), {})


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OutOfMemoryError("CUDA: tried to allocate 2 GiB"),
        torch.cuda.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 64 bytes."),
    ],
)
def test_too_little_memory_has_an_advice(error):
    assert memory_advice(error) == ADVICE


@pytest.mark.parametrize(
    "error", [ValueError("out of memory"), RuntimeError("shapes cannot be multiplied"), KeyError()]
)
def test_other_errors_have_none(error):
    assert memory_advice(error) == ""


def test_what_torch_says_of_too_much_is_known():
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**48)
    assert memory_advice(raised.value) == ADVICE


@pytest.mark.parametrize(("error", "is_held"), [(MemoryError, False), (ValueError, True)])
def test_what_the_forward_held_is_let_go_while_its_error_is_kept(error, is_held):
    class Holding(nn.Module):
        def forward(self, inputs):
            held = inputs + 1
            self.seen = weakref.ref(held)
            self.fail()

        def fail(self):
            try:
                raise KeyError("first")
            except KeyError:
                raise error from None

    model = Holding()
    with pytest.raises(ModelCheckError) as raised:
        called(model, torch.zeros(3))
    assert isinstance(raised.value.__cause__, error)
    assert (model.seen() is not None) is is_held


def test_errors_that_led_to_each_other_have_an_end():
    first, second = RuntimeError("CUDA out of memory"), ValueError("half failed too")
    first.__cause__, second.__cause__ = second, first
    assert memory_advice(first) == ADVICE
