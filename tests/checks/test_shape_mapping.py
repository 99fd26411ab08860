"""The promise of several shapes under names: of inputs, layers and outputs, whose axes go by the same names."""

from __future__ import annotations

from collections import namedtuple

import pytest
import torch
import torchvision
import transformers
from models_of_the_field import CACHE
from torch import nn
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn
from transformers import DistilBertConfig, DistilBertModel, T5Config, T5Model

from pytest_modelcheck import ModelCheckError, assert_shape
from pytest_modelcheck.checks.shape import shape
from tests.installed import before

# What a model keeps was a tuple of tuples before it was an object with names.
TUPLES = before("transformers", "4.57")

SOURCE = ("batch source", "int64")
TOKENS = ("batch tokens", "int64")


def bert():
    return DistilBertModel(DistilBertConfig(vocab_size=50, dim=16, hidden_dim=32, n_heads=2, n_layers=2))


def t5():
    return T5Model(T5Config(vocab_size=50, d_model=16, d_kv=4, d_ff=32, num_layers=2, num_heads=4))


def detector():
    return fasterrcnn_mobilenet_v3_large_320_fpn(weights=None, weights_backbone=None)


def vit():
    return torchvision.models.vit_b_16(weights=None, image_size=32)


def lightning():
    from modelrepo.vision.classifier import DigitClassifier

    model = DigitClassifier()
    model.example_input_array = torch.zeros(4, 1, 28, 28)
    return model


