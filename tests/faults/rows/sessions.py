"""Sessions that end otherwise than they should, and gates that say nothing."""

from __future__ import annotations

from tests.faults.fault import Fault, Group, Session

GATE = """
import os
import signal
import unittest
import pytest
from pytest_modelcheck import assert_token_ids
from pytest_modelcheck.checks.token_ids import token_ids

@pytest.fixture
def broken():
    raise FileNotFoundError("vocabulary.json")

@pytest.fixture
def empty():
    return None

{mark}
def test_fault({fixtures}):
    {body}
"""

UNITTEST = """
import unittest
import pytest

class TestIt(unittest.TestCase):
    @pytest.mark.modelcheck_token_ids(text="abc", ids=[97, 98, 99])
    def test_fault(self): ...
"""

NOT_ALL = "incomplete: the run was cut short, and some gates may be missing"
NO_GATE = "no gate ran ({}), and --modelcheck passes nothing that was not measured."
MODELCHECK = "@pytest.mark.modelcheck"
KEPT = '@pytest.mark.modelcheck_token_ids(text="abc", ids=[97, 98, 99])'
BROKEN = '@pytest.mark.modelcheck_token_ids(text="abc", ids=[97, 98])'
HEEDING = "signal.signal(signal.SIGINT, signal.default_int_handler)"
CRASHED = "not measured: worker 'gw0' crashed while running 'test_fault.py::test_fault'"
ALONE = {"options": ("test_fault.py",), "goes_on": False}


def gate(mark: str = MODELCHECK, body: str = "...", fixtures: str = "tokenizer") -> str:
    """A gate of a tokenizer."""
    return GATE.format(mark=mark, body=body, fixtures=fixtures)


def is_incomplete(session: Session) -> None:
    """The report says that it is not whole."""
    assert session.report["complete"] is False


def shows_stop(session: Session) -> None:
    """The report has the broken gate, and says that it is not whole."""
    is_incomplete(session)
    assert [row["outcome"] for row in session.rows("test_next.py")] == []


GROUP = Group(
    "The session",
    {
        "all gates are skipped": Fault(
            gate("@pytest.mark.skip(reason='later')\n" + KEPT), NO_GATE.format("all 1 were skipped"), "", **ALONE
        ),
        "a gate leaves the measuring to others": Fault(
            gate(body="pytest.importorskip('no_such_package')"), NO_GATE.format("all 1 were skipped"), "", **ALONE
        ),
        "all gates are deselected": Fault(
            gate(KEPT),
            NO_GATE.format("none was collected and selected"),
            "",
            options=("-k", "nothing"),
            goes_on=False,
        ),
        "no gate is among the tests": Fault(
            "def test_fault(): ...\n", NO_GATE.format("none was collected and selected"), "", **ALONE
        ),
        "a test file cannot be imported": Fault(
            "import no_such_package\n",
            "ModuleNotFoundError: No module named 'no_such_package'",
            "",
            exit=2,
            goes_on=False,
            check=is_incomplete,
        ),
        "the gate swallows that it was not measured": Fault(
            gate(body="try: assert_token_ids(None, text='abc', ids=[1])\n    except RuntimeError: pass"),
            NO_GATE.format("all 1 were skipped"),
            "",
            **ALONE,
        ),
        "the gate returns a broken promise": Fault(
            gate(body="return token_ids(tokenizer, text='abc', ids=[1])"),
            "call: ModelCheckError: not measured: the test returns the result of token_ids, at which nobody looks. "
            "Call assert_token_ids, which raises where the promise is broken",
        ),
        "the gate is strictly expected to fail, and is kept": Fault(
            gate("@pytest.mark.xfail(strict=True, reason='since March')\n" + KEPT),
            "[XPASS(strict)] since March",
            "failed",
        ),
        "the fixture of a subject is not there": Fault(
            gate(KEPT.replace("ids=[97", "tokenizer='no_such', ids=[97"), fixtures=""),
            "setup: FixtureLookupError: there is no fixture 'no_such': write it, or name another one",
        ),
        "the fixture of a subject raises": Fault(
            gate(KEPT.replace("ids=[97", "tokenizer='broken', ids=[97"), fixtures=""),
            "setup: FileNotFoundError: vocabulary.json",
        ),
        "the fixture of a subject gives nothing": Fault(
            gate(KEPT.replace("ids=[97", "tokenizer='empty', ids=[97"), fixtures=""),
            "token_ids of NoneType: not measured: NoneType is no tokenizer: it has no encode method. Give a "
            "transformers tokenizer, a tokenizers.Tokenizer, a SentencePiece processor, a tiktoken encoding, or an "
            "object with one",
        ),
        "a marker stands on a method of unittest": Fault(
            UNITTEST,
            "setup: ModelCheckError: not measured: markers promise for functions and for methods of plain classes, and "
            "this is a TestCaseFunction. Use the assert forms in it",
        ),
        "the gate raises what cannot be written": Fault(
            gate(body="raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})()"),
            "call: Mute: <its text cannot be read: ZeroDivisionError>",
        ),
        "the run stops at its first failure": Fault(
            gate(BROKEN),
            "token_ids of Letters: 'abc' becomes 3 ids, and id 2 is 99 ('c') where the promise ends.\n"
            "  promised: [97, 98]\n  measured: [97, 98, 99]\n"
            "If the new ids are meant, promise ids=[97, 98, 99].",
            "failed",
            options=("-x",),
            goes_on=False,
            check=shows_stop,
        ),
        "Ctrl-C in a gate": Fault(
            gate(body=f"{HEEDING}; os.kill(os.getpid(), signal.SIGINT); signal.pause()"),
            NOT_ALL,
            "",
            exit=2,
            goes_on=False,
            check=is_incomplete,
        ),
        "the gate ends the run, as if all were well": Fault(
            gate(body="pytest.exit('enough', returncode=0)"),
            "the run was cut short, and what did not run is not measured.",
            "",
            goes_on=False,
            check=is_incomplete,
        ),
        "a process of pytest-xdist is killed": Fault(
            gate(body="os.kill(os.getpid(), signal.SIGKILL)"), CRASHED, options=("-n1",)
        ),
        "the gate ends its process, as if all were well, under pytest-xdist": Fault(
            gate(body="os._exit(0)"), CRASHED, options=("-n1",)
        ),
        "a folder stands where a report is to be written": Fault(
            gate(KEPT),
            "the report {root}/taken.md could not be written: ",
            "",
            options=("--modelcheck-report=taken.md",),
            prepare=lambda root: (root / "taken.md").mkdir(),
        ),
        "a file stands where the folder of a report is to be": Fault(
            gate(KEPT),
            "the report {root}/pytest.ini/report.md could not be written: ",
            "",
            options=("--modelcheck-report=pytest.ini/report.md",),
        ),
    },
)
