"""The table of a model: exactly that of ModelSummary where that is right, and right where it is not."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

import pytest
import torch
import torchvision.models as vision
import transformers
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.model_summary import ModelSummary
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from pytest_modelcheck import ModelCheckError
from pytest_modelcheck.models.summary import sizes_of, summarize, with_symbolic_batch
from pytest_modelcheck.models.wrappers import unwrapped


class Holder(nn.Module):
    """A model of one attribute, `net`."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, *args, **keywords):
        return self.net(*args, **keywords)


class Lightning(LightningModule):
    def __init__(self, net, example=None):
        super().__init__()
        self.net = net
        self.example_input_array = example

    def forward(self, *args, **keywords):
        return self.net(*args, **keywords)


def digits():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.MaxPool2d(2, 2),
        nn.Conv2d(32, 64, 5),
        nn.MaxPool2d(2, 2),
        nn.Dropout2d(0.1),
        nn.AdaptiveMaxPool2d((1, 1)),
        nn.Flatten(),
        nn.Linear(64, 32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )


DIGITS = [
    ("net", "Sequential", 53_994, [32, 1, 28, 28], [32, 10]),
    ("net.0", "Conv2d", 320, [32, 1, 28, 28], [32, 32, 26, 26]),
    ("net.1", "MaxPool2d", 0, [32, 32, 26, 26], [32, 32, 13, 13]),
    ("net.2", "Conv2d", 51_264, [32, 32, 13, 13], [32, 64, 9, 9]),
    ("net.3", "MaxPool2d", 0, [32, 64, 9, 9], [32, 64, 4, 4]),
    ("net.4", "Dropout2d", 0, [32, 64, 4, 4], [32, 64, 4, 4]),
    ("net.5", "AdaptiveMaxPool2d", 0, [32, 64, 4, 4], [32, 64, 1, 1]),
    ("net.6", "Flatten", 0, [32, 64, 1, 1], [32, 64]),
    ("net.7", "Linear", 2080, [32, 64], [32, 32]),
    ("net.8", "ReLU", 0, [32, 32], [32, 32]),
    ("net.9", "Linear", 330, [32, 32], [32, 10]),
]
IMAGES = torch.zeros(32, 1, 28, 28)


@pytest.mark.parametrize("holder", [Holder, Lightning])
def test_the_reference_table_row_by_row(holder):
    table = summarize(holder(digits()), IMAGES)
    found = [
        (name, row["type"], row["parameters"], row["in_sizes"], row["out_sizes"]) for name, row in table.rows.items()
    ]
    assert found == DIGITS
    assert {row["mode"] for row in table.rows.values()} == {"train"}
    convolutions = 2 * 32 * (26 * 26 * 32 * 9 + 9 * 9 * 64 * 800)
    assert table.rows["net.0"]["flops"] == 2 * 32 * 26 * 26 * 32 * 9
    assert table.whole["flops"] == table.rows["net"]["flops"] == convolutions + 2 * 32 * (64 * 32 + 32 * 10)
    assert (table.batch, table.counts.total, table.device, table.changes) == (32, 53_994, "cpu", [])


def image(model, size=32, **options):
    return lambda: (model(weights=None, **options), torch.zeros(2, 3, size, size))


def ids(model, config, **sizes):
    """A small transformer on seven tokens."""
    tokens = {"bos_token_id": 0, "eos_token_id": 0} if config is transformers.GPT2Config else {}
    return lambda: (model(config(vocab_size=50, **tokens, **sizes)), {"input_ids": torch.zeros(2, 7, dtype=torch.long)})


def batch_norm():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.Flatten(), nn.Linear(72, 3))


