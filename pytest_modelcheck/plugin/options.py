"""The command-line options, each with an ini key of the same name.

This module is loaded at every start of pytest and imports little; what the options say is read elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

# What the ini keys say where they are not there, by the names that they share with the options.
_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "modelcheck": False,
        "modelcheck_device": "auto",
        "modelcheck_seed": "0",
        "modelcheck_update": "",
        "modelcheck_report": (),
        "modelcheck_full": False,
        "modelcheck_timeout": "",
        "modelcheck_strict_leaks": False,
        "modelcheck_tolerances": "",
        "modelcheck_mnist_root": "data",
    }
)


def add_options(parser: pytest.Parser) -> None:
    """Declare the options and their ini keys."""
    group = parser.getgroup("modelcheck", "model gates (pytest-modelcheck)")
    _add(parser, group, "modelcheck", "run the gates; without it they are skipped", ini="bool")
    _add(
        parser,
        group,
        "modelcheck-device",
        "where gates run: auto (default), cpu, cuda, cuda:N or mps; a comma list runs every gate once for each",
        metavar="DEVICE",
    )
    _add(parser, group, "modelcheck-seed", "the seed that every gate starts from (default: 0)", metavar="N")
    _add(
        parser,
        group,
        "modelcheck-update",
        "record baselines that are missing (default), or all of them, in __modelcheck__ beside the test files; refused "
        "where CI=true",
        nargs="?",
        const="missing",
        metavar="missing|all",
    )
    _add(
        parser,
        group,
        "modelcheck-report",
        "write a report there (repeatable); the ending picks the format: .json, .md, .html, .txt (OpenMetrics), "
        "metrics.json (flat, for DVC), .yaml (eval_results of the Hugging Face Hub), model-index.yaml",
        ini="linelist",
        action="append",
        metavar="PATH",
    )
    _add(
        parser,
        group,
        "modelcheck-full",
        "read all the data of a gate, also where its verdict is certain before",
        ini="bool",
    )
    _add(
        parser,
        group,
        "modelcheck-timeout",
        "end a gate that runs longer than this, tell where it was, and go on (default: no limit); a gate that hangs in "
        "C ends with its process, and under pytest-xdist another one goes on",
        metavar="SECONDS",
    )
    _add(
        parser,
        group,
        "modelcheck-strict-leaks",
        "fail a gate that leaves its surroundings changed: weights, hooks, default dtype, grad mode, threads (default: "
        "restore and tell)",
        ini="bool",
    )
    _add(
        parser,
        group,
        "modelcheck-tolerances",
        "how far two runs of one model may be apart, as a share of its largest output, by dtype and kind of device: "
        "float32=1e-4, bfloat16@cuda=0.1 (default: a table of the package)",
        metavar="TABLE",
    )
    _add(
        parser,
        group,
        "modelcheck-mnist-root",
        "the folder that holds MNIST/raw, for the fixture modelcheck_mnist, relative to the rootdir (default: data)",
        metavar="DIR",
    )

    # Both hold for one run: what is to hold for longer has an owner and a day, and stands in pyproject.toml.
    group.addoption(
        "--modelcheck-accept",
        action="append",
        default=[],
        metavar="GATE:REASON",
        help="let a broken promise of this gate through, in this run; [tool.modelcheck.waivers] in pyproject.toml does "
        "so until a day (repeatable)",
    )
    group.addoption(
        "--modelcheck-prune",
        action="store_true",
        help="remove the baselines that no test uses any more, at the end of a run of all tests; refused where CI=true",
    )


def _add(parser: pytest.Parser, group: Any, name: str, text: str, *, ini: Any = "string", **option: Any) -> None:
    # The option's own default is None: it then leaves the word to the ini key.
    key = name.replace("-", "_")
    if ini == "bool":
        option["action"] = "store_true"
    parser.addini(key, text, type=ini, default=_default(key))
    group.addoption(f"--{name}", dest=key, default=None, help=text, **option)


def _default(key: str) -> Any:
    # Pytest adds to the list that it is given.
    return list(_DEFAULTS[key]) if isinstance(_DEFAULTS[key], tuple) else _DEFAULTS[key]


def value(config: pytest.Config, key: str) -> Any:
    """What an option says, or else its ini key; a `ConfigError` for an ini key that cannot be read."""
    given = config.getoption(key)
    if given is not None:
        return given
    try:
        return config.getini(key)
    except (TypeError, ValueError, pytest.UsageError) as error:
        from pytest_modelcheck.errors import ConfigError

        raise ConfigError(f"the ini key {key}: {error}") from None


def are_given(config: pytest.Config) -> bool:
    """Whether an option or an ini key says anything but its default; what cannot be read does."""
    if config.getoption("modelcheck_accept") or config.getoption("modelcheck_prune"):
        return True
    try:
        return any(value(config, key) != _default(key) for key in _DEFAULTS)
    except ValueError:
        return True


def writes_reports(config: pytest.Config) -> bool:
    """Whether this run is to do more than to collect its tests, or to show what it would set up."""
    return not config.getoption("collectonly", False) and not config.getoption("setuponly", False)


def in_ci() -> bool:
    """Whether this is a run of continuous integration, by the variable that all of them set."""
    return os.environ.get("CI", "").lower() in ("true", "1")


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")
