"""What the options and the ini file say of a run."""

from __future__ import annotations

import importlib.util
import math
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pytest_modelcheck.devices import missing_device, parse_devices
from pytest_modelcheck.errors import ConfigError, MissingDependency
from pytest_modelcheck.escape import printable_lines
from pytest_modelcheck.plugin.options import in_ci, is_worker, value, writes_reports

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
    """What the options and the ini file say."""

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


def read_settings(config: pytest.Config) -> Settings:
    """The settings of this run; a usage error for an option that makes no sense, or a device that is not there."""
    try:
        enabled, reports = bool(value(config, "modelcheck")), _reports(config)
        if enabled and writes_reports(config) and not is_worker(config):
            _empty(reports)
        settings = Settings(
            enabled=enabled,
            devices=parse_devices(str(value(config, "modelcheck_device"))),
            seed=_seed(str(value(config, "modelcheck_seed"))),
            full=bool(value(config, "modelcheck_full")),
            update=_update(config),
            timeout=_timeout(str(value(config, "modelcheck_timeout"))),
            reports=reports,
            mnist_root=config.rootpath / str(value(config, "modelcheck_mnist_root")),
            tolerances=_tolerances(str(value(config, "modelcheck_tolerances"))),
            prune=_prune(config),
            strict_leaks=bool(value(config, "modelcheck_strict_leaks")),
        )
        if settings.enabled and not is_worker(config):
            _require_devices(settings.devices)
    except (ConfigError, MissingDependency) as error:
        raise pytest.UsageError(f"modelcheck: {printable_lines(str(error))}") from None
    return settings


def threads_of(config: pytest.Config) -> int | None:
    """One torch thread where processes share the processors, unless the user has said how many."""
    return 1 if (is_worker(config) or in_ci()) and "OMP_NUM_THREADS" not in os.environ else None


def _update(config: pytest.Config) -> Update:
    text = str(value(config, "modelcheck_update"))
    if text not in ("", "missing", "all"):
        raise ConfigError(f"--modelcheck-update={text}: missing or all is expected, after an equals sign")
    if text and not value(config, "modelcheck") and config.getoption("modelcheck_update"):
        raise ConfigError("--modelcheck-update records what gates measure: give --modelcheck as well")
    if text and in_ci():
        if config.getoption("modelcheck_update"):
            raise ConfigError(f"--modelcheck-update={text} is refused where CI=true: record where it is reviewed")
        return ""  # what the ini file says is for the places where it is reviewed
    return text  # type: ignore[return-value]


def _prune(config: pytest.Config) -> bool:
    asked = bool(config.getoption("modelcheck_prune"))
    if not value(config, "modelcheck"):
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
    if not re.fullmatch("[0-9]{1,10}", text) or int(text) > _LARGEST_SEED:
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
    return tuple(_report(config, str(path)) for path in value(config, "modelcheck_report"))


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
    if module and value(config, "modelcheck") and importlib.util.find_spec(module) is None:
        raise ConfigError(
            f"--modelcheck-report={text} needs {module}, which is not installed: "
            f'pip install "pytest-modelcheck[{extra}]"'
        )
    return config.invocation_params.dir / text
