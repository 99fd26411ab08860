"""The conftest file of a fault's session: a tokenizer, and what the world was before the first gate."""

import gc
import hashlib
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
BEFORE = {}


class Letters:
    def encode(self, text):
        return [ord(letter) for letter in text]

    def decode(self, ids):
        return "".join(map(chr, ids))


@pytest.fixture
def tokenizer():
    return Letters()


def of_torch(torch):
    return {
        "default dtype": str(torch.get_default_dtype()),
        "default device": str(torch.tensor([]).device),
        "grad mode": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "anomaly mode": torch.is_anomaly_enabled(),
        "threads": torch.get_num_threads(),
        "torch's random numbers": digest(torch.get_rng_state().numpy().tobytes()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "matmul precision": torch.get_float32_matmul_precision(),
        "cudnn": (torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
    }


def world():
    torch = sys.modules.get("torch")
    numpy = sys.modules.get("numpy")
    seen = {
        "random numbers": digest(repr(random.getstate()).encode()),
        "alarm": str(signal.getsignal(signal.SIGALRM)) + str(signal.getitimer(signal.ITIMER_REAL)),
        "threads of Python": sorted(
            thread.name for thread in threading.enumerate() if not thread.name.startswith(("Dummy", "[execnet]"))
        ),
        "the working directory": str(Path.cwd()),
    }
    if hasattr(numpy, "random"):
        seen["numpy's random numbers"] = digest(repr(numpy.random.get_state()[1:]).encode())
    if hasattr(torch, "get_rng_state"):
        seen |= of_torch(torch)
        seen |= {f"model {number}": of_model(model) for number, model in enumerate(subjects())}
    return seen


def subjects():
    """The models that the module of the fault holds under a name in capitals."""
    fault = sys.modules.get("test_fault")
    found = [item for name, item in sorted(vars(fault).items()) if name.isupper()] if fault else []
    return [item for item in found if hasattr(item, "named_modules") and not isinstance(item, type)]


def of_model(model):
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {
        "modules": [name for name, _ in model.named_modules()],
        "train flags": [module.training for module in model.modules()],
        "hooks": [len(getattr(module, kind, ())) for module in model.modules() for kind in hooks],
        "requires_grad": {name: tensor.requires_grad for name, tensor in tensors.items()},
        "tensors": {name: of_tensor(tensor) for name, tensor in tensors.items()},
    }


def of_tensor(tensor):
    plain = not (tensor.is_meta or tensor.is_quantized or "Uninitialized" in type(tensor).__name__)
    kind = f"{tensor.dtype} {tensor.device}"
    return f"{kind} {digest(tensor.detach().double().numpy().tobytes())}" if plain else kind


def digest(content):
    return hashlib.sha256(content).hexdigest()[:12]


@pytest.hookimpl(trylast=True)
def pytest_collection_finish():
    BEFORE.update(world())


def pytest_runtest_logreport(report):
    if report.when == "call" and "PYTEST_XDIST_WORKER" not in os.environ:
        with (ROOT / "ended").open("a") as file:
            file.write(f"{report.nodeid} {report.outcome}\n")


def changed():
    """What differs between the world after collection and the one now, by name; nothing where nothing does."""
    gc.collect()
    # A thread that was told to end may take a moment to do so, such as that of a queue whose other side has died.
    end = time.monotonic() + 5
    while (now := world())["threads of Python"] != BEFORE["threads of Python"] and time.monotonic() < end:
        time.sleep(0.02)
    return [f"{name}: {BEFORE[name]} -> {now[name]}" for name in BEFORE if now[name] != BEFORE[name]]
