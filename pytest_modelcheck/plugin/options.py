"""The command-line options, each with an ini key of the same name, and the settings that follow from both."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pytest_modelcheck.devices import missing_device, parse_devices
from pytest_modelcheck.errors import ConfigError, MissingDependency

if TYPE_CHECKING:
    from pytest_modelcheck.baselines.store import Update

REPORT_ENDINGS = (".json", ".md", ".html", ".txt", ".yaml")

# What a report needs that this package does not: the module, and the extra that brings it.
_NEEDED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {".html": ("jinja2", "html"), ".yaml": ("huggingface_hub", "hf")}
)

_LARGEST_SEED = 2**32 - 1

# The system's timer takes no more than a 32-bit number of seconds.
_LONGEST_TIMEOUT = 2.0**31 - 1


class Settings(NamedTuple):
    """What the options and the ini file say. No dataclass: making one costs every start of pytest a millisecond."""

    enabled: bool
    devices: tuple[str, ...]
    seed: int
    full: bool
    update: Update
    timeout: float | None
    reports: tuple[Path, ...]
    mnist_root: Path
    tolerances: Mapping[str, float]
    prune: bool
    strict_leaks: bool


def add_options(parser: pytest.Parser) -> None:
    """Declare the options and their ini keys."""
    group = parser.getgroup("modelcheck", "model gates (pytest-modelcheck)")
    _add(parser, group, "modelcheck", "run the gates; without it they are skipped", ini="bool", default=False)
    _add(
        parser,
        group,
        "modelcheck-device",
        "where gates run: auto (default), cpu, cuda, cuda:N or mps; a comma list runs every gate once for each",
        default="auto",
        metavar="DEVICE",
    )
    _add(
        parser, group, "modelcheck-seed", "the seed that every gate starts from (default: 0)", default="0", metavar="N"
    )
    _add(
        parser,
        group,
        "modelcheck-update",
        "record baselines that are missing (default), or all of them, in __modelcheck__ beside the test files; refused "
        "where CI=true",
        default="",
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
        default=[],
        action="append",
        metavar="PATH",
    )
    _add(
        parser,
        group,
        "modelcheck-full",
        "read all the data of a gate, also where its verdict is certain before",
        ini="bool",
        default=False,
    )
    _add(
        parser,
        group,
        "modelcheck-timeout",
        "end a gate that runs longer than this, tell where it was, and go on (default: no limit); a gate that hangs in "
        "C ends with its process, and under pytest-xdist another one goes on",
        default="",
        metavar="SECONDS",
    )
    _add(
        parser,
        group,
        "modelcheck-strict-leaks",
        "fail a gate that leaves its surroundings changed: weights, hooks, default dtype, grad mode, threads (default: "
        "restore and tell)",
        ini="bool",
        default=False,
    )
    _add(
        parser,
        group,
        "modelcheck-tolerances",
        "how far two runs of one model may be apart, as a share of its largest output, by dtype and kind of device: "
        "float32=1e-4, bfloat16@cuda=0.1 (default: a table of the package)",
        default="",
        metavar="TABLE",
    )
    _add(
        parser,
        group,
        "modelcheck-mnist-root",
        "the folder that holds MNIST/raw, for the fixture modelcheck_mnist, relative to the rootdir (default: data)",
        default="data",
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


def _add(
    parser: pytest.Parser, group: Any, name: str, text: str, *, ini: Any = "string", default: Any, **option: Any
) -> None:
    # The option's own default is None: it then leaves the word to the ini key.
    key = name.replace("-", "_")
    if ini == "bool":
        option["action"] = "store_true"
    parser.addini(key, text, type=ini, default=default)
    group.addoption(f"--{name}", dest=key, default=None, help=text, **option)


def read_settings(config: pytest.Config) -> Settings:
    """The settings of this run; a usage error for an option that makes no sense, or a device that is not there."""
    try:
        enabled, reports = bool(_value(config, "modelcheck")), _reports(config)
        if enabled and writes_reports(config) and not is_worker(config):
            _empty(reports)
        settings = Settings(
            enabled=enabled,
            devices=parse_devices(str(_value(config, "modelcheck_device"))),
            seed=_seed(str(_value(config, "modelcheck_seed"))),
            full=bool(_value(config, "modelcheck_full")),
            update=_update(config),
            timeout=_timeout(str(_value(config, "modelcheck_timeout"))),
            reports=reports,
            mnist_root=config.rootpath / str(_value(config, "modelcheck_mnist_root")),
            tolerances=_tolerances(str(_value(config, "modelcheck_tolerances"))),
            prune=_prune(config),
            strict_leaks=bool(_value(config, "modelcheck_strict_leaks")),
        )
        if settings.enabled and not is_worker(config):
            _require_devices(settings.devices)
    except (ConfigError, MissingDependency) as error:
        from pytest_modelcheck.escape import printable_lines

        raise pytest.UsageError(f"modelcheck: {printable_lines(str(error))}") from None
    return settings


def writes_reports(config: pytest.Config) -> bool:
    """Whether this run is to do more than to collect its tests, or to show what it would set up."""
    return not config.getoption("collectonly", False) and not config.getoption("setuponly", False)


def in_ci() -> bool:
    """Whether this is a run of continuous integration, by the variable that all of them set."""
    return os.environ.get("CI", "").lower() in ("true", "1")


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")


def threads_of(config: pytest.Config) -> int | None:
    """One torch thread where processes share the processors, unless the user has said how many."""
    return 1 if (is_worker(config) or in_ci()) and "OMP_NUM_THREADS" not in os.environ else None


def _value(config: pytest.Config, key: str) -> Any:
    given = config.getoption(key)
    if given is not None:
        return given
    try:
        return config.getini(key)
    except (TypeError, ValueError, pytest.UsageError) as error:
        raise ConfigError(f"the ini key {key}: {error}") from None


def _update(config: pytest.Config) -> Update:
    text = str(_value(config, "modelcheck_update"))
    if text not in ("", "missing", "all"):
        raise ConfigError(f"--modelcheck-update={text}: missing or all is expected, after an equals sign")
    if text and not _value(config, "modelcheck") and config.getoption("modelcheck_update"):
        raise ConfigError("--modelcheck-update records what gates measure: give --modelcheck as well")
    if text and in_ci():
        if config.getoption("modelcheck_update"):
            raise ConfigError(f"--modelcheck-update={text} is refused where CI=true: record where it is reviewed")
        return ""  # what the ini file says is for the places where it is reviewed
    return text  # type: ignore[return-value]


def _prune(config: pytest.Config) -> bool:
    asked = bool(config.getoption("modelcheck_prune"))
    if not _value(config, "modelcheck"):
        if asked:
            raise ConfigError("--modelcheck-prune removes what no gate uses: give --modelcheck as well")
        if config.getoption("modelcheck_accept"):
            raise ConfigError("--modelcheck-accept lets gates through: give --modelcheck as well")
    if asked and in_ci():
        raise ConfigError("--modelcheck-prune is refused where CI=true: remove baselines where it is reviewed")
    return asked


def _require_devices(devices: tuple[str, ...]) -> None:
    for device in devices:
        problem = missing_device(device)
        if problem:
            raise ConfigError(f"--modelcheck-device={device}: {problem}. Use cpu or auto, or a machine that has one")


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _LARGEST_SEED):
        raise ConfigError(f"--modelcheck-seed={text}: an integer from 0 to {_LARGEST_SEED} is expected")
    return int(text)


def _timeout(text: str) -> float | None:
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise ConfigError(f"--modelcheck-timeout={text}: a number of seconds above 0 is expected")
    return min(seconds, _LONGEST_TIMEOUT)


def _tolerances(text: str) -> Mapping[str, float]:
    if not text:
        return {}
    from pytest_modelcheck.models.tolerances import parse_tolerances

    try:
        return parse_tolerances(text)
    except ConfigError as error:
        raise ConfigError(f"--modelcheck-tolerances: {error}") from None


def _reports(config: pytest.Config) -> tuple[Path, ...]:
    return tuple(_report(config, str(path)) for path in _value(config, "modelcheck_report"))


def _empty(reports: Iterable[Path]) -> None:
    """Empty the reports of an earlier run: whatever becomes of this one, none of them is taken for its own."""
    for path in reports:
        with suppress(OSError):  # whoever writes the report says what is wrong
            if path.is_file():
                os.truncate(path, 0)


def _report(config: pytest.Config, text: str) -> Path:
    ending = Path(text).suffix
    if ending not in REPORT_ENDINGS:
        raise ConfigError(f"--modelcheck-report={text}: a path ending in {', '.join(REPORT_ENDINGS)} is expected")
    module, extra = _NEEDED.get(ending, ("", ""))
    if module and _value(config, "modelcheck") and importlib.util.find_spec(module) is None:
        raise ConfigError(
            f"--modelcheck-report={text} needs {module}, which is not installed: "
            f'pip install "pytest-modelcheck[{extra}]"'
        )
    return config.invocation_params.dir / text
