"""The promise of a model's whole table, reviewed and recorded."""

from __future__ import annotations

import json

import pytest
import torch.utils.flop_counter  # noqa: F401  (a session inside of a test forgets what it loads itself)
from torch import nn

import pytest_modelcheck.checks.parameters
import pytest_modelcheck.models.meta  # noqa: F401
from pytest_modelcheck import ConfigError, ModelCheckError, assert_summary
from pytest_modelcheck.checks.summary import summary
from pytest_modelcheck.context import Context
from tests.baselines_by_hand import rewrite

NET = "nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))"
CONFTEST = """
    import pytest
    import torch
    from torch import nn

    @pytest.fixture
    def model():
        return {model}
"""
MARKER = """
    import pytest

    @pytest.mark.modelcheck_summary({promises})
    def test_table(): ...
"""
INPUTS = "inputs=[2, 4]"
ANEW = "pytest --modelcheck --modelcheck-update=all records it anew"
MEANT = "If the changes are meant, pytest --modelcheck --modelcheck-update=all records them."
COLUMNS = ["name", "type", "parameters", "mode", "in_sizes", "out_sizes", "flops"]
ROWS = [
    ["0", "Linear", 15, "train", [2, 4], [2, 3], 48],
    ["1", "ReLU", 0, "train", [2, 3], [2, 3], 0],
    ["2", "Linear", 8, "train", [2, 3], [2, 2], 24],
]


@pytest.fixture
def gate(pytester, run_gates, monkeypatch):
    """A session with one table: how its model and its promises are set, and how it runs."""
    monkeypatch.setenv("COLUMNS", "200")

    class Gate:
        path = pytester.path / "__modelcheck__" / "test_it.json"

        def model(self, model):
            pytester.makeconftest(CONFTEST.format(model=model))

        def promise(self, promises):
            pytester.makepyfile(test_it=MARKER.format(promises=promises))

        def run(self, *options):
            result, rows = run_gates("-p", "no:cacheprovider", *options)
            return result, rows[0] if rows else None

        def record(self, *options):
            result, row = self.run("--modelcheck-update", *options)
            result.assert_outcomes(passed=1)
            return result, row

        @property
        def recorded(self):
            return json.loads(self.path.read_text(encoding="utf-8"))["baselines"]["test_table summary"]

        def rewrite(self, change):
            rewrite(self.path, lambda baselines: change(baselines["test_table summary"]))

    made = Gate()
    made.model(NET)
    made.promise(INPUTS)
    return made


def test_outside_of_a_gate_there_is_no_baseline():
    with pytest.raises(ConfigError) as raised:
        assert_summary(nn.Linear(4, 3), inputs=[2, 4])
    assert str(raised.value) == "summary has a baseline under pytest --modelcheck only: give the promise itself"


def test_the_examples_in_the_docstring_are_true(examples):
    assert examples(summary) == 2


def remembered(kept=None):
    """A context whose baseline is what it is told, or what it is asked to keep."""
    return Context(recorded=lambda check, case, content: (content if kept is None else kept, kept is None))


def test_what_was_measured_goes_to_the_report(classifier):
    with remembered().active():
        result = assert_summary(classifier)
    assert result.promised == "13 layers, total 53,994"
    assert result.measured == "13 layers, total 53,994 (recorded now)"
    evidence = result.evidence
    assert {name: evidence[name] for name in ("model", "total", "trainable", "bytes", "batch")} == {
        "model": "DigitClassifier",
        "total": 53_994,
        "trainable": 53_994,
        "bytes": 215_976,
        "batch": 32,
    }
    assert evidence["rows"]["net.2"] == {
        "type": "Conv2d",
        "parameters": 51_264,
        "mode": "eval",
        "in_sizes": [32, 32, 13, 13],
        "out_sizes": [32, 64, 9, 9],
        "flops": 265_420_800,
    }
    assert evidence["flops"] == evidence["rows"]["net"]["flops"]


def test_a_factory_and_a_wrapper_are_told():
    with remembered().active():
        built = assert_summary(lambda: nn.Sequential(nn.Linear(10**6, 10**6)), inputs=[2, 10**6])
        wrapped = assert_summary(nn.DataParallel(nn.Sequential(nn.Linear(4, 3))), inputs=[2, 4])
    assert built.measured == (
        "1 layers, total 1,000,001,000,000 (recorded now) (inside of a factory, built on the meta device)"
    )
    assert (built.device, built.evidence["flops"]) == ("meta", 4 * 10**12)
    assert wrapped.measured.endswith(" (inside of DataParallel)")


def test_a_forward_that_raises_is_an_error():
    with (
        remembered().active(),
        pytest.raises(ModelCheckError, match=r"^summary of Linear: not measured: forward raised"),
    ):
        assert_summary(nn.Linear(4, 3), inputs=[2, 5])


