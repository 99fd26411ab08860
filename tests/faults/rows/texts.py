"""Foreign text in names, ids, tokens and exceptions: inert in the terminal and in every report."""

from __future__ import annotations

from collections.abc import Mapping

from tests.faults.fault import Fault, Group
from tests.faults.reports import ALL_REPORTS, inert

# The text stands in the id of a test, in the name of a class, in a promise, in an exception, in a token, and in what a
# test itself raises.
GATES = """
import pytest

TEXT = {text!r}
NAME = {name!r}

class Broken:
    def encode(self, text):
        raise ValueError(TEXT)

    def decode(self, ids):
        return TEXT

class Letters(Broken):
    def encode(self, text):
        return [1, 2, 3]

@pytest.fixture
def broken():
    return type(NAME, (Broken,), {{}})()

@pytest.fixture
def other():
    return type(NAME, (Letters,), {{}})()

@pytest.mark.parametrize("number", [0], ids=[TEXT[:500]])
@pytest.mark.modelcheck_token_ids(tokenizer="broken", text="abc", ids=[1])
def test_fault(number): ...

@pytest.mark.modelcheck_token_ids(tokenizer="other", text=TEXT, ids=[1])
def test_promise(): ...

@pytest.mark.modelcheck_roundtrip(tokenizer="other", texts=["abc"])
def test_token(): ...

@pytest.mark.modelcheck
def test_body():
    raise AssertionError(TEXT)
"""

# It is under GitHub Actions that a line of a log may be a command.
ACTIONS = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": "summary.md"}


def everywhere(text: str, shown: str, name: str | None = None, shown_name: str | None = None) -> Fault:
    """A text in all these places, and how it is shown; `name` where no class can have it for a name."""
    name, shown_name = (text, shown) if name is None else (name, shown_name or name)
    return Fault(
        GATES.format(text=text, name=name),
        f"token_ids of {shown_name}: not measured: ValueError: {shown}",
        options=ALL_REPORTS,
        environment=ACTIONS,
        check=inert,
    )


def told(text: str) -> Fault:
    """A text that is shown as it is."""
    return everywhere(text, text)


# The file's name, in a folder of its own, and what its gates say.
IN_FILES = """
import pytest

@pytest.mark.modelcheck_token_ids(text="abc", ids=[1])
def test_name(tokenizer): ...
"""

RAW_ID = """
HOSTILE = {text!r}

def pytest_make_parametrize_id(config, val):
    return HOSTILE if val == "raw" else None
"""

RAW = """
import pytest

@pytest.mark.parametrize("name", ["raw"])
@pytest.mark.modelcheck_token_ids(text="abc", ids=[1])
def test_fault(tokenizer, name): ...
"""

PARTING = (
    "token_ids of Letters: 'abc' becomes 3 ids, and id 0 is 97 ('a') where 1 ('\\x01') was promised.\n"
    "  promised: [1]\n  measured: [97, 98, 99]\nIf the new ids are meant, promise ids=[97, 98, 99]."
)

CHECK = '''
from pytest_modelcheck import Result, check

class Loud(str):
    def __eq__(self, other):
        return True
    __hash__ = str.__hash__

class Mute:
    def __str__(self):
        raise RuntimeError("no text")
    __repr__ = __str__

def nested(depth):
    found = []
    for _ in range(depth):
        found = [found]
    return found

@check
def told(tokenizer, /, *, how: str) -> Result:
    """What a check of another package may tell."""
    {body}

def pytest_modelcheck_checks(config):
    return [told]
'''

TOLD = """
import pytest

@pytest.mark.modelcheck_told(how="badly")
def test_fault(tokenizer): ...
"""


def of_a_check(body: str, message: str, outcome: str = "error") -> Fault:
    """A check of another package with such a body."""
    return Fault(
        TOLD,
        message,
        outcome,
        files={"others.py": CHECK.format(body=body)},
        options=("-p", "others", *ALL_REPORTS),
        environment=ACTIONS,
        check=inert,
    )


def _files(names: Mapping[str, str]) -> Fault:
    return Fault(
        RAW.replace('@pytest.mark.parametrize("name", ["raw"])\n', "").replace(", name", ""),
        PARTING,
        "failed",
        files={**dict.fromkeys(names, IN_FILES)},
        options=ALL_REPORTS,
        environment=ACTIONS,
        check=lambda session: inert(session, is_all_ours=False),
    )


