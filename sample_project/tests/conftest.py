"""The subjects of the gates: what the repository releases."""

from __future__ import annotations

import pytest
import torch
from pytorch_lightning import Trainer

from modelrepo.plan import Plan
from modelrepo.running import fit, quiet
from modelrepo.text.encoder import masked_language_model, sentence_encoder
from modelrepo.text.minilm import trained_encoder
from modelrepo.text.tokenizer import uncased_tokenizer
from modelrepo.text.triplets import triplets as read_triplets
from modelrepo.transformer.anomaly import ANOMALY
from modelrepo.transformer.copying import COPY
from modelrepo.transformer.released import released
from modelrepo.transformer.reversal import REVERSAL
from modelrepo.transformer.schedule import warmup_cosine_schedule
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


@pytest.fixture
def reverser():
    return released(REVERSAL)


@pytest.fixture
def reversals():
    return REVERSAL.data()


@pytest.fixture
def copier():
    return released(COPY)


@pytest.fixture
def copies():
    return COPY.data()


@pytest.fixture
def schedule():
    return warmup_cosine_schedule


@pytest.fixture
def finder():
    return released(ANOMALY)


@pytest.fixture
def image_sets(mnist):
    return ANOMALY.data()


@pytest.fixture(scope="session")
def unplaced_encoder():
    """DistilBERT whose positions are all the same."""
    encoder = sentence_encoder().eval()
    encoder.embeddings.position_embeddings.weight.data.zero_()
    return encoder


@pytest.fixture(scope="session")
def masked_encoder():
    return masked_language_model().eval()


@pytest.fixture
def two_texts(tokenizer):
    return tokenizer(["This is a input.", "This is another one, and it is longer."], padding=True, return_tensors="pt")


@pytest.fixture(scope="session")
def minilm():
    """The trained encoder and its tokenizer; without their package, a failure that says what to install."""
    return trained_encoder()


@pytest.fixture
def triplets():
    return read_triplets()


@pytest.fixture
def train_reverser():
    return trained(REVERSAL)


@pytest.fixture
def train_copier():
    return trained(COPY)


@pytest.fixture
def train_finder(mnist):
    return trained(ANOMALY)


def trained(recipe):
    """What trains the network of a recipe from a seed, as the training command does."""

    def train(seed):
        module = fit(recipe, Plan(recipe.name, seed, recipe.epochs), recipe.data(), progress=False)
        return module.get_submodule(recipe.weights)

    return train