class Tagger(nn.Module):
    """It gives a dictionary, uses one layer twice and another never, and has a layer and an output of one name."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(3, 4)
        self.body = nn.Linear(4, 4)
        self.idle = nn.Linear(4, 4)
        self.scores = nn.Linear(4, 2)
        self.parts = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 3)])

    def forward(self, words, *rest):
        hidden, _ = self.gru(words)
        tags = self.scores(self.body(self.body(hidden)))
        return {"tags": self.parts[1](self.parts[0](tags)), "scores": tags, "words": words}


WORDS = torch.zeros(7, 2, 3)

# The model, its inputs, what it promises, what was bound, and a promise of the same names that it breaks.
SUBJECTS = {
    "distilbert": (
        bert,
        {"input_ids": TOKENS, "attention_mask": TOKENS, "output_hidden_states": True},
        {
            "input_ids": "batch tokens",
            "embeddings.word_embeddings": "batch tokens dim",
            "transformer.layer.*.ffn": "batch tokens dim",
            "hidden_states.*": "batch tokens dim",
            "last_hidden_state": "batch tokens 16",
        },
        "batch=2, tokens=7, dim=16",
        {
            "input_ids": "batch tokens",
            "transformer.layer.*.ffn": "batch tokens+1 16",
            "hidden_states.1": "batch 2*tokens 16",
        },
        "shape of DistilBertModel: layer transformer.layer.0.ffn is [2, 7, 16], promised [batch, tokens+1, 16]: axis 1 "
        "(tokens+1) is 7, promised 8.\n"
        "layer transformer.layer.1.ffn is [2, 7, 16], promised [batch, tokens+1, 16]: axis 1 (tokens+1) is 7, promised "
        "8.\n"
        "output hidden_states.1 is [2, 7, 16], promised [batch, 2*tokens, 16]: axis 1 (2*tokens) is 7, promised 14 "
        "(made by layer transformer.layer.0.output_layer_norm).",
    ),
    "resnet18": (
        lambda: torchvision.models.resnet18(weights=None),
        [2, 3, 64, 64],
        {
            "x": "batch 3 side side",
            "layer*": ["batch 64 side//4 _", "batch 128 side//8 _", "batch 256 side//16 _", "batch 512 side//32 _"],
            "avgpool": "batch 512 1 1",
            "output": "batch 1000",
        },
        "batch=2, side=64",
        {"x": "batch 3 side side", "layer4": "batch 512 side//16 side//16", "output": "batch 10"},
        "shape of ResNet: layer layer4 is [2, 512, 2, 2], promised [batch, 512, side//16, side//16]: axis 2 (side//16) "
        "is 2, promised 4; axis 3 (side//16) is 2, promised 4.\n"
        "output is [2, 1000], promised [batch, 10]: axis 1 is 1000, promised 10 (made by layer fc).",
    ),
    "vit": (
        vit,
        [2, 3, 32, 32],
        {"conv_proj": "batch 768 rows columns", "encoder.layers.*": "batch rows*columns+1 768", "heads": "batch 1000"},
        "batch=2, rows=2, columns=2",
        {"conv_proj": "batch 768 rows columns", "encoder.ln": "batch rows*columns 768"},
        "shape of VisionTransformer: layer encoder.ln is [2, 5, 768], promised [batch, rows*columns, 768]: axis 1 "
        "(rows*columns) is 5, promised 4.",
    ),
    "encoder and decoder": (
        t5,
        {"input_ids": SOURCE, "decoder_input_ids": TOKENS},
        {
            "input_ids": "batch source",
            "decoder_input_ids": "batch tokens",
            "encoder.block.*:0": "batch source 16",
            "decoder.block.*:0": "batch tokens 16",
            "last_hidden_state": "batch tokens 16",
            "encoder_last_hidden_state": "batch source 16",
            f"{CACHE}.{'*.0' if TUPLES else 'self_attention_cache.*.keys'}": "batch 4 tokens 4",
            f"{CACHE}.{'*.3' if TUPLES else 'cross_attention_cache.*.values'}": "batch 4 source 4",
        },
        "batch=2, source=5, tokens=7",
        {"input_ids": "batch source", "last_hidden_state": "batch source 16"},
        "shape of T5Model: output last_hidden_state is [2, 7, 16], promised [batch, source, 16]: axis 1 (source) is 7, "
        "promised 5 (made by layer decoder.dropout).",
    ),
    "detector": (
        detector,
        [torch.zeros(3, 64, 64), torch.zeros(3, 80, 64)],
        {
            "images.*": "3 _ width",
            "*.boxes": "_ 4",
            "0.scores": "found",
            "0.labels": "found",
            "backbone:*": "2 256 _ _",
        },
        "width=64, found=0",
        {"images.*": "3 64 64", "*.boxes": "_ 5"},
        "shape of FasterRCNN: input images.1 is [3, 80, 64], promised [3, 64, 64]: axis 1 is 80, promised 64.\n"
        "output 0.boxes is [0, 4], promised [_, 5]: axis 1 is 4, promised 5.\n"
        "output 1.boxes is [0, 4], promised [_, 5]: axis 1 is 4, promised 5.",
    ),
    "gru": (
        lambda: nn.GRU(3, 4, num_layers=2),
        WORDS,
        {"input": "words batch 3", "0": "words batch 4", "1": "2 batch 4"},
        "words=7, batch=2",
        {"input": "words batch 3", "0": "batch words 4", "1": "1 batch 4"},
        "shape of GRU: output 0 is [7, 2, 4], promised [batch, words, 4]: axis 0 (batch) is 7, promised 2; axis 1 "
        "(words) is 2, promised 7.\n"
        "output 1 is [2, 2, 4], promised [1, batch, 4]: axis 0 is 2, promised 1.",
    ),
    "dictionary": (
        Tagger,
        (WORDS,),
        {
            "input:words": "words batch 3",
            "gru:0": "words batch 4",
            "gru:1": "1 batch 4",
            "body": "words batch 4",
            "parts.*": ["words batch 2", "words batch 3"],
            "layer:scores": "words batch 2",
            "tags": "words batch 3",
        },
        "words=7, batch=2",
        {
            "input:words": "words batch 3",
            "gru:1": "words batch 4",
            "output:scores": "words batch",
            "output:words": "7 2 4",
        },
        "shape of Tagger: layer gru:1 is [1, 2, 4], promised [words, batch, 4]: axis 0 (words) is 1, promised 7.\n"
        "output scores is [7, 2, 2], promised [words, batch]: it has 3 axes, promised 2 (made by layer scores).\n"
        "output words is [7, 2, 3], promised [7, 2, 4]: axis 2 is 3, promised 4.",
    ),
    "lightning": (
        lightning,
        None,
        {"images": "batch 1 28 28", "output": "batch 10"},
        "batch=4",
        {"images": "batch 1 28 28", "output": "batch+1 10"},
        "shape of DigitClassifier: output is [4, 10], promised [batch+1, 10]: axis 0 (batch+1) is 4, promised 5 (made "
        "by layer net.9).",
    ),
    "compiled": (
        lambda: torch.compile(Tagger(), backend="eager"),
        WORDS,
        {"gru:0": "words batch 4", "tags": "words batch 3"},
        "words=7, batch=2 (inside of OptimizedModule)",
        {"gru:0": "words batch 3"},
        "shape of Tagger: layer gru:0 is [7, 2, 4], promised [words, batch, 3]: axis 2 is 4, promised 3.",
    ),
    "compiled inside": (
        lambda: nn.Sequential(torch.compile(nn.Linear(4, 3), backend="eager"), nn.ReLU()),
        [2, 4],
        {"input": "batch _", "0": "batch 3", "output": "batch 3"},
        "batch=2",
        {"input": "batch _", "0": "batch 4"},
        "shape of Sequential: layer 0 is [2, 3], promised [batch, 4]: axis 1 is 3, promised 4.",
    ),
}


@pytest.mark.parametrize(("make", "inputs", "kept", "bound"), [row[:4] for row in SUBJECTS.values()], ids=SUBJECTS)
def test_tensors_of_the_promised_shapes_pass(make, inputs, kept, bound):
    result = shape(make(), inputs, expected=kept)
    assert result.message == ""
    assert result.ok
    assert result.changes == ()
    assert result.measured.partition(", with ")[2] == bound


@pytest.mark.parametrize(
    ("make", "inputs", "broken", "message"), [(*row[:2], *row[4:]) for row in SUBJECTS.values()], ids=SUBJECTS
)
def test_tensors_of_other_shapes_are_all_named(expect, make, inputs, broken, message):
    expect(shape, make(), inputs, outcome="failed", message=message, expected=broken)


UNMEASURED = {
    "nothing of that name": (
        {"tagz": "..."},
        "there is no input, output or layer 'tagz'; there is tags",
    ),
    "no such glob": (
        {"part.*": "..."},
        "there is no input, output or layer 'part.*'; there is parts.1, parts.0, parts",
    ),
    "no such output": ({"output:logits": "..."}, "there is no output 'logits'; there is tags, scores, words"),
    "no such input": ({"input:ids": "..."}, "there is no input 'ids'; there is words"),
    "no such layer": ({"layer:bodi": "..."}, "there is no layer 'bodi'; there is body"),
    "a glob crosses no dot": (
        {"layer:*.*.*": "..."},
        "there is no layer '*.*.*'; there is gru, body, idle, scores, parts",
    ),
    "a layer and an output": (
        {"scores": "..."},
        "'scores' names a layer and an output: write 'layer:scores' or 'output:scores'",
    ),
    "an input and an output": (
        {"words": "..."},
        "'words' names an input and an output: write 'input:words' or 'output:words'",
    ),
    "a layer that does not run": ({"idle": "..."}, "layer idle did not run in this forward pass"),
    "one of several does not run": (
        {"layer:*:0": "..."},
        "layer idle did not run in this forward pass, and 'layer:*:0' names it",
    ),
    "a list of layers": ({"parts": "..."}, "layer parts did not run in this forward pass"),
    "several tensors": (
        {"gru": "..."},
        "layer gru holds 2 tensors (0 [7, 2, 4], 1 [1, 2, 4]): name the one that is meant, 'gru:0'",
    ),
    "no such part": ({"gru:state": "..."}, "of layer gru, there is no tensor 'state'; there is 0, 1"),
    "fewer shapes": (
        {"gru:*": ["7 2 4"]},
        "'gru:*' names 2 tensors, and 1 shape in a list: one for each is expected",
    ),
    "more shapes": (
        {"body": ["7 2 4", "7 2 4"]},
        "'body' names 1 tensor, and 2 shapes in a list: one for each is expected",
    ),
}


@pytest.mark.parametrize(("expected", "message"), UNMEASURED.values(), ids=UNMEASURED)
def test_a_name_that_means_nothing_is_an_error(expect, expected, message):
    told = f"shape of Tagger: not measured: {message}"
    expect(shape, Tagger(), WORDS, outcome="error", message=told, expected={"tags": "7 2 3", **expected})


def test_what_holds_of_outputs_and_layers_does_not_of_inputs(expect):
    promises = {"expected": {"input_ids": "batch tokens", "last_hidden_state": "..."}, "dtype": "float32"}
    result = assert_shape(bert(), {"input_ids": TOKENS}, finite=True, range=(-100, 100), device="cpu", **promises)
    assert result.promised == (
        "input_ids [batch, tokens], last_hidden_state [...], float32, finite, from -100 to 100, on cpu"
    )
    message = (
        "shape of DistilBertModel: not measured: finite is promised of what the model gives, and only inputs are named"
    )
    expected = {"input_ids": "batch tokens"}
    expect(shape, bert(), {"input_ids": TOKENS}, outcome="error", message=message, expected=expected, finite=True)


def test_a_layer_is_looked_at_before_the_next_one_writes_into_it(expect):
    model = nn.Sequential(nn.Identity(), nn.ReLU(inplace=True))
    message = "shape of Sequential: layer 0 is from -1.0 to 1.0, promised from 0 to 1."
    inputs, expected = torch.tensor([[-1.0, 1.0]]), {"0": "1 2", "1": "1 2", "output": "1 2"}
    expect(shape, model, inputs, outcome="failed", message=message, expected=expected, range=(0, 1))


def test_a_promise_of_jaxtyping_is_one_of_the_dtype_too(expect):
    jaxtyping = pytest.importorskip("jaxtyping")
    ids, floats = jaxtyping.Int[torch.Tensor, "batch tokens"], jaxtyping.Float[torch.Tensor, "batch tokens 16"]
    assert_shape(bert(), {"input_ids": TOKENS}, expected={"input_ids": ids, "last_hidden_state": floats})
    doubles = jaxtyping.Float64[torch.Tensor, "batch tokens 16"]
    message = """
        shape of DistilBertModel: input input_ids is int64, promised Float.
        output last_hidden_state is float32, promised float64 (made by layer transformer.layer.1.output_layer_norm).
        """
    expected = {"input_ids": jaxtyping.Float[torch.Tensor, "batch tokens"], "last_hidden_state": doubles}
    expect(shape, bert(), {"input_ids": TOKENS}, outcome="failed", message=message, expected=expected)


def test_a_text_is_read_by_its_tokenizer(uncased):
    model = DistilBertModel(DistilBertConfig(dim=16, hidden_dim=32, n_heads=2, n_layers=1))
    expected = {"input_ids": "batch tokens", "attention_mask": "batch tokens", "last_hidden_state": "batch tokens 16"}
    result = assert_shape(model, (uncased, "This is a input."), expected=expected)
    assert result.evidence["sizes"] == {"batch": 1, "tokens": 7}
    several = assert_shape(model, (uncased, ["This is a input.", "a"]), expected=expected)
    assert several.evidence["sizes"] == {"batch": 2, "tokens": 7}


def test_a_name_of_an_input_gets_the_size_that_is_promised_of_it():
    result = assert_shape(bert(), {"input_ids": TOKENS}, expected={"input_ids": "3 tokens", "output:*": "3 tokens 16"})
    assert result.evidence["sizes"] == {"batch": 3, "tokens": 7}


def test_an_input_has_its_position_where_the_forward_names_none():
    assert_shape(Tagger(), (WORDS, torch.zeros(5)), expected={"input:words": "7 2 3", "1": "5"})


def test_a_named_tuple_and_a_cache_have_paths():
    Pair = namedtuple("Pair", "first second")

    class Halving(nn.Module):
        def forward(self, inputs):
            return Pair(*inputs.chunk(2))

    assert_shape(Halving(), [4, 3], expected={"inputs": "n 3", "first": "n//2 3", "second": "n//2 3"})
    config = transformers.GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2, n_positions=16)
    expected = {"input_ids": "batch tokens", f"{CACHE}.*.{1 if TUPLES else 'values'}": "batch 2 tokens 8"}
    model = transformers.GPT2Model(config)
    assert_shape(model, {"input_ids": TOKENS, "use_cache": True}, expected=expected)
    with pytest.raises(ModelCheckError, match="^shape of GPT2Model: not measured: there is no input, output or layer "):
        assert_shape(model, {"input_ids": TOKENS, "use_cache": False}, expected=expected)


def test_a_model_gives_its_hidden_states_after_a_check_as_before():
    model, ids = bert(), torch.zeros(1, 3, dtype=torch.int64)
    assert_shape(model, {"input_ids": ids, "output_hidden_states": True}, expected={"hidden_states.*": "1 3 16"})
    assert not any(module._forward_hooks for module in model.modules())
    assert len(model(ids, output_hidden_states=True).hidden_states) == 3


def test_only_what_is_named_is_watched(monkeypatch):
    model, watched = bert(), []
    register = nn.Module.register_forward_hook
    monkeypatch.setattr(
        nn.Module,
        "register_forward_hook",
        lambda self, *args, **kwargs: (watched.append(self), register(self, *args, **kwargs))[1],
    )
    assert_shape(model, {"input_ids": TOKENS}, expected="... 16")
    assert watched == []
    assert_shape(model, {"input_ids": TOKENS}, expected={"transformer.layer.*": "... 16"})
    assert watched == list(model.transformer.layer)


def test_the_measurement_has_each_shape_once_under_its_name():
    result = shape(Tagger(), WORDS, expected={"gru:*": "_ batch 4", "body": "... 4", "tags": "... tags"})
    assert result.promised == "gru:* [_, batch, 4], body [..., 4], tags [..., tags]"
    assert result.measured == "gru:* [7, 2, 4] and [1, 2, 4] (2), body [7, 2, 4], tags [7, 2, 3], with batch=2, tags=3"
    assert result.evidence == {
        "layer": "",
        "places": ["layer gru:0", "layer gru:1", "layer body", "layer body", "output tags"],
        "shapes": [[7, 2, 4], [1, 2, 4], [7, 2, 4], [7, 2, 4], [7, 2, 3]],
        "sizes": {"batch": 2, "tags": 3},
    }


def test_many_that_are_wrong_are_counted():
    model = nn.Sequential(*(nn.Linear(4, 4) for _ in range(12)))
    lines = shape(model, [2, 4], expected={"layer:*": "batch 5"}).message.splitlines()
    assert lines[9:] == ["layer 9 is [2, 4], promised [batch, 5]: axis 1 is 4, promised 5.", "... and 2 more."]
