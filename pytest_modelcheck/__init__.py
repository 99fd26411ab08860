"""The release gate of a model repository: what a team promises of its models, measured and judged.

The public names are loaded when they are first used: importing this package imports neither pytest nor torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_modelcheck.asserts import (
        assert_accuracy,
        assert_attention,
        assert_batch_invariant,
        assert_causal,
        assert_embedding_table,
        assert_flops,
        assert_metric,
        assert_nearer,
        assert_order_sensitive,
        assert_padding_invariant,
        assert_parameters,
        assert_permutation_equivariant,
        assert_recipe,
        assert_roundtrip,
        assert_shape,
        assert_summary,
        assert_token_ids,
        assert_tokenizer_conforms,
        assert_vocabulary,
        assert_vocabulary_fits,
    )
    from pytest_modelcheck.errors import ConfigError, MissingDependency, ModelCheckError, ModelCheckFailure
    from pytest_modelcheck.mechanism import Check, check
    from pytest_modelcheck.reports.reading import read_report
    from pytest_modelcheck.reports.run import Run
    from pytest_modelcheck.result import Number, Part, Result

__version__ = "0.1.0"

__all__ = [
    "Check",
    "ConfigError",
    "MissingDependency",
    "ModelCheckError",
    "ModelCheckFailure",
    "Number",
    "Part",
    "Result",
    "Run",
    "assert_accuracy",
    "assert_attention",
    "assert_batch_invariant",
    "assert_causal",
    "assert_embedding_table",
    "assert_flops",
    "assert_metric",
    "assert_nearer",
    "assert_order_sensitive",
    "assert_padding_invariant",
    "assert_parameters",
    "assert_permutation_equivariant",
    "assert_recipe",
    "assert_roundtrip",
    "assert_shape",
    "assert_summary",
    "assert_token_ids",
    "assert_tokenizer_conforms",
    "assert_vocabulary",
    "assert_vocabulary_fits",
    "check",
    "read_report",
]

_HOMES: Mapping[str, str] = MappingProxyType(
    {
        "Check": "mechanism",
        "ConfigError": "errors",
        "MissingDependency": "errors",
        "ModelCheckError": "errors",
        "ModelCheckFailure": "errors",
        "Number": "result",
        "Part": "result",
        "Result": "result",
        "Run": "reports.run",
        "check": "mechanism",
        "read_report": "reports.reading",
    }
)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'pytest_modelcheck' has no attribute {name!r}")
    return getattr(importlib.import_module(f"pytest_modelcheck.{_HOMES.get(name, 'asserts')}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
