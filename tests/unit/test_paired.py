"""Which samples were right, packed into a line of text; and two models, paired by it."""

from __future__ import annotations

import base64
import re
import string

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.evaluation.paired import Paired, compared, packed, require_order, unpacked

BITS = st.lists(st.booleans(), max_size=300)
ANEW = "pytest --modelcheck --modelcheck-update=all records it anew"


@given(BITS)
def test_what_was_packed_is_unpacked(bits):
    right = torch.tensor(bits, dtype=torch.bool)
    text = packed(right)
    assert set(text) <= set(string.ascii_letters + string.digits + "+/=")
    assert len(base64.b64decode(text)) == -(-len(bits) // 8)
    found = unpacked(text, len(bits))
    assert (found.dtype, found.tolist()) == (torch.bool, bits)


@given(BITS)
def test_a_sample_is_a_bit_the_first_the_highest(bits):
    written = "".join(f"{byte:08b}" for byte in base64.b64decode(packed(torch.tensor(bits, dtype=torch.bool))))
    assert [bit == "1" for bit in written[: len(bits)]] == bits
    assert "1" not in written[len(bits) :]


@given(BITS, BITS)
def test_two_lines_of_one_length_are_the_same_only_for_the_same_samples(one, other):
    size = min(len(one), len(other))
    one, other = one[:size], other[:size]
    texts = [packed(torch.tensor(bits, dtype=torch.bool)) for bits in (one, other)]
    assert (texts[0] == texts[1]) == (one == other)


@given(st.text(max_size=40), st.integers(0, 100))
def test_what_was_not_packed_is_refused_or_would_be_packed_so(text, size):
    try:
        found = unpacked(text, size)
    except ValueError:
        return
    assert len(found) == size
    assert base64.b64decode(packed(found)) == base64.b64decode(text)


@pytest.mark.parametrize(
    ("text", "size", "message"),
    [
        ("!A==", 3, "the bits are no base64"),
        ("oA", 3, "the bits are no base64"),
        ("ö", 3, "string argument should contain only ASCII characters"),
        ("oA==", 9, "1 bytes of bits, and 9 samples have 2"),
        ("oKA=", 3, "2 bytes of bits, and 3 samples have 1"),
        ("oA==", 0, "1 bytes of bits, and 0 samples have 0"),
        ("", 1, "0 bytes of bits, and 1 samples have 1"),
        ("oA==", 2, "bits are set behind the last of 2 samples"),
        ("/w==", 7, "bits are set behind the last of 7 samples"),
    ],
)
def test_bits_that_cannot_be_those_of_so_many_samples_are_refused(text, size, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        unpacked(text, size)


RIGHT = torch.tensor([True, True, False, False, True, True, True, False, True, True])
PRINT, OTHER = "0123456789abcdef" * 4, "fedcba9876543210" * 4


def recorded(**changes):
    known = {"data": PRINT, "samples": 10, "right": packed(RIGHT), "correct": 7, "model": "Net"}
    return {name: value for name, value in {**known, **changes}.items() if value is not None}


def test_the_samples_that_broke_and_were_fixed_are_told_by_position():
    now = torch.tensor([True, False, True, False, False, True, True, False, True, True])
    assert compared(recorded(), now, PRINT, "v1", "Net") == Paired(before=7, size=10, broken=[1, 4], fixed=[2])
    assert compared(recorded(), RIGHT, PRINT, "v1", "Net") == Paired(before=7, size=10, broken=[], fixed=[])


@given(BITS.filter(bool), st.randoms(use_true_random=False))
def test_every_sample_is_the_same_broken_or_fixed(bits, random):
    now = [bit != (random.random() < 0.2) for bit in bits]
    known = {"data": PRINT, "samples": len(bits), "right": packed(torch.tensor(bits)), "correct": sum(bits)}
    known["model"] = "Net"
    found = compared(known, torch.tensor(now), PRINT, "v1", "Net")
    assert found.broken == [row for row, (old, new) in enumerate(zip(bits, now, strict=True)) if old and not new]
    assert found.fixed == [row for row, (old, new) in enumerate(zip(bits, now, strict=True)) if new and not old]
    assert found.before - len(found.broken) + len(found.fixed) == sum(now)


OTHER_DATA = (
    "the baseline 'v1' was recorded on other data: {} samples of fingerprint {:.16}, and this is 10 of "
    f"{PRINT:.16}. Samples that are not the same cannot be paired; {ANEW}"
)
REFUSED = [
    ("other data", {"data": OTHER}, OTHER_DATA.format(10, OTHER)),
    ("no data", {"data": None}, OTHER_DATA.format(10, "None")),
    ("data of random order", {"data": ""}, OTHER_DATA.format(10, "")),
    ("more samples", {"samples": 11_000}, OTHER_DATA.format("11,000", PRINT)),
    ("no samples", {"samples": None}, f"the baseline 'v1' tells no number of samples; {ANEW}"),
    ("samples in words", {"samples": "ten"}, f"the baseline 'v1' tells no number of samples; {ANEW}"),
    (
        "another model",
        {"model": "OldNet"},
        "the baseline 'v1' was recorded of another model, OldNet, and this is Net. If it takes the other's place, "
        + ANEW,
    ),
    (
        "no model",
        {"model": None},
        "the baseline 'v1' was recorded of another model, None, and this is Net. If it takes "
        "the other's place, " + ANEW,
    ),
    ("no bits", {"right": None}, f"the baseline 'v1' cannot be read (KeyError: 'right'); {ANEW}"),
    (
        "bits in a list",
        {"right": [1, 0]},
        "the baseline 'v1' cannot be read (TypeError: argument should be a bytes-like object or ASCII string, not "
        f"'list'); {ANEW}",
    ),
    (
        "no base64",
        {"right": "?"},
        "the baseline 'v1' cannot be read (ValueError: the bits are no base64); " + ANEW,
    ),
    (
        "too few bits",
        {"right": packed(RIGHT[:8])},
        f"the baseline 'v1' cannot be read (ValueError: 1 bytes of bits, and 10 samples have 2); {ANEW}",
    ),
    (
        "bits behind the last",
        {"right": packed(torch.ones(16, dtype=torch.bool))},
        f"the baseline 'v1' cannot be read (ValueError: bits are set behind the last of 10 samples); {ANEW}",
    ),
    ("another count", {"correct": 8}, f"the baseline 'v1' counts 8 correct samples, and its bits 7; {ANEW}"),
    ("no count", {"correct": None}, f"the baseline 'v1' counts None correct samples, and its bits 7; {ANEW}"),
]


@pytest.mark.parametrize(("changes", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_baseline_that_cannot_be_paired_is_refused(changes, message):
    with pytest.raises(ModelCheckError) as raised:
        compared(recorded(**changes), RIGHT, PRINT, "v1", "Net")
    assert str(raised.value) == message


def test_samples_in_random_order_are_refused():
    for refuse in (lambda: compared(recorded(), RIGHT, "", "v1", "Net"), lambda: require_order("", "v1")):
        with pytest.raises(ModelCheckError) as raised:
            refuse()
        assert str(raised.value) == (
            "the samples cannot be paired with those of the baseline 'v1': the data gives them in random order. "
            "Evaluate without shuffle"
        )
    require_order(PRINT, "v1")