def test_sizes_need_inputs():
    with remembered().active():
        result = summary(nn.Linear(4, 3), columns=["type", "flops"])
        assert (
            result.message
            == "summary of Linear: not measured: the column flops needs a pass of the model: give inputs="
        )
        assert result.outcome == "error"


@pytest.mark.parametrize(
    ("promises", "message"),
    [
        ("max_depth=0", "max_depth=0: -1 for all layers, or how deep they are looked into, is expected"),
        ("max_depth=-2", "max_depth=-2: -1 for all layers, or how deep they are looked into, is expected"),
        ("max_depth=True", "max_depth=True: -1 for all layers, or how deep they are looked into, is expected"),
        ("max_depth=1.0", "max_depth=1.0: -1 for all layers, or how deep they are looked into, is expected"),
        (
            "inputs='images'",
            "inputs='images': a tensor, or sizes such as [32, 1, 28, 28], are expected, and no name of a fixture: "
            "the table's inputs are part of what is promised",
        ),
        ("columns=[]", "columns=[]: a list of some of type, parameters, mode, in_sizes, out_sizes, flops is expected"),
        (
            "columns='type'",
            "columns='type': a list of some of type, parameters, mode, in_sizes, out_sizes, flops is expected",
        ),
        (
            "columns=['type', 'size']",
            "columns has 'size', and the columns are type, parameters, mode, in_sizes, out_sizes, flops",
        ),
        ("batch=2", "batch=2: a text (str) is expected"),
    ],
)
def test_a_promise_that_makes_no_sense_is_refused_at_collection(gate, promises, message):
    gate.promise(promises)
    result, _ = gate.run("--collect-only")
    assert result.ret != 0
    assert message in result.stdout.str() + result.stderr.str()


def test_a_missing_baseline_is_an_error(gate):
    result, row = gate.run()
    result.assert_outcomes(failed=1)
    assert row["outcome"] == "error"
    assert row["message"] == (
        "summary of Sequential: not measured: no baseline is recorded for 'test_table summary' in "
        f"{gate.path}. pytest --modelcheck --modelcheck-update records it"
    )
    assert not gate.path.exists()


def test_a_table_is_recorded_and_kept_from_then_on(gate, processes):
    result, row = gate.record(processes)
    result.stdout.fnmatch_lines(["baselines recorded: 1; review them: git diff '[*]__modelcheck__/[*]'"])
    assert row["measured"] == "3 layers, total 23 (recorded now)"
    assert gate.recorded == {
        "batch": 2,
        "columns": COLUMNS,
        "dtypes": ["float32"],
        "frozen": [],
        "max_depth": -1,
        "model": {"in_sizes": [2, 4], "out_sizes": [2, 2], "flops": 72},
        "rows": ROWS,
        "total": 23,
        "trainable": 23,
    }
    result, row = gate.run()
    result.assert_outcomes(passed=1)
    assert (row["promised"], row["measured"]) == ("3 layers, total 23", "3 layers, total 23 (baseline)")
    assert "baselines recorded" not in result.stdout.str()


def test_the_baseline_is_a_layer_to_a_line(gate):
    gate.record()
    assert gate.path.read_text(encoding="utf-8").splitlines() == [
        "{",
        '  "baselines": {',
        '    "test_table summary": {',
        '      "batch": 2,',
        '      "columns": ["name", "type", "parameters", "mode", "in_sizes", "out_sizes", "flops"],',
        '      "dtypes": ["float32"],',
        '      "frozen": [],',
        '      "max_depth": -1,',
        '      "model": {',
        '        "flops": 72,',
        '        "in_sizes": [2, 4],',
        '        "out_sizes": [2, 2]',
        "      },",
        '      "rows": [',
        '        ["0", "Linear", 15, "train", [2, 4], [2, 3], 48],',
        '        ["1", "ReLU", 0, "train", [2, 3], [2, 3], 0],',
        '        ["2", "Linear", 8, "train", [2, 3], [2, 2], 24]',
        "      ],",
        '      "total": 23,',
        '      "trainable": 23',
        "    }",
        "  },",
        '  "digests": {',
        '    "test_table summary": "4764edf810c9fc72"',
        "  },",
        '  "schema_version": 1',
        "}",
    ]


def test_changes_are_recorded_where_all_is_asked_for(gate):
    gate.record()
    gate.model("nn.Sequential(nn.Linear(4, 3), nn.ReLU())")
    for options in ([], ["--modelcheck-update=missing"]):
        result, row = gate.run(*options)
        result.assert_outcomes(failed=1)
        assert row["outcome"] == "failed"
        assert row["message"].split("\n")[2:] == ["  - 2: Linear, 8 parameters, [2, 3] to [2, 2]", MEANT]
    assert gate.recorded["rows"] == ROWS
    gate.run("--modelcheck-update=all")[0].assert_outcomes(passed=1)
    assert gate.recorded["rows"] == ROWS[:2]
    assert gate.run()[1]["outcome"] == "passed"