GROUP = Group(
    "Foreign text in test ids, class names, promises, tokens and exceptions",
    {
        "HTML": told("</td></table></pre><x-evil onevil=1><img src=x onerror=evil()>"),
        "a script": told("</script><script>evil()</script>"),
        "attributes of HTML": told("\" onevil=\"1\" ' onevil='1' x="),
        "entities and a comment of HTML": told("&lt;x-evil&gt; &#60;x-evil&#62; --><x-evil> <!-- evil"),
        "a table of Markdown": told("a | b |\n|---|---|\n| evil | evil |"),
        "links and images of Markdown": told("[evil](http://evil.example) ![evil](http://evil.example/x.png) `evil`"),
        "blocks of Markdown": told("\n# evil\n\n- evil\n\n> evil\n\n```\nevil\n~~~\n$$evil$$"),
        "commands of a terminal": everywhere(
            "\x1b[2J\x1b]0;evil\x07\x1b]8;;http://evil.example\x1b\\evil\x1b]8;;\x1b\\\x9b31m",
            "\\x1b[2J\\x1b]0;evil\\x07\\x1b]8;;http://evil.example\\x1b\\evil\\x1b]8;;\\x1b\\\\x9b31m",
        ),
        "moves of the cursor": everywhere("kept\revil\x08\x08\x0b\x0c", "kept\\revil\\x08\\x08\\x0b\\x0c"),
        "text from right to left": everywhere(
            "evil\u202eelif\u2066\u2069\u200f\u061c", "evil\\u202eelif\\u2066\\u2069\\u200f\\u061c"
        ),
        "letters without a width": everywhere("e\u200bv\u00adi\ufeffl\u2060", "e\\u200bv\\xadi\\ufeffl\\u2060"),
        "other ends of lines": everywhere(
            "one\u2028::error::evil\u2029\x85::error::evil", "one\\u2028::error::evil\\u2029\\x85::error::evil"
        ),
        "commands of a workflow": told(
            "\n::error::evil\n  ::set-output name=evil::evil\n##[error]evil%0A::error::evil"
        ),
        "what XML cannot have": everywhere(
            "\x00\x01\ufffe\uffff]]><x-evil/>", "\\x00\\x01\\ufffe\\uffff]]><x-evil/>", name="Named"
        ),
        "halves of characters": everywhere("\ud800evil\udfff", "\\ud800evil\\udfff", name="Named"),
        "a megabyte": everywhere("x" * 1_000_000, "…", name="Named"),
        "names of files": _files(
            {
                "test_<x-evil onevil=1>|`.py": "",
                "test_\n::error::evil\n.py": "",
                "test_\u202e\u200b.py": "",
            }
        ),
        "ids of tests that pytest does not escape": Fault(
            RAW,
            PARTING,
            "failed",
            files={"ids.py": RAW_ID.format(text="<x-evil>|`\x1b[2J\u202e\n::error::evil")},
            options=("-p", "ids", *ALL_REPORTS),
            environment=ACTIONS,
            check=lambda session: inert(session, is_all_ours=False),
        ),
        "a result whose outcome is every outcome": of_a_check(
            'return Result(Loud("evil"), "a", "b")',
            "told of Letters: not measured: ValueError: an outcome is one of passed, failed, error, not 'evil'",
        ),
        "a result that is not a result": of_a_check(
            'return type("Result", (), {"ok": True, "outcome": "passed", "__class__": Result})()',
            "told of Letters: not measured: the check returned <…Result object at …>, not a Result",
        ),
        "evidence in deep nesting": of_a_check(
            'return Result("failed", "a", "b", "it is broken", evidence={"a": nested(10_000)})',
            "told of Letters: it is broken",
            "failed",
        ),
        "evidence of anything": of_a_check(
            'return Result("failed", "a", "b", "it is broken", evidence={"<x-evil>\\x1b[2J": Mute(), 1: 10**5000, '
            '(): float("nan")})',
            "told of Letters: it is broken",
            "failed",
        ),
        "an exception that cannot be shown": of_a_check(
            'raise type("Evil", (Exception,), {"__str__": lambda self: 1 / 0})()',
            "told of Letters: not measured: Evil: <…>",
        ),
    },
    hostile=True,
)
