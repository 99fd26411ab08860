"""How far two runs may be apart, by dtype and device, and how a project says so."""

from __future__ import annotations

import pytest
import torch

from pytest_modelcheck import ConfigError, ModelCheckError
from pytest_modelcheck.models.tolerances import FIGURES, parse_tolerances, tolerance_for, tolerated

TABLE = {"float32": 0.5, "float32@cuda": 0.25, "float16@cpu": 0.125}


@pytest.mark.parametrize(
    ("dtype", "device", "table", "figure"),
    [
        (torch.float64, "cpu", None, 1e-9),
        (torch.float32, "cpu", None, 1e-5),
        (torch.float32, "cuda", None, 1e-4),
        (torch.float32, "cuda:1", None, 1e-4),
        (torch.float32, "mps", None, 1e-4),
        (torch.float16, "cuda:0", None, 1e-2),
        (torch.bfloat16, "cpu", None, 5e-2),
        (torch.complex64, "cuda", None, 1e-4),
        (torch.complex128, "cpu", None, 1e-9),
        (torch.int64, "cpu", None, 0.0),
        (torch.uint8, "cuda", TABLE, 0.0),
        (torch.bool, "cpu", None, 0.0),
        (torch.float32, "cpu", TABLE, 0.5),
        (torch.float32, "cuda:0", TABLE, 0.25),
        (torch.float16, "cpu", TABLE, 0.125),
        (torch.float16, "cuda", TABLE, 1e-2),
        (torch.float64, "cpu", TABLE, 1e-9),
        (torch.complex64, "cpu", TABLE, 0.5),
        # One entry for a dtype goes before this package's own for its device.
        (torch.float32, "cuda", {"float32": 0.5}, 0.5),
    ],
)
def test_the_figure_of_a_dtype_on_a_device(dtype, device, table, figure):
    assert tolerance_for(dtype, device, table) == figure


def test_a_dtype_that_no_table_knows_is_an_error():
    with pytest.raises(ModelCheckError) as raised:
        tolerance_for(torch.float8_e4m3fn, "cpu")
    assert str(raised.value) == "no tolerance is known for float8_e4m3fn: give tolerance="


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0.0], 1e-5), ([0.5, -0.9], 1e-5), ([-300.0, 2.0], 3e-3), ([], 1e-5), ([1 + 0j, 3 + 4j], 5e-5)],
)
def test_a_figure_grows_with_the_largest_magnitude_above_1(values, expected):
    assert tolerated(torch.tensor(values), "cpu") == pytest.approx(expected)


def test_what_is_exact_has_no_tolerance():
    assert tolerated(torch.tensor([1000]), "cpu") == 0.0


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("float32=1e-4", {"float32": 1e-4}),
        (" float32 = 1e-4 ,bfloat16@cuda=0.1,", {"float32": 1e-4, "bfloat16@cuda": 0.1}),
        ("\nfloat64=1\n,\nfloat16@mps=.5\n", {"float64": 1.0, "float16@mps": 0.5}),
    ],
)
def test_a_table_is_read(text, table):
    assert parse_tolerances(text) == table


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' names no tolerance: 'float32=1e-4, bfloat16@cuda=0.1' is expected"),
        (" , ", "' , ' names no tolerance: 'float32=1e-4, bfloat16@cuda=0.1' is expected"),
        ("1e-4", "'1e-4' is no tolerance: dtype=figure or dtype@device=figure is expected"),
        ("float=1", "'float=1': 'float' is no dtype: float64, float32, float16 or bfloat16 is expected"),
        ("int64=1", "'int64=1': 'int64' is no dtype: float64, float32, float16 or bfloat16 is expected"),
        ("float32@gpu=1", "'float32@gpu=1': 'gpu' is no kind of device: cpu, cuda or mps is expected"),
        ("float32@=1", "'float32@=1': '' is no kind of device: cpu, cuda or mps is expected"),
        ("float32@cuda:0=1", "'float32@cuda:0=1': 'cuda:0' is no kind of device: cpu, cuda or mps is expected"),
        ("float32=", "'float32=': '' is no figure: a finite number above 0 is expected"),
        ("float32=0", "'float32=0': '0' is no figure: a finite number above 0 is expected"),
        ("float32=-1", "'float32=-1': '-1' is no figure: a finite number above 0 is expected"),
        ("float32=nan", "'float32=nan': 'nan' is no figure: a finite number above 0 is expected"),
        ("float32=inf", "'float32=inf': 'inf' is no figure: a finite number above 0 is expected"),
        ("float32=a", "'float32=a': 'a' is no figure: a finite number above 0 is expected"),
        ("float32=1,float32=2", "'float32=2': float32 is named twice in 'float32=1,float32=2'"),
    ],
)
def test_a_table_that_makes_no_sense_is_a_config_error(text, message):
    with pytest.raises(ConfigError) as raised:
        parse_tolerances(text)
    assert str(raised.value) == message


def test_no_table_can_be_changed():
    for table in (FIGURES, parse_tolerances("float32=1")):
        with pytest.raises(TypeError):
            table["float32"] = 2.0
