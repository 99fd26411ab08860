"""Runs to make pages of: one with a figure of each kind, one with foreign texts everywhere, one with many gates."""

from __future__ import annotations

import base64
import struct
import zlib

from pytest_modelcheck.plugin.rows import plain
from pytest_modelcheck.reports.run import Run

HOSTILE = [
    "<script>window.hit = 1</script>",
    "<img src=x onerror=window.hit=1>",
    '"><svg onload=window.hit=1>',
    "</script><script>window.hit=1</script>",
    "</style></title></pre></table><iframe src=javascript:parent.hit=1>",
    "' onmouseover='window.hit=1",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:window.hit=1",
    "user\u202enimda\u2066\u200b\ufeff",
    "\x1b[31mred\x00\x07\x9b",
    "one\u2028two\x85three\n\tfour",
    "--><!--",
    "]]><![CDATA[",
]


def _png(size):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = b"".join(b"\0" + bytes((x * y) % 256 for x in range(size)) for y in range(size))
    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


PICTURE = f"data:image/png;base64,{base64.b64encode(_png(28)).decode()}"


def row(gate="tests/test_it.py::test_it", **values):
    """A row that keeps its promise, but for what is given."""
    return plain(
        {
            "gate": gate,
            "file": gate.partition("::")[0],
            "line": 12,
            "check": "small",
            "part": "",
            "subject": "Net",
            "outcome": "passed",
            "promised": "at most 5",
            "measured": "4",
            "margin": None,
            "message": "",
            "number": None,
            "history": [],
            "evidence": {},
            "device": "cpu",
            "seconds": 0.25,
            "changes": [],
            "waiver": None,
            "card": {},
            **values,
        }
    )


def accuracy(gate, name="class", **values):
    """A row with a figure of each kind, but for the treemap."""
    names = {str(index): f"{index} {name}" for index in range(10)}
    evidence = {
        "average": "micro",
        "correct": 9888,
        "seen": 10_000,
        "size": 10_000,
        "recalls": {str(index): [990 - index, 1000] for index in range(10)},
        "bounds": {str(index): [0.97, 0.999] for index in range(10)},
        "class_names": names,
        "confused": [[3, 5, 5], [5, 3, 4], [6, 0, 1]],
        "wrong": [{"id": f"{name} {index}", "target": index, "predicted": 0, "picture": PICTURE} for index in range(3)],
    }
    number = {"name": name, "value": 0.9888, "low": 0.9869, "high": 0.9905, "confidence": 0.95, "better": "higher"}
    told = {"check": "accuracy", "evidence": evidence, "number": number, "history": [0.981, 0.985, 0.983]}
    return row(gate, **{**told, **values})


def parameters(gate, name="net", **values):
    """A row of a model with a few layers."""
    evidence = {
        "model": name,
        "total": 1000,
        "trainable": 800,
        "dtypes": {name: 1000},
        "bytes": 4000,
        "largest": [[f"{name}.0", 600], [f"{name}.1", 200], [f"{name}.2", 100]],
        name: {name: [name]},
    }
    return row(gate, **{"check": "parameters", "evidence": evidence, **values})


def whole_run(text=""):
    """A run with everything that a page can show, and the text wherever one can stand."""
    words = text or "words"
    waiver = {"reason": text or "the head was widened", "owner": text or "vision team", "expires": text or "2026-12-31"}
    rows = [
        accuracy("tests/test_it.py::test_high", words, outcome="failed", margin=-0.0062, message=f"too few\n{text}"),
        accuracy("tests/test_it.py::test_enough", words, margin=0.01),
        parameters("tests/test_it.py::test_size", words),
        parameters("tests/test_it.py::test_waived", words, outcome="waived", message="994 more", waiver=waiver),
        row("tests/test_it.py::test_crash", outcome="error", message=f"ValueError: {text}", check="test"),
        row(f"tests/test_it.py::test_id[{text}]", seconds=2.5, margin=0.07, device="cuda:0", evidence={words: [words]}),
        row("tests/test_it.py::test_skipped", outcome="skipped", measured=f"skipped: {text}", message=words),
        row("tests/test_it.py::test_part", check=words, part=words, promised=text, measured=text, subject=words),
        row("tests/test_it.py::test_xfailed", outcome="xfailed", message=words, changes=[words]),
        row("tests/test_it.py::test_plain", check="test", margin=0.5, seconds=11.0),
    ]
    lines = ['-   "correct": 9880', '+   "correct": 9888', *([text] if text else [])]
    changes = [
        {"file": text or "tests/__modelcheck__/test_it.json", "key": text or "test_it::accuracy"},
    ]
    return Run(
        rows,
        7,
        text or "cpu,cuda:0",
        started=text or "2026-03-04T10:22:33Z",
        seconds=83.4,
        environment={"python": "3.11.7", "torch": "2.4.1+cpu", words: words},
        baselines=[{**change, "change": "changed", "lines": lines} for change in changes],
        problems=[text or "the waiver of tests/test_old.py is expired"],
    )


def many(number):
    """Rows as a large repository has them: some broken, most with evidence, all with names of the usual length."""
    rows = []
    for index in range(number):
        gate = f"tests/family_{index % 40}/test_models.py::test_accuracy_of_release[model-{index}-cpu]"
        if index % 50 == 0:
            message = f"accuracy of Net: 97 of 100\n  recall of class {index}: 8 of 10"
            rows.append(accuracy(gate, outcome="failed", message=message, margin=-0.01 * (1 + index % 7)))
        elif index % 5 == 0:
            rows.append(accuracy(gate, margin=0.001 * (1 + index % 90), seconds=index / 100))
        elif index % 5 == 1:
            rows.append(parameters(gate, f"model{index}"))
        else:
            rows.append(row(gate, evidence={"layer": f"encoder.{index}", "shapes": [[1, 7, 768]]}))
    return rows
