"""Rows for reports: of every outcome, and of any text."""

from __future__ import annotations

from hypothesis import strategies as st

from pytest_modelcheck.plugin.rows import plain
from pytest_modelcheck.reports.run import OUTCOMES, Run

HOSTILE = (
    "<script>alert(1)</script>",
    "</td></table></details>--><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" \' x=\'',
    "&lt;script&gt; &amp; &#60;",
    "| a | **b** [c](http://d) `e` ![f](g) # h\n\n# heading\n- item\n> quote\n```\ncode",
    "a \\| b \\\\| c \\\\\\| d |",
    "` `` ``` " + "`" * 90,
    "`|`|``|",
    "@octocat see #123, GH-123, octo/cat#1, octo@example.com and deadbeefdeadbeef",
    "www.example.com https://example.com :smile: $x^2$ $`y`$ ~~no~~ [^1] [[x]]",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b31m",
    "over\rwritten\x08\x08\x0b\x0c",
    "user\u202enimda\u2066\u2069\u200f\u061c\u200b\u00ad\ufeff",
    "one\u2028two\u2029three\x85four",
    "\n::error::pwned\n  ::set-output name=x::y\n##[error]no",
    "\x00\x01\x0b\ufffe\uffff]]>",
    "{ } \\ \" ' % # , : = ; ]",
    "---\nkey: [1, *a, &b, !!python/object x]\n---\n",
    "x" * 100_000,
    "  \t \n ",
    "\\",
    "",
)

TEXTS = (
    st.sampled_from(HOSTILE)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    | st.text("|`*_[]()<>&\"'#\\-:!\n\r\t\x1b\x00\x9b\u202e\u2066\u2028@$~{}.,/=%;a1 ", max_size=40)
)


def row(outcome="passed", **given):
    """A row with every key that there is."""
    kept = outcome in ("passed", "skipped")
    return plain(
        {
            "gate": "tests/test_digits.py::test_it",
            "file": "tests/test_digits.py",
            "line": 12,
            "check": "accuracy",
            "part": "",
            "subject": "Net",
            "outcome": outcome,
            "promised": "at least 0.98 (98 of 100)",
            "measured": "0.9700 (97 of 100)",
            "margin": None,
            "message": "" if kept else "accuracy of Net: 97 of 100\n  recall of class 3: 8 of 10",
            "number": None,
            "history": [],
            "evidence": {},
            "device": "cpu",
            "seconds": 0.5,
            "changes": [],
            "waiver": None,
            "card": {},
            **given,
        }
    )


def number(value=0.97, **given):
    known = {"name": "accuracy", "value": value, "low": None, "high": None, "confidence": 0.95, "better": "higher"}
    return {**known, **given}


MODEL = {
    "model": "Net",
    "total": 23,
    "trainable": 15,
    "dtypes": {"float32": 23},
    "bytes": 92,
    "largest": [["0", 15], ["2", 8]],
}

WAIVER = {"reason": "class 3 is relabelled until May", "owner": "vision@example.org", "expires": "2026-12-31"}

EVERY = Run(
    (
        *(row(outcome, gate=f"tests/test_it.py::test_{outcome}") for outcome in OUTCOMES if outcome != "waived"),
        row("waived", gate="tests/test_it.py::test_waived", waiver=WAIVER, margin=-0.01),
        row(gate="tests/test_it.py::test_size", check="parameters", evidence=MODEL, number=number(23, better="")),
        row(
            gate="tests/test_it.py::test_number[cpu]",
            margin=0.0088,
            number=number(0.9888, low=0.986909, high=0.990475),
            history=[0.97, 0.98],
            card={"dataset_id": "ylecun/mnist", "task_id": "default"},
            changes=["the grad mode was changed from True to False"],
        ),
        row(gate="tests/test_it.py::test_parts", check="tokenizer_conforms", part="padding", evidence={"a": [None, 1]}),
        row(gate="tests/test_it.py::test_asserts", check="test", part="", device="", subject="", file="", line=0),
    ),
    7,
    "cpu,cuda:0",
    complete=True,
    started="2026-05-04T03:02:01+00:00",
    seconds=12.5,
    environment={"python": "3.12.1", "torch": "2.6.0"},
    baselines=(
        {
            "file": "tests/__modelcheck__/test_it.json",
            "key": "test_it token_ids",
            "change": "changed",
            "lines": ["-1", "+2"],
        },
        {"file": "tests/__modelcheck__/test_it.json", "key": "test_new token_ids", "change": "added", "lines": []},
    ),
    problems=("the waiver of tests/test_it.py::test_old is expired since 2026-01-31",),
)


@st.composite
def runs(draw):
    """A run in which every text is foreign."""
    text = draw(TEXTS)
    texts = st.just(text) | TEXTS
    pairs = st.dictionaries(texts, texts, max_size=2)
    numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers()
    told = st.builds(
        lambda name, value, better: number(value, name=name, better=better),
        texts,
        numbers,
        st.sampled_from(["higher", "lower", ""]),
    )
    sized = st.builds(lambda name: {**MODEL, "model": name, "dtypes": {name: 1}, "largest": [[name, 15]]}, texts)
    rows = st.builds(
        row,
        st.sampled_from(OUTCOMES),
        **dict.fromkeys(("gate", "file", "check", "part", "subject", "promised", "measured", "device"), texts),
        message=texts,
        line=st.integers(0, 9),
        margin=st.none() | st.floats(-9, 9),
        number=st.none() | told,
        evidence=pairs | sized,
        card=pairs,
        waiver=st.none() | st.fixed_dictionaries({"reason": texts, "owner": texts, "expires": texts}),
    )
    changes = st.sampled_from(["added", "changed", "removed"])
    change = st.fixed_dictionaries(
        {"file": texts, "key": texts, "change": changes, "lines": st.lists(texts, max_size=2)}
    )
    return Run(
        draw(st.lists(rows, max_size=4)),
        draw(st.integers(0, 9)),
        draw(texts),
        complete=draw(st.booleans()),
        started=draw(texts),
        environment=draw(pairs),
        baselines=draw(st.lists(change, max_size=2)),
        problems=draw(st.lists(texts, max_size=2)),
    )