OTHER = {
    "batch": ("inputs=[3, 4]", "batch 2, and this is batch 3"),
    "symbolic batch": (f"{INPUTS}, batch='N'", "batch 2, and this is batch N"),
    "columns": (
        f"{INPUTS}, columns=['parameters', 'type']",
        f"columns {COLUMNS}, and this is columns ['name', 'type', 'parameters']",
    ),
    "depth": (f"{INPUTS}, max_depth=2", "max_depth -1, and this is max_depth 2"),
    "no inputs": ("max_depth=-1", f"columns {COLUMNS}, and this is columns ['name', 'type', 'parameters', 'mode']"),
}


@pytest.mark.parametrize(("promises", "what"), OTHER.values(), ids=OTHER)
def test_a_baseline_of_other_promises_is_an_error(gate, promises, what):
    gate.record()
    gate.promise(promises)
    result, row = gate.run()
    result.assert_outcomes(failed=1)
    assert row["outcome"] == "error"
    assert row["message"] == f"summary of Sequential: not measured: the baseline was recorded with {what}. {ANEW}"
    gate.run("--modelcheck-update=all")[0].assert_outcomes(passed=1)


def test_columns_are_those_that_are_chosen_in_their_order(gate):
    gate.promise("columns=('out_sizes', 'type'), inputs=[2, 4]")
    gate.record()
    assert gate.recorded["columns"] == ["name", "type", "out_sizes"]
    assert gate.recorded["rows"] == [[row[0], row[1], row[5]] for row in ROWS]
    gate.model(NET.replace("nn.Linear(4, 3)", "nn.Linear(4, 3, bias=False)"))
    assert gate.run()[1]["outcome"] == "failed"  # the total is reviewed with every table


def test_a_table_without_inputs_says_nothing_of_sizes(gate):
    gate.promise("max_depth=1")
    gate.record()
    assert {name: gate.recorded[name] for name in ("batch", "columns", "max_depth", "model")} == {
        "batch": None,
        "columns": COLUMNS[:4],
        "max_depth": 1,
        "model": {},
    }
    assert gate.recorded["rows"] == [row[:4] for row in ROWS]


def test_weights_of_another_dtype_are_a_change(gate):
    gate.promise("columns=['type']")
    gate.record()
    gate.model(NET + ".half()")
    assert "  ~ dtypes: ['float32'] -> ['float16']" in gate.run()[1]["message"].split("\n")


def test_a_symbolic_batch_holds_for_every_batch(gate):
    gate.promise("batch='N', inputs=[2, 4]")
    gate.record()
    assert gate.recorded["batch"] == "N"
    assert gate.recorded["rows"][0] == ["0", "Linear", 15, "train", ["N", 4], ["N", 3], 24]
    for size in (32, 7):
        gate.promise(f"batch='N', inputs=[{size}, 4]")
        assert gate.run()[1]["outcome"] == "passed"
    gate.model(NET.replace("2)", "5)"))
    assert gate.run()[1]["outcome"] == "failed"


def test_a_corrupted_file_is_an_error_of_the_gate(gate):
    gate.record()
    gate.rewrite(lambda table: table["rows"][1].pop())
    result, row = gate.run()
    result.assert_outcomes(failed=1)
    assert row["outcome"] == "error"
    assert row["message"].startswith(
        "summary of Sequential: not measured: the baseline is no table of layers (ValueError"
    )
    assert row["message"].endswith(ANEW)


def test_updates_are_refused_in_ci(gate, monkeypatch):
    monkeypatch.setenv("CI", "true")
    result, _ = gate.run("--modelcheck-update")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert not gate.path.exists()


@pytest.mark.slow  # starts four workers
def test_workers_that_record_in_one_file_lose_nothing(gate, pytester):
    tests = "".join(f"@pytest.mark.modelcheck_summary({INPUTS})\ndef test_{number}(): ...\n" for number in range(8))
    pytester.makepyfile(test_it=f"import pytest\n{tests}")
    result, _ = gate.run("--modelcheck-update", "-n4")
    result.assert_outcomes(passed=8)
    result.stdout.fnmatch_lines(["baselines recorded: 8; review them: git diff '[*]__modelcheck__/[*]'"])
    recorded = json.loads(gate.path.read_text(encoding="utf-8"))["baselines"]
    assert [recorded[f"test_{number} summary"]["rows"] for number in range(8)] == [ROWS] * 8


def test_the_assert_form_in_a_gate_has_a_baseline_for_each_call(gate, pytester):
    pytester.makepyfile(
        test_it="""
        from pytest_modelcheck import assert_summary

        def test_table(model, modelcheck):
            assert_summary(model, inputs=[2, 4])
            assert_summary(model, inputs=[3, 4])
        """
    )
    gate.record()
    recorded = json.loads(gate.path.read_text(encoding="utf-8"))["baselines"]
    assert {key: table["batch"] for key, table in recorded.items()} == {
        "test_table summary": 2,
        "test_table summary 2": 3,
    }
    gate.run()[0].assert_outcomes(passed=1)
