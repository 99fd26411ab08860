"""What can go wrong: a promise that is broken, a promise that could not be judged, a promise that makes no sense."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType, ModuleType

# Which extra of this package brings an optional module.
_EXTRAS: Mapping[str, str] = MappingProxyType(
    {
        "torch": "torch",
        "numpy": "torch",
        "tokenizers": "hf",
        "transformers": "hf",
        "huggingface_hub": "hf",
        "hypothesis": "hypothesis",
        "jinja2": "html",
        "pytorch_lightning": "lightning",
        "torchmetrics": "lightning",
        "torchvision": "vision",
    }
)


class ConfigError(ValueError):
    """What was asked makes no sense: a wrong keyword, a shape that cannot be parsed, a NaN threshold."""

    __module__ = "pytest_modelcheck"


class ModelCheckFailure(AssertionError):
    """A promise was measured and is broken."""

    __module__ = "pytest_modelcheck"


class ModelCheckError(RuntimeError):
    """A promise could not be measured. Never a pass."""

    __module__ = "pytest_modelcheck"


class MissingDependency(ModelCheckError):
    """A package that a check needs is not installed; the message names the extra that brings it."""

    __module__ = "pytest_modelcheck"


# What foreign code raises where it does not do what it was asked. Ctrl-C, and what pytest raises, is for others.
RAISED = (Exception, SystemExit)

# How much is shown of what another package says of its error. More helps nobody, and reports have a size.
_LONGEST = 2_000


def told(error: BaseException) -> str:
    """An exception of foreign code in words: its type, and its text as far as there is one that can be shown.

    >>> told(KeyError("weights")), told(MemoryError())
    ("KeyError: 'weights'", 'MemoryError')
    >>> told(ValueError("x" * 5_000))[-25:]
    'xx... (5,000 characters)'
    """
    text, kind = text_of(error), type(error).__name__
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}... ({len(text):,} characters)"
    return f"{kind}: {text}" if text else kind


def text_of(error: BaseException) -> str:
    """The text of an exception; one that raises when it is asked for it has none, and that is said."""
    try:
        return str(error)
    except RAISED as problem:
        return f"<its text cannot be read: {type(problem).__name__}>"


def is_panic(error: BaseException) -> bool:
    """Whether a library written in Rust has panicked, which Python is told by an exception of no usual kind."""
    return type(error).__module__ == "pyo3_runtime"


def require(module: str, purpose: str) -> ModuleType:
    """Import an optional module, or say which extra to install.

    >>> require("json", "reading the configuration").__name__
    'json'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        remedy = remedy_of(module) or f"pip install {package}"
        raise MissingDependency(f"{purpose} needs {package}, which cannot be imported ({error}). {remedy}") from error


def remedy_of(module: str) -> str:
    """What installs an optional module of this package; nothing for any other module.

    >>> remedy_of("torchvision.datasets")
    'pip install "pytest-modelcheck[vision]"'
    >>> remedy_of("my_models")
    ''
    """
    extra = _EXTRAS.get(module.partition(".")[0])
    return f'pip install "pytest-modelcheck[{extra}]"' if extra else ""