ARCHITECTURES = {
    "alexnet": image(vision.alexnet, 64),
    "vgg11": image(vision.vgg11),
    "resnet18": image(vision.resnet18),
    "resnet50": image(vision.resnet50),
    "mobilenet_v2": image(vision.mobilenet_v2),
    "mobilenet_v3_small": image(vision.mobilenet_v3_small),
    "shufflenet_v2": image(vision.shufflenet_v2_x0_5),
    "squeezenet1_1": image(vision.squeezenet1_1),
    "densenet121": image(vision.densenet121),
    "efficientnet_b0": image(vision.efficientnet_b0),
    "regnet_y_400mf": image(vision.regnet_y_400mf),
    "mnasnet0_5": image(vision.mnasnet0_5),
    "convnext_tiny": image(vision.convnext_tiny),
    "googlenet": image(vision.googlenet, aux_logits=False, init_weights=False),
    "swin_t": image(vision.swin_t),
    "vit": lambda: (vision.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5), torch.zeros(2, 3, 32, 32)),
    "bert": ids(
        transformers.BertModel,
        transformers.BertConfig,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    ),
    "gpt2": ids(transformers.GPT2LMHeadModel, transformers.GPT2Config, n_embd=16, n_layer=2, n_head=2),
    "t5": ids(
        transformers.T5EncoderModel, transformers.T5Config, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2
    ),
    "distilbert": ids(
        transformers.DistilBertModel, transformers.DistilBertConfig, dim=16, hidden_dim=32, n_heads=2, n_layers=2
    ),
    "lstm": lambda: (nn.LSTM(4, 8, num_layers=2), torch.zeros(5, 2, 4)),
    "gru": lambda: (nn.GRU(4, 8, bidirectional=True), torch.zeros(5, 2, 4)),
    "encoder": lambda: (
        nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2),
        torch.zeros(2, 5, 16),
    ),
    "transformer": lambda: (
        nn.Transformer(16, 2, 1, 1, 32, batch_first=True),
        (torch.zeros(2, 5, 16), torch.zeros(2, 4, 16)),
    ),
    "mlp": lambda: (nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), torch.zeros(2, 4)),
    "autoencoder": lambda: (
        nn.Sequential(nn.Linear(8, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 8))),
        torch.ones(3, 8),
    ),
    "batch norm": lambda: (batch_norm(), torch.zeros(2, 1, 8, 8)),
    "digits": lambda: (digits(), IMAGES),
}


def known(sizes):
    """Lightning's sizes without its question marks."""
    if isinstance(sizes, list):
        return [found for item in sizes if (found := known(item)) is not None] or None
    return None if sizes == "?" else sizes


# Lightning counts operations since 2.6, and not what torch fuses into one operation.
COUNTS = hasattr(ModelSummary, "total_flops")
FUSED = ("lstm", "encoder", "transformer", "vit")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_table_is_that_of_lightning(name):
    network, inputs = ARCHITECTURES[name]()
    model = Lightning(network, inputs)
    with sdpa_kernel(SDPBackend.MATH):  # before torch 2.15, they do not count the CPU's fused attention
        theirs = ModelSummary(model, max_depth=-1)
    ours = summarize(model, inputs)
    assert theirs.layer_names == list(ours.rows)
    rows = ours.rows.values()
    assert theirs.layer_types == [row["type"] for row in rows]
    assert theirs.param_nums == [row["parameters"] for row in rows]
    assert theirs.training_modes == [row["mode"] == "train" for row in rows]
    if COUNTS and name in FUSED:
        assert theirs.total_flops <= ours.whole["flops"]
    elif COUNTS:
        operations = [sum(counts.values()) for counts in theirs.flop_counts.values()]
        assert operations == [row["flops"] or 0 for row in rows]
        assert theirs.total_flops == ours.whole["flops"]
    for column, sizes in (("in_sizes", theirs.in_sizes), ("out_sizes", theirs.out_sizes)):
        for (layer, row), their_sizes in zip(ours.rows.items(), map(known, sizes), strict=True):
            if name not in FUSED and (their_sizes is not None or not isinstance(row[column], dict)):
                assert row[column] == their_sizes, f"{column} of {layer}"
    assert (theirs.total_parameters, theirs.trainable_parameters) == (ours.counts.total, ours.counts.trainable)
    assert ours.changes == []


class Raw(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))
        self.a = nn.Linear(4, 3)

    def forward(self, x):
        return self.a(x) * self.scale


def test_parameters_of_the_model_itself_have_a_row():
    table = summarize(Raw(), torch.zeros(2, 4))
    nothing = {"in_sizes": None, "out_sizes": None, "flops": None}
    assert table.rows["scale"] == {"type": "Parameter[3]", "parameters": 3, "mode": "", **nothing}
    assert list(table.rows) == ["a", "scale"]
    assert sum(row["parameters"] for row in table.rows.values()) == table.counts.total == 18


def test_the_total_counts_each_parameter_once_at_every_depth():
    model = Lightning(digits(), IMAGES)
    assert ModelSummary(model, max_depth=-1).total_layer_params == 107_988
    assert [summarize(model, max_depth=depth).counts.total for depth in (1, 2, -1)] == [53_994] * 3


@dataclass
class Answer:
    score: torch.Tensor
    states: tuple
    note: str = ""


