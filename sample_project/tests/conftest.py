"""The subjects of the gates: what the repository releases."""

from __future__ import annotations

import pytest
from filelock import FileLock

from modelrepo.text.encoder import sentence_encoder
from modelrepo.text.tokenizer import uncased_tokenizer
from modelrepo.vision.classifier import DigitClassifier
from modelrepo.vision.data import DATA, MNISTDataModule
from modelrepo.vision.network import trained_digit_network


@pytest.fixture(scope="session")
def tokenizer():
    return uncased_tokenizer()


@pytest.fixture(scope="session")
def encoder():
    return sentence_encoder().eval()


@pytest.fixture
def input_ids(tokenizer):
    return tokenizer("This is a input.", return_tensors="pt")["input_ids"]


@pytest.fixture
def network():
    return trained_digit_network()


@pytest.fixture
def classifier(network):
    return DigitClassifier(network)


@pytest.fixture(scope="session")
def mnist():
    with FileLock(DATA / ".unpacking.lock"):
        MNISTDataModule().prepare_data()
    return MNISTDataModule()
