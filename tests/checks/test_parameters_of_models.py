"""The promise of a model's size, on the models that people publish and in everything that people wrap them in."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from fractions import Fraction

import pytest
import torch
import torchvision.models as vision
import transformers
from torch import nn

from pytest_modelcheck import assert_parameters
from pytest_modelcheck.checks.parameters import parameters
from pytest_modelcheck.models.parameters import count_parameters

FACTORY = " (inside of a factory, built on the meta device)"


def llama(width, inner, depth, heads):
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=128_256,
            hidden_size=width,
            intermediate_size=inner,
            num_hidden_layers=depth,
            num_attention_heads=heads,
            num_key_value_heads=8,
        )
    )


def mixtral():
    return transformers.MixtralForCausalLM(
        transformers.MixtralConfig(
            vocab_size=32_000,
            hidden_size=4096,
            intermediate_size=14_336,
            num_hidden_layers=32,
            num_attention_heads=32,
            num_key_value_heads=8,
            num_local_experts=8,
        )
    )


PUBLISHED = {
    "llama 3 8b": (lambda: llama(4096, 14_336, 32, 32), 8_030_261_248, {"model.layers.*": 218_112_000}),
    "llama 3 70b": (lambda: llama(8192, 28_672, 80, 64), 70_553_706_496, {"model.layers.*": 855_654_400}),
    "llama 3 405b": (lambda: llama(16_384, 53_248, 126, 128), 405_853_388_800, {"lm_head": 2_101_346_304}),
    "mixtral 8x7b": (mixtral, 46_702_792_704, {"model.embed_tokens": 131_072_000}),
    "distilbert": (
        lambda: transformers.DistilBertModel(transformers.DistilBertConfig()),
        66_362_880,
        {"embeddings.word_embeddings": 23_440_896, "transformer.layer.*": 7_087_872},
    ),
    "bert base": (
        lambda: transformers.BertModel(transformers.BertConfig()),
        109_482_240,
        {"encoder.layer.*": 7_087_872, "pooler": 590_592},
    ),
    "gpt-2": (
        lambda: transformers.GPT2LMHeadModel(transformers.GPT2Config()),
        124_439_808,
        {"transformer.h.*": 7_087_872, "lm_head": 38_597_376},
    ),
    "vit large": (vision.vit_l_16, 304_326_632, {"encoder.layers.encoder_layer_*": 12_596_224}),
    "resnet 50": (vision.resnet50, 25_557_032, {"fc": 2_049_000, "layer1": 215_808}),
}


@pytest.mark.parametrize(("factory", "total", "layers"), PUBLISHED.values(), ids=PUBLISHED)
def test_published_counts_hold_without_a_weight_in_memory(factory, total, layers):
    result = assert_parameters(
        factory,
        total=total,
        trainable=total,
        non_trainable=0,
        max_total=total,
        max_size_mb=total * 4 / 1_000_000,
        layers=layers,
        dtype="float32",
    )
    assert result.measured.endswith(FACTORY)
    assert result.evidence["bytes"] == 4 * total
    assert parameters(factory, total=total + 1).outcome == "failed"
    assert parameters(factory, max_total=total - 1).outcome == "failed"


def test_both_names_of_a_tied_table_are_shown():
    names = ["transformer.wte.weight", "lm_head.weight"]
    result = assert_parameters(PUBLISHED["gpt-2"][0], tied=[names])
    assert result.measured == "transformer.wte.weight = lm_head.weight tied" + FACTORY
    assert result.evidence["tied"] == [names]


def net():
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))


class Holder(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.net = inner
        self.head = nn.Linear(2, 2)


def quietly(make):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls scripting, tracing and its own quantization deprecated
        return make()


WRAPPED = {
    "compiled": (lambda: torch.compile(net(), backend="eager"), "OptimizedModule"),
    "data parallel": (lambda: nn.DataParallel(net()), "DataParallel"),
    "compiled data parallel": (
        lambda: torch.compile(nn.DataParallel(net()), backend="eager"),
        "OptimizedModule, DataParallel",
    ),
    "scripted": (lambda: quietly(lambda: torch.jit.script(net())), ""),
    "traced": (lambda: quietly(lambda: torch.jit.trace(net(), torch.zeros(1, 4))), ""),
}


@pytest.mark.parametrize(("make", "wrappers"), WRAPPED.values(), ids=WRAPPED)
def test_a_wrapper_changes_no_number_and_no_name(make, wrappers):
    result = assert_parameters(make(), total=23, layers={"0": 15, "2": 8})
    found = result.measured.partition(" (inside of ")[2].rstrip(")")
    assert found.startswith(wrappers) if wrappers else found == ""
    assert result.subject == "Sequential"
    assert result.evidence["layers"] == {"0": 15, "1": 0, "2": 8}
    assert result.evidence["largest"] == [["0", 15], ["2", 8]]


def test_a_part_that_is_compiled_keeps_its_names():
    model = Holder(torch.compile(net(), backend="eager"))
    result = assert_parameters(model, total=29, layers={"net": 23, "net.0": 15, "head": 6})
    assert result.evidence["layers"] == {"net": 23, "net.0": 15, "net.1": 0, "net.2": 8, "head": 6}
    assert "_orig_mod" not in str(result.as_dict())
    failed = parameters(model, dtype="float16")
    assert failed.message.startswith("parameters of Holder: 6 of 6 parameters are not float16: net.0.weight (float32)")


@contextmanager
def one_process(tmp_path):
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def test_a_distributed_model_is_looked_into(tmp_path):
    with one_process(tmp_path):
        model = nn.parallel.DistributedDataParallel(net())
        result = assert_parameters(model, total=23, layers={"0": 15})
        assert result.measured == "total 23, layer 0 15 (inside of DistributedDataParallel)"


def sharded(world_size):
    wrapper = type("FullyShardedDataParallel", (nn.Module,), {})()
    wrapper.module, wrapper.world_size = net(), world_size
    return wrapper


def test_shards_are_refused_wherever_they_stand():
    why = "is sharded over 2 processes by FSDP, and each has a part: check the model before it is wrapped"
    whole, part = parameters(sharded(2), max_total=10**6), parameters(Holder(sharded(2)), max_total=10**6)
    assert whole.message == f"parameters of FullyShardedDataParallel: not measured: the model {why}"
    assert part.message == f"parameters of Holder: not measured: net {why}"
    assert parameters(sharded(1), total=23, layers={"0": 15}).ok


def test_original_parameters_are_counted_and_flat_ones_are_not_taken_for_layers(tmp_path):
    from torch.distributed.fsdp import FullyShardedDataParallel

    with one_process(tmp_path):
        cpu = torch.device("cpu")
        kept = quietly(lambda: FullyShardedDataParallel(net(), use_orig_params=True, device_id=cpu))
        assert_parameters(kept, total=23, layers={"0": 15, "2": 8})
        flat = quietly(lambda: FullyShardedDataParallel(net(), device_id=cpu))
        # Its weights are there, in a parameter that belongs to no layer: a layer of none would be wrong.
        assert parameters(flat, layers={"0": 0}).outcome != "passed"


def shard_of_two(rank, path, queue):
    from torch.distributed.fsdp import FullyShardedDataParallel

    store = torch.distributed.FileStore(path, 2)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
    model = FullyShardedDataParallel(net(), use_orig_params=True, device_id=torch.device("cpu"))
    queue.put(parameters(model, max_total=22).message)
    torch.distributed.destroy_process_group()


@pytest.mark.slow  # starts two processes that load torch
def test_a_shard_is_never_taken_for_the_model(tmp_path):
    context = torch.multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    arguments = (str(tmp_path / "store"), queue)
    torch.multiprocessing.spawn(shard_of_two, arguments, nprocs=2)
    message = "parameters of FullyShardedDataParallel: not measured: the model is sharded over 2 processes by FSDP"
    assert all(queue.get().startswith(message) for _ in range(2))


def test_a_frozen_backbone_with_adapters():
    """As PEFT leaves a model: everything frozen but two small matrices beside each layer."""
    model = nn.Sequential(*(nn.Linear(64, 64, bias=False) for _ in range(4))).requires_grad_(False)
    for layer in model:
        layer.lora_A = nn.Linear(64, 2, bias=False)
        layer.lora_B = nn.Linear(2, 64, bias=False)
    promises = {"total": 17_408, "trainable": 1024, "non_trainable": 16_384, "max_trainable": 1024}
    result = assert_parameters(model, **promises, frozen_fraction=0.94, layers={"*": 4352, "*.lora_A": 128})
    assert result.measured == (
        "total 17,408, trainable 1,024, non_trainable 16,384, 4 layers * 4,352, 4 layers *.lora_A 128, "
        "trainable 1,024, 94.1176% frozen"
    )
    thawed = parameters(model.requires_grad_(True), frozen_fraction=0.94)
    assert thawed.outcome == "failed"
    assert thawed.message.startswith(
        "parameters of Sequential: 0 of 17,408 parameters are frozen (0.0000%), promised at least 94.0000%."
    )


def test_the_frozen_share_is_compared_exactly():
    model = nn.ModuleList([nn.Linear(1, 1, bias=False) for _ in range(3)])
    model[0].requires_grad_(False)
    assert count_parameters(model).frozen_fraction == Fraction(1, 3)
    assert parameters(model, frozen_fraction=0.3333333333333333).ok
    assert parameters(model, frozen_fraction=0.3333333333333334).outcome == "failed"


def test_a_share_and_a_size_may_be_promised_as_fractions():
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False).requires_grad_(False))
    result = parameters(model, frozen_fraction=Fraction(1, 2), max_size_mb=Fraction(8, 1_000_000))
    assert result.message == ""
    assert result.ok


class Tied(nn.Module):
    def __init__(self, head):
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = head(self.embedding.weight)


TIED = {
    "one object": lambda weight: weight,
    "one memory": lambda weight: nn.Parameter(weight.data),
    "a view": lambda weight: nn.Parameter(weight.data.view(10, 4)),
}


@pytest.mark.parametrize("head", TIED.values(), ids=TIED)
@pytest.mark.parametrize("is_built", [False, True], ids=["in memory", "factory"])
def test_tied_embeddings_count_once(head, is_built):
    names = ["embedding.weight", "head.weight"]
    subject = (lambda: Tied(head)) if is_built else Tied(head)
    result = assert_parameters(subject, total=40, tied=[names], layers={"embedding": 40, "head": 40})
    assert result.evidence["tied"] == [names]


def test_a_copy_is_not_tied(expect):
    expect(
        parameters,
        Tied(lambda weight: nn.Parameter(weight.data.clone())),
        tied=[("embedding.weight", "head.weight")],
        outcome="failed",
        message="""
        parameters of Tied: embedding.weight and head.weight are 2 tensors, promised one.
          embedding: 40
          head: 40
        """,
    )


def test_transposed_views_are_one_tensor():
    first, second = nn.Linear(3, 5, bias=False), nn.Linear(5, 3, bias=False)
    second.weight = nn.Parameter(first.weight.data.t())
    assert_parameters(nn.Sequential(first, second), total=15, tied=[("0.weight", "1.weight")])


def test_two_halves_of_one_memory_are_two_tensors():
    whole = torch.zeros(6, 4)
    model = nn.ParameterDict({"a": nn.Parameter(whole[:3]), "b": nn.Parameter(whole[3:])})
    assert_parameters(model, total=24)


def test_modules_that_are_shared_count_once():
    inner = nn.Linear(4, 4)
    model = nn.Sequential(nn.Sequential(inner, nn.ReLU()), nn.Sequential(nn.Sequential(inner), inner))
    result = assert_parameters(model, total=20, layers={"0": 20, "1": 20}, max_size_mb=0.00008)
    assert result.evidence["tied"] == [
        ["0.0.weight", "1.0.0.weight", "1.1.weight"],
        ["0.0.bias", "1.0.0.bias", "1.1.bias"],
    ]


def test_buffers_are_never_counted():
    model = nn.Sequential(nn.BatchNorm2d(5), nn.Linear(5, 2))
    model.register_buffer("table", torch.zeros(1000, 1000), persistent=False)
    result = assert_parameters(model, total=22, max_size_mb=0.000088, dtype="float32")
    assert result.evidence["buffers"] == 1_000_011
    assert result.evidence["bytes"] == 88


def test_mixed_dtypes_weigh_what_each_takes():
    model = nn.Sequential(nn.Linear(10, 10).half(), nn.Linear(10, 10), nn.Linear(10, 10).double())
    result = assert_parameters(model, total=330, max_size_mb=0.00154)
    assert result.evidence["dtypes"] == {"float16": 110, "float32": 110, "float64": 110}
    assert result.evidence["bytes"] == 110 * (2 + 4 + 8)
    heavy = parameters(model, max_size_mb=0.001539)
    assert heavy.message.startswith(
        "parameters of Sequential: its parameters take 1,540 bytes (0.002 MB), promised at most 0.001539 MB."
    )
    mixed = parameters(model, dtype="float32")
    assert mixed.message.splitlines()[0] == (
        "parameters of Sequential: 4 of 6 parameters are not float32: 0.weight (float16), 0.bias (float16), "
        "2.weight (float64) and 1 more."
    )


def test_complex_parameters_are_one_element_each():
    model = nn.ParameterList([nn.Parameter(torch.zeros(3, 2, dtype=torch.complex64))])
    result = assert_parameters(model, total=6, dtype="complex64", max_size_mb=0.000048)
    assert result.evidence["bytes"] == 48


def four_bits():
    model = nn.Sequential(nn.Linear(4, 3))
    model[0].weight = type("Params4bit", (nn.Parameter,), {})(torch.zeros(6, 1), requires_grad=False)
    return model


def quantized():
    return quietly(lambda: torch.ao.quantization.quantize_dynamic(net(), {nn.Linear}, dtype=torch.qint8))


REFUSED = {
    "lazy": (
        lambda: nn.Sequential(nn.Linear(4, 3), nn.LazyLinear(2)),
        "Sequential",
        "1.weight, 1.bias have no size before the first forward pass: run the model once, then check it",
    ),
    "int8": (
        quantized,
        "Sequential",
        "0, 2 is quantized and hides its weights from parameters(): count the model before it is quantized",
    ),
    "int8 that is wrapped": (
        lambda: Holder(quantized()),
        "Holder",
        "net.0, net.2 is quantized and hides its weights from parameters(): count the model before it is quantized",
    ),
    "four bits": (
        four_bits,
        "Sequential",
        "0.weight holds two weights in each element: count the model before it is quantized",
    ),
}


@pytest.mark.parametrize(("make", "name", "why"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("promise", [{"total": 0}, {"max_total": 10**9}, {"max_size_mb": 10**9}], ids=str)
def test_what_cannot_be_counted_is_refused_by_name(make, name, why, promise):
    result = parameters(make(), **promise)
    assert result.outcome == "error"
    assert result.message == f"parameters of {name}: not measured: {why}"


def test_a_lightning_module_counts_as_it_stands(classifier):
    result = assert_parameters(classifier, total=53_994, layers={"net": 53_994, "net.2": 51_264}, max_size_mb=0.22)
    assert result.subject == "DigitClassifier"
    assert result.evidence["largest"] == [["net.2", 51_264], ["net.7", 2080], ["net.9", 330], ["net.0", 320]]