class Answering(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.answer = answer

    def forward(self, x, **others):
        return self.answer(self.layer(x))


OUTPUTS = {
    "dict": (lambda y: {"logits": y, "loss": y.sum(), "none": None}, {"logits": [2, 3], "loss": []}),
    "model output": (
        lambda y: transformers.modeling_outputs.BaseModelOutput(last_hidden_state=y, hidden_states=(y, y)),
        {"last_hidden_state": [2, 3], "hidden_states": [[2, 3], [2, 3]]},
    ),
    "dataclass": (lambda y: Answer(y.sum(), (y, [y])), {"score": [], "states": [[2, 3], [[2, 3]]]}),
    "no axes": (lambda y: y.sum(), []),
    "tuple": (lambda y: (y, (y[0], None), "text"), [[2, 3], [[3]]]),
    "nothing": (lambda y: None, None),
    "no tensor": (lambda y: {"text": "a", 5: [1, 2]}, None),
}


@pytest.mark.parametrize(("answer", "sizes"), OUTPUTS.values(), ids=OUTPUTS)
def test_outputs_of_every_kind_have_sizes(answer, sizes):
    table = summarize(Holder(Answering(answer)), torch.zeros(2, 4))
    assert table.rows["net"]["out_sizes"] == sizes
    assert sizes_of(answer(torch.zeros(2, 3))) == sizes


def test_inputs_of_every_kind_have_sizes():
    network = Answering(lambda y: y)
    x, mask = torch.zeros(2, 4), torch.ones(2, 7)
    assert summarize(Holder(network), (x,)).rows["net"]["in_sizes"] == [2, 4]
    assert summarize(Holder(network), {"x": x}).rows["net"]["in_sizes"] == [2, 4]
    assert summarize(Holder(network), {"x": x, "mask": mask, "n": 3}).rows["net"]["in_sizes"] == [[2, 4], [2, 7]]
    assert summarize(Holder(network), {"x": x, "mask": mask}).batch == 2


class Calls(nn.Module):
    def __init__(self):
        super().__init__()
        self.twice, self.unused = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.twice(self.twice(x)[:1])


def test_a_layer_that_is_called_twice_has_its_first_sizes_and_all_operations():
    table = summarize(Calls(), torch.zeros(3, 4))
    assert (table.rows["twice"]["in_sizes"], table.rows["twice"]["out_sizes"]) == ([3, 4], [3, 4])
    assert table.rows["twice"]["flops"] == table.whole["flops"] == 2 * 4 * 4 * (3 + 1)


def test_a_layer_of_two_parents_counts_for_each():
    layer = nn.Linear(4, 4)
    table = summarize(nn.Sequential(nn.Sequential(layer), nn.Sequential(nn.ReLU(), layer)), torch.zeros(2, 4))
    assert {name: row["flops"] for name, row in table.rows.items()} == {"0": 64, "0.0": 128, "1": 64, "1.0": 0}
    assert (table.whole["flops"], table.counts.total) == (128, 20)


def test_a_layer_that_is_not_used_was_not_measured():
    row = summarize(Calls(), torch.zeros(3, 4)).rows["unused"]
    assert (row["in_sizes"], row["out_sizes"], row["flops"], row["parameters"]) == (None, None, None, 20)


class Squeezing(nn.Module):
    def forward(self, x):
        return x.unsqueeze_(0)


def test_sizes_of_an_input_are_those_that_went_in():
    row = summarize(Holder(nn.Sequential(nn.ReLU(), Squeezing())), torch.zeros(2, 4)).rows["net.1"]
    assert (row["in_sizes"], row["out_sizes"]) == ([2, 4], [1, 2, 4])


def state_of(model):
    return [
        (name, module.training, dict(module._forward_hooks), dict(module._forward_pre_hooks), list(module._parameters))
        for name, module in model.named_modules()
    ]


def mixed():
    """A network partly in training mode, with a hook of its own."""
    model = digits()
    model[4].eval()
    model[0].register_forward_hook(lambda *_: None)
    return Holder(model)


@pytest.mark.parametrize("inputs", [IMAGES, torch.zeros(32, 3, 28, 28), torch.zeros(2, 1, 2, 2)], ids=["ok", "c", "s"])
def test_the_model_is_left_as_it_was(inputs):
    model = mixed()
    before = state_of(model)
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    if inputs is IMAGES:
        assert summarize(model, inputs).changes == []
    else:
        with pytest.raises(ModelCheckError, match=r"^forward raised RuntimeError: .*\n  inputs: input \["):
            summarize(model, inputs)
    assert state_of(model) == before
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())


def quietly(make):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls scripting and its own quantization deprecated
        return make()


def test_quantized_layers_are_refused():
    model = quietly(lambda: torch.ao.quantization.quantize_dynamic(digits(), {nn.Linear}, dtype=torch.qint8))
    with pytest.raises(ModelCheckError, match=r"^7, 9 is quantized and hides its weights"):
        summarize(model, IMAGES)


