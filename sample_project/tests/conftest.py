"""The subjects of the gates: what the repository releases."""

from __future__ import annotations

import pytest
from filelock import FileLock
from pytorch_lightning import Trainer

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
    return lambda _seed: fitted(REVERSAL)


@pytest.fixture
def train_copier():
    return lambda _seed: fitted(COPY)


@pytest.fixture
def train_finder(mnist):
    return lambda _seed: fitted(ANOMALY)


def fitted(recipe):
    """The network of a recipe after its epochs, from the seed that is set."""
    module = recipe.module()
    trainer = Trainer(
        max_epochs=recipe.epochs,
        accelerator="auto",
        devices=1,
        deterministic="warn",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    trainer.fit(module, recipe.data())
    return getattr(module, recipe.weights)
