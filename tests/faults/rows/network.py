"""What connects, and what looks as if it named something that is to be downloaded."""

from __future__ import annotations

from tests.faults.fault import Fault, Group

DATA = """
import pytest
import socket
import torch
from pytest_modelcheck import assert_accuracy

class Remote(torch.utils.data.Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        {connect}
        return torch.ones(4), 1

@pytest.mark.modelcheck
def test_fault():
    assert_accuracy(torch.nn.Linear(4, 3), Remote(), min=0)
"""

TOKENIZER = """
import pytest
import urllib.request

class Remote:
    def encode(self, text):
        return urllib.request.urlopen("https://host.example/encode").read()

    def decode(self, ids):
        return ""

@pytest.fixture
def tokenizer():
    return {tokenizer}

@pytest.mark.modelcheck_{promise}
def test_fault(): ...
"""

NAMED = """
import pytest
import torch
from pytest_modelcheck import assert_accuracy, assert_parameters

DATA = (torch.ones(6, 4), torch.zeros(6, dtype=torch.long))

@pytest.mark.modelcheck
def test_fault():
    {body}
"""


def named(body: str, message: str) -> Fault:
    """A text in the place of a subject: nothing is looked up under that name."""
    return Fault(NAMED.format(body=body), message)


def named_tokenizer(promise: str, message: str) -> Fault:
    return Fault(TOKENIZER.format(tokenizer='"bert-base-uncased"', promise=promise), message)


NO_TOKENIZER = (
    "str is no tokenizer: it has no encode and decode methods. Give a transformers tokenizer, a tokenizers.Tokenizer, "
    "a SentencePiece processor, a tiktoken encoding, or an object with both"
)

GROUP = Group(
    "The network",
    {
        "a data set that connects": Fault(
            DATA.format(connect='socket.create_connection(("host.example", 80))'),
            "accuracy of Linear: not measured: …ConnectionRefusedError: the network is not for tests: "
            "socket.getaddrinfo host.example",
            network="socket.getaddrinfo host.example",
        ),
        "a data set that sends what it has read": Fault(
            DATA.format(connect='socket.socket(type=socket.SOCK_DGRAM).sendto(b"read", ("192.0.2.1", 53))'),
            "accuracy of Linear: not measured: …ConnectionRefusedError: the network is not for tests: "
            "socket.sendto 192.0.2.1",
            network="socket.sendto 192.0.2.1",
        ),
        "a tokenizer that connects": Fault(
            TOKENIZER.format(tokenizer="Remote()", promise='token_ids(text="abc", ids=[1])'),
            "token_ids of Remote: not measured: …the network is not for tests: socket.getaddrinfo host.example…",
            network="socket.getaddrinfo host.example",
        ),
        "a tokenizer that is a name of a hub's": named_tokenizer(
            'roundtrip(texts=["abc"])', f"roundtrip of str: not measured: {NO_TOKENIZER}"
        ),
        "golden ids of a name of a hub's": named_tokenizer(
            'token_ids(text="abc", ids=[1])', f"token_ids of str: not measured: {NO_TOKENIZER}"
        ),
        "data that is a name of a hub's": named(
            'assert_accuracy(torch.nn.Linear(4, 3), "mnist", min=0)',
            "accuracy of Linear: not measured: str is no data: give a DataLoader, a Dataset, a LightningDataModule or "
            "a pair of tensors",
        ),
        "a model that is a name of a hub's": named(
            'assert_parameters("resnet18", total=1)',
            "parameters of str: not measured: str is no torch.nn.Module: give the model itself, or a function without "
            "arguments that builds it",
        ),
        "a model that is a URL": named(
            'assert_accuracy("https://host.example/m.pt", DATA, min=0)',
            "accuracy of str: not measured: str is no torch.nn.Module: give the model itself",
        ),
    },
    hostile=True,
)
