"""What can be promised: one function for each check, grouped in families, one file for each family.

To add a check, write its function in its family's file and name it in the family's tuple here. The table is of names
alone, so that reading it imports no check.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_modelcheck.mechanism import Check

FAMILIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "tokenizer": ("roundtrip",),
        "conformance": ("tokenizer_conforms",),
        "token_ids": ("token_ids",),
        "vocabulary": ("vocabulary", "vocabulary_fits"),
        "shape": ("shape",),
        "embeddings": ("embedding_table", "nearer"),
        "invariances": ("order_sensitive", "permutation_equivariant", "padding_invariant", "batch_invariant", "causal"),
        "attention": ("attention",),
        "parameters": ("parameters",),
        "summary": ("summary", "flops"),
        "accuracy": ("accuracy",),
        "metric": ("metric",),
        "recipe": ("recipe",),
    }
)


def load_check(name: str) -> Check[Any]:
    """The check of this name; a `KeyError` where there is none.

    >>> load_check("parameters").marker
    'modelcheck_parameters'
    """
    for family, names in FAMILIES.items():
        if name in names:
            module = importlib.import_module(f"pytest_modelcheck.checks.{family}")
            found: Check[Any] = getattr(module, name)
            return found
    raise KeyError(name)
