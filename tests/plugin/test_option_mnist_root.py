"""`--modelcheck-mnist-root`: where the fixture modelcheck_mnist looks."""

from __future__ import annotations

import pytest

GATE = """
def test_digits(modelcheck_mnist):
    raise AssertionError("not reached")
"""

# The folder is what the tests are about, so that what reads it need not be loaded.
STAND_IN = """
import pytest
from pytest_modelcheck.evaluation import mnist

@pytest.fixture(autouse=True)
def no_torchvision(monkeypatch):
    monkeypatch.setattr(mnist, "require", lambda *_: None)
"""


def _message(root):
    raw = root / "MNIST" / "raw"
    return (
        "setup: ModelCheckError: MNIST is not complete: neither train-images-idx3-ubyte nor "
        f"train-images-idx3-ubyte.gz is in {raw}. Download it with "
        f"torchvision.datasets.MNIST({str(root)!r}, download=True), or name the folder that holds MNIST/raw with "
        "--modelcheck-mnist-root"
    )


@pytest.fixture
def session(pytester):
    pytester.makeconftest(STAND_IN)
    pytester.makepyfile(test_it=GATE)
    return pytester


def _judged(result, rows, root):
    result.assert_outcomes(errors=1)
    assert [(row["outcome"], row["message"]) for row in rows] == [("error", _message(root))]


def test_data_under_the_rootdir_is_the_default(session, run_gates):
    _judged(*run_gates(), session.path / "data")


def test_the_option_names_a_folder(session, run_gates, processes):
    _judged(*run_gates("--modelcheck-mnist-root=else/where", processes), session.path / "else" / "where")


def test_the_ini_key_names_a_folder(session, run_gates):
    session.makeini("[pytest]\nmodelcheck_mnist_root = sets\n")
    _judged(*run_gates(), session.path / "sets")


def test_a_folder_is_relative_to_the_rootdir_wherever_pytest_was_started(session, run_gates, monkeypatch):
    session.makeini("[pytest]\nmodelcheck_mnist_root = sets\n")
    monkeypatch.chdir(session.mkdir("below"))
    _judged(*run_gates(".."), session.path / "sets")


def test_an_absolute_folder_is_taken_as_it_is(session, run_gates, tmp_path):
    _judged(*run_gates(f"--modelcheck-mnist-root={tmp_path}"), tmp_path)


def test_a_file_that_is_another_one_is_refused(session, run_gates):
    raw = session.mkdir("data") / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte").write_bytes(b"\0" * 16)
    result, rows = run_gates()
    result.assert_outcomes(errors=1)
    assert rows[0]["message"] == (
        f"setup: ModelCheckError: {raw / 'train-images-idx3-ubyte'} is not the canonical file: its md5 is "
        "4ae71336e44bf9bf79d2752e234818a5, expected 6bbc9ace898e44ae57da46a324031adb (16 bytes). "
        "Delete it and fetch or unpack it again"
    )