@pytest.mark.parametrize(
    "compiled",
    [
        lambda: torch.compile(Holder(digits()), backend="eager"),
        lambda: Holder(torch.compile(digits(), backend="eager")),
    ],
    ids=["whole", "part"],
)
def test_a_compiled_model_has_the_rows_of_the_model(compiled):
    assert summarize(unwrapped(compiled()).model, IMAGES).rows == summarize(Holder(digits()), IMAGES).rows


def test_scripted_layers_are_named_and_not_looked_into():
    scripted = quietly(lambda: torch.jit.script(nn.Sequential(nn.Linear(4, 3))))
    table = summarize(Holder(scripted), torch.zeros(2, 4))
    assert {name: row["type"] for name, row in table.rows.items()} == {"net": "Sequential", "net.0": "Linear"}
    assert (table.rows["net.0"]["out_sizes"], table.whole["flops"]) == (None, 48)


@pytest.mark.parametrize("named", ["a name", nn.Parameter(torch.zeros(3))], ids=["text", "parameter"])
def test_an_attribute_of_the_users_own_is_no_type(named):
    layer = Raw()
    layer.original_name = named
    assert summarize(Holder(layer), torch.zeros(2, 4)).rows["net"]["type"] == "Raw"


def test_max_depth_is_how_many_names_are_joined():
    model = Holder(nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.ReLU())))
    lightning = Lightning(model.net, torch.zeros(2, 4))
    everything = summarize(model, torch.zeros(2, 4)).rows
    for depth in (1, 2, 3, -1):
        rows = summarize(model, torch.zeros(2, 4), max_depth=depth).rows
        assert list(rows) == ModelSummary(lightning, max_depth=depth).layer_names
        assert rows == {name: everything[name] for name in rows}


def test_without_inputs_nothing_is_measured():
    table = summarize(Raw())
    assert table.rows["a"] == {"type": "Linear", "parameters": 15, "mode": "train"}
    assert (table.batch, table.whole, table.device) == (None, {}, "")


def test_a_symbolic_batch_stands_where_the_batch_was():
    rows = {batch: with_symbolic_batch(summarize(Holder(digits()), IMAGES[:batch]), "N").rows for batch in (2, 3, 17)}
    assert rows[2] == rows[3] == rows[17]
    assert rows[2]["net.7"]["in_sizes"] == ["N", 64]
    assert rows[2]["net.7"]["flops"] == 2 * 64 * 32
    nested = with_symbolic_batch(summarize(Holder(Answering(OUTPUTS["dataclass"][0])), torch.zeros(2, 4)), "B")
    assert nested.rows["net"]["out_sizes"] == {"score": [], "states": [["B", 3], [["B", 3]]]}
    assert nested.whole == {column: nested.rows["net"][column] for column in ("in_sizes", "out_sizes", "flops")}


def test_operations_that_do_not_grow_with_the_batch_are_an_error():
    message = "the 128 operations of twice do not divide by the batch of 3: leave the column flops out, or the symbolic"
    with pytest.raises(ModelCheckError, match=f"^{re.escape(message)} batch size$"):
        with_symbolic_batch(summarize(Calls(), torch.zeros(3, 4)), "N")


@pytest.mark.parametrize(
    "inputs", [None, torch.tensor(1.0), torch.zeros(0, 4), torch.zeros(1, 4)], ids=["nothing", "0d", "0", "1"]
)
def test_a_symbolic_batch_needs_a_batch_that_can_be_told(inputs):
    table = summarize(Holder(nn.ReLU()), inputs)
    message = f"a symbolic batch size needs inputs with a batch of at least 2, and this is {table.batch}"
    with pytest.raises(ModelCheckError, match=f"^{message}$"):
        with_symbolic_batch(table, "N")


def test_the_model_as_a_whole_is_measured():
    table = summarize(nn.Linear(4, 3), torch.zeros(2, 4))
    assert table.whole == {"in_sizes": [2, 4], "out_sizes": [2, 3], "flops": 48}
    assert {name: row["type"] for name, row in table.rows.items()} == {
        "weight": "Parameter[3, 4]",
        "bias": "Parameter[3]",
    }


def test_operations_that_are_not_asked_for_are_not_counted():
    table = summarize(Holder(digits()), IMAGES, flops=False)
    assert table.whole["flops"] is None
    assert {row["flops"] for row in table.rows.values()} == {None}
    assert table.rows["net"]["out_sizes"] == [32, 10]
