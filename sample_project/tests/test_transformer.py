"""What the transformers from scratch promise: sizes, shapes, masks, and two tasks that they have learnt."""

from __future__ import annotations

import pytest
import torch
from torchmetrics.classification import MulticlassAccuracy

from modelrepo.transformer.copying import copier as new_copier
from modelrepo.transformer.copying import written_copies
from modelrepo.transformer.learner import TransformerLearner
from modelrepo.transformer.reversal import Reverser

REVERSER_SHAPES = {
    "input_ids": "batch tokens",
    "embedding": "batch tokens dim",
    "positions": "batch tokens dim",
    "encoder.blocks.*.attention:0": "batch tokens dim",
    "encoder.blocks.*.attention:1": "batch heads tokens tokens",
    "encoder.blocks.*.feed_forward.0": "batch tokens 2*dim",
    "encoder.blocks.*.feed_forward_norm": "batch tokens dim",
    "logits": "batch tokens 10",
}

COPIER_SHAPES = {
    "input_ids": "batch sources",
    "decoder_input_ids": "batch tokens",
    "encoder.blocks.*.attention:1": "batch 4 sources sources",
    "encoder.blocks.*.feed_forward_norm": "batch sources 32",
    "decoder.blocks.*.self_attention:1": "batch 4 tokens tokens",
    "decoder.blocks.*.cross_attention:1": "batch 4 tokens sources",
    "decoder.blocks.*.feed_forward_norm": "batch tokens 32",
    "head": "batch tokens 13",
}


@pytest.fixture
def sequences():
    """Three sequences, of which one is shorter."""
    symbols = torch.randint(10, (3, 16), generator=torch.Generator().manual_seed(3))
    mask = torch.ones(3, 16, dtype=torch.long)
    mask[1, 9:] = 0
    return {"input_ids": symbols, "attention_mask": mask, "output_attentions": True}


@pytest.fixture
def sources(copies):
    """Three sources with their targets, which are given to the decoder."""
    copies.setup("test")
    batch = {name: tensor[:3] for name, tensor in copies.test.tensors.items() if name != "labels"}
    return {**batch, "output_attentions": True}


# ---- the networks


@pytest.mark.modelcheck_parameters(
    model="reverser", total=9_194, trainable=9_194, layers={"encoder.blocks.*.attention": 4 * (32 * 32 + 32)}
)
@pytest.mark.modelcheck_shape(model="reverser", inputs="sequences", expected=REVERSER_SHAPES, finite=True)
def test_the_encoder_has_its_size_and_shapes(): ...


@pytest.mark.modelcheck_parameters(
    model="copier", total=43_168, layers={"encoder.blocks.*": 8_544, "decoder.blocks.*": 12_832}
)
@pytest.mark.modelcheck_shape(model="copier", inputs="sources", expected=COPIER_SHAPES, finite=True)
def test_the_encoder_decoder_has_its_size_and_shapes(): ...


@pytest.mark.modelcheck_attention(model="reverser", inputs="sequences", heads=2, layers=1, causal=False)
@pytest.mark.modelcheck_attention(model="copier", inputs="sources", heads=4, layers=2, causal=True)
@pytest.mark.modelcheck_attention(
    model="copier", inputs="sources", weights="decoder.blocks.*.self_attention", causal=True
)
def test_attention_is_shares_and_masks_hide_what_they_should(): ...


@pytest.mark.modelcheck_causal(model="copier", inputs="sources", outputs="logits")
def test_the_decoder_never_sees_the_future(): ...


@pytest.mark.modelcheck_padding_invariant(
    model="reverser", inputs="sequences", side="right", pad_token_id=0, outputs="logits"
)
@pytest.mark.modelcheck_padding_invariant(
    model="copier", inputs="sources", side="right", pad_token_id=0, outputs="logits"
)
def test_padding_changes_nothing(): ...


@pytest.mark.modelcheck_batch_invariant(model="reverser", inputs="sequences")
@pytest.mark.modelcheck_batch_invariant(model="copier", inputs="sources")
def test_the_rest_of_a_batch_changes_nothing(): ...


# ---- the tasks


def whole_sequences(net, batch):
    """Scores `[batch, 2]` of being wrong and right, where a sequence is right to its last symbol."""
    right = (net(batch["input_ids"])["logits"].argmax(dim=-1) == batch["labels"]).all(dim=1)
    return as_classes(right)


def symbols(net, batch):
    """The scores and the labels of all symbols, for a metric that counts them one by one."""
    return net(batch["input_ids"])["logits"].flatten(0, 1), batch["labels"].flatten()


def copied(net, batch):
    """The same as `whole_sequences`, of what the network writes by itself."""
    return as_classes(written_copies(net, batch))


def as_classes(right):
    return torch.stack([~right, right], dim=1).float(), torch.ones(len(right), dtype=torch.long)


@pytest.mark.modelcheck_accuracy(model="reverser", data="reversals", step=whole_sequences, min=1.0)
@pytest.mark.modelcheck_metric(
    model="reverser",
    data="reversals",
    step=symbols,
    metric=MulticlassAccuracy(num_classes=10, average="micro"),
    min=1.0,
)
@pytest.mark.modelcheck_metric(model="reversal_learner", data="reversals", logged="test_acc", min=1.0)
def test_every_sequence_is_reversed(): ...


@pytest.fixture
def reversal_learner(reverser):
    return TransformerLearner(reverser, classes=10, lr=5e-3, warmup=50)


@pytest.mark.modelcheck
def test_the_test_sequences_were_not_trained_on(reversals):
    reversals.setup("fit")
    seen = set(map(tuple, reversals.train.tensors["input_ids"].tolist()))
    asked = set(map(tuple, reversals.test.tensors["input_ids"].tolist()))
    assert (len(seen), len(asked)) == (20_000, 10_000)
    assert len(seen & asked) == 0


@pytest.mark.modelcheck_accuracy(model="copier", data="copies", step=copied, min=0.98)
def test_sources_are_copied_to_the_end(): ...


@pytest.mark.modelcheck
def test_untrained_networks_do_neither(modelcheck, reversals, copies):
    torch.manual_seed(modelcheck.seed)
    reversals.setup("test")
    copies.setup("test")
    scores, _ = whole_sequences(Reverser().eval(), reversals.test[:100])
    right = scores.argmax(dim=1).sum(), written_copies(new_copier().eval(), copies.test[:100]).sum()
    assert list(map(int, right)) == [0, 0]


@pytest.mark.modelcheck
def test_the_learning_rate_warms_up_and_falls(schedule):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    rates = schedule(optimizer, warmup=100, total=2_000)
    seen = []
    for _ in range(2_001):
        seen += rates.get_last_lr()
        optimizer.step()
        rates.step()
    told = [round(seen[step] * 1e3, 3) for step in (0, 50, 100, 1_000, 2_000)]
    assert told == [0.0, 0.499, 0.994, 0.5, 0.0]
    assert seen[:100] == sorted(seen[:100])
    assert seen[100:] == sorted(seen[100:], reverse=True)


# ---- the recipes


@pytest.mark.recipe
@pytest.mark.modelcheck_recipe(train="train_reverser", data="reversals", step=whole_sequences, min=0.99, seeds=5)
def test_reversing_is_learnt_from_nearly_any_seed(): ...


@pytest.mark.recipe
@pytest.mark.modelcheck_recipe(train="train_copier", data="copies", step=copied, min=0.95, seeds=5)
def test_copying_is_learnt_from_nearly_any_seed(): ...
