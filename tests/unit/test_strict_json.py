"""JSON as its standard has it: what Python reads beside it is refused by name."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelcheck import strict_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)

REFUSED = {
    "NaN": ("NaN", "it has the number NaN, which JSON does not know"),
    "an infinity": ('{"a": [Infinity]}', "it has the number Infinity, which JSON does not know"),
    "a negative infinity": ('[1, {"a": -Infinity}]', "it has the number -Infinity, which JSON does not know"),
    "a number beyond a float": ("[1e309]", "it has the number 1e309, which is too large"),
    "a negative one": ("-1.5e400", "it has the number -1.5e400, which is too large"),
    "one of many digits": ("9" * 400 + ".0", f"it has the number {'9' * 60}, which is too large"),
    "a key twice": ('{"a": 1, "b": 2, "b": 2}', 'it has the key "b" twice'),
    "keys twice": ('{"x": 0, "b": 1, "a": 2, "a": 3, "b": 4}', 'it has the key "b" twice'),
    "a key twice, deep inside": ('[{"a": {"é\\n": 1, "é\\n": 1}}]', 'it has the key "\\u00e9\\n" twice'),
    "an empty key twice": ('{"": 1, "": 2}', 'it has the key "" twice'),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_what_json_does_not_know_is_refused(text: str, message: str):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        strict_json.loads(text)


@given(VALUES)
def test_what_json_knows_is_read(value: object):
    assert strict_json.loads(json.dumps(value)) == value


@pytest.mark.parametrize("text", ["", "{", "[1,]", "'a'", "{a: 1}", "nan", "01", "[1] 2"])
def test_no_json_is_a_value_error(text: str):
    with pytest.raises(ValueError, match="line 1 column"):
        strict_json.loads(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("1.7976931348623157e308", 1.7976931348623157e308), ("5e-324", 5e-324), ("1e-400", 0.0), ("-0.0", -0.0)],
)
def test_a_number_that_a_float_holds_is_that_float(text: str, number: float):
    found = strict_json.loads(text)
    assert type(found) is float
    assert repr(found) == repr(number)


def test_keys_of_several_objects_may_be_the_same():
    assert strict_json.loads('[{"a": {"a": 1}}, {"a": 2}]') == [{"a": {"a": 1}}, {"a": 2}]
