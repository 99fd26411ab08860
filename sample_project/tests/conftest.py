"""The subjects of the gates: what the repository releases."""

from __future__ import annotations

import pytest
import torch
from pytorch_lightning import Trainer

from modelrepo.running import quiet
from modelrepo.text.encoder import sentence_encoder
from modelrepo.text.tokenizer import uncased_tokenizer
from modelrepo.vision.classifier import DigitClassifier
from modelrepo.vision.data import MNISTDataModule
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
    data = MNISTDataModule()
    data.prepare_data()
    return data


@pytest.fixture
def fitted(tmp_path):
    """Train a module on data for seconds, with these options of the Trainer, which is given back."""

    def fit(module, data, **options):
        usual = {"accelerator": "cpu", "devices": 1, "max_epochs": 1, "logger": False, "default_root_dir": tmp_path}
        silent = dict.fromkeys(["enable_checkpointing", "enable_model_summary", "enable_progress_bar"], False)
        torch.manual_seed(0)
        with quiet():
            trainer = Trainer(**{**usual, **silent, **options})
            trainer.fit(module, data)
        return trainer

    return fit
