"""Mutants that no test can notice, because they do the same; each was read, and says why.

A mutant is its file's name in the list of targets, its function, the lines that it takes and those that it puts there.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.mutation.mutants import Change


@dataclass(frozen=True)
class Equivalent:
    """A mutant that behaves as the code does, and why."""

    target: str
    change: Change
    why: str


_FALSY = "None is as false as False"
_REFUSED = "its digest was made before, and has refused a number that is none"
_ALIAS = "it is another name of the same encoding"
_WIDER = "the numbers of a byte are the same in wider integers"
_POSIX = "only Windows has another newline, and mutmut does not run there"
_LENGTHS = "that the lengths are the same was looked at before"
_SIDES = "both sides of the distribution give the same; the limit only decides which one needs fewer steps"
_LENTZ = "no denominator is 0 here; it is the guard of Lentz's method"

_HALVES = "on both sides of the limit both ways give the same; it only decides which one keeps more digits"
_NEWTON = "Newton's method comes to the same bound from wherever it starts"

_OPENED = 'with os.fdopen(handle, "w", encoding="utf-8", newline="\\n") as file:'
_WEIGHTS, _SHIFTS = "torch.tensor([128, 64, 32, 16, 8, 4, 2, 1], ", "torch.tensor([7, 6, 5, 4, 3, 2, 1, 0], "
_PADDED = "bits = torch.nn.functional.pad(right.to({}), (0, -len(right) % 8)).reshape(-1, 8)"
_PACKED = 'return base64.b64encode(bytes((bits * weights).sum(1).tolist())).decode("{}")'
_FOUND = "found = torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.zeros({}, dtype=torch.uint8)"
_PAIRS = "for value, formula in zip(measured, expected, {}):"
_ITEMS = 'items = [f"{{inner}}{{_readable(json.dumps(item, ensure_ascii={}, allow_nan={}))}}" for item in value]'
_LOG = "return math.log1p(-float(1 - share)) if {} else math.log(float(share))"
_WILSON = "start = (share + square / 2 - math.sqrt(square * (share * (1 - share) + square / {}))) / ({} + square)"
_VALUE = "return _readable(json.dumps(value, ensure_ascii={}, allow_nan={}))"
_TEXT = 'text = json.dumps([key, content], sort_keys=True, separators=(",", ":"), allow_nan={})'
_DIGEST = 'return hashlib.sha256(text.encode("{}")).hexdigest()[:_LETTERS]'
_AT = 'return cls(path.parent.parent / path.with_suffix("{}").name, told)'


def _listed(target: str, function: str, removed: str, *added: tuple[str, str]) -> tuple[Equivalent, ...]:
    return tuple(Equivalent(target, Change(function, removed, line), why) for line, why in added)


EQUIVALENTS: tuple[Equivalent, ...] = (
    *_listed(
        "comparison",
        "_scalar",
        'if value.shape != () or getattr(value, "mask", False):',
        ('if value.shape != () or getattr(value, "mask", None):', _FALSY),
    ),
    *_listed(
        "comparison",
        "_compare",
        "room = (value - promised) * sign",
        ("room = (value - promised) / sign", "the sign is 1 or -1, its own reciprocal"),
    ),
    *_listed(
        "paired", "packed", _PADDED.format("torch.uint8"), (_PADDED.format("None"), "True and False count as 1 and 0")
    ),
    *_listed(
        "paired",
        "packed",
        f"weights = {_WEIGHTS}dtype=torch.uint8)",
        (f"weights = {_WEIGHTS}dtype=None)", _WIDER),
        (f"weights = {_WEIGHTS})", _WIDER),
    ),
    *_listed("paired", "packed", _PACKED.format("ascii"), (_PACKED.format("ASCII"), _ALIAS)),
    *_listed("paired", "unpacked", _FOUND.format(0), (_FOUND.format(1), "of no samples, no bit is given back")),
    *_listed(
        "paired",
        "unpacked",
        f"shifts = {_SHIFTS}dtype=torch.uint8)",
        (f"shifts = {_SHIFTS}dtype=None)", _WIDER),
        (f"shifts = {_SHIFTS})", _WIDER),
    ),
    *_listed(
        "bounds",
        "require_agreement",
        _PAIRS.format("strict=True"),
        (_PAIRS.format("strict=None"), _LENGTHS),
        (_PAIRS.format("strict=False"), _LENGTHS),
        (_PAIRS.format(""), _LENGTHS),
    ),
    *_listed(
        "bounds",
        "_t_tail",
        "if x < (a + 1) / (a + b + 2):",
        ("if x <= (a + 1) / (a + b + 2):", _SIDES),
        ("if x < (a + 1) * (a + b + 2):", _SIDES),
        ("if x < (a + 2) / (a + b + 2):", _SIDES),
        ("if x < (a + 1) / (a - b + 2):", _SIDES),
        ("if x < (a + 1) / (a + b + 3):", _SIDES),
    ),
    *_listed("bounds", "_beta_fraction", "tiny = 1e-300", ("tiny = None", _LENTZ), ("tiny = 1.0", _LENTZ)),
    *_listed(
        "bounds",
        "_beta_fraction",
        "for step in range(1, 10_000):",
        ("for step in range(1, 10001):", "it converges in a few steps of the ten thousand"),
    ),
    *_listed(
        "intervals",
        "needed_for",
        "_check_counts(0, size)",
        ("_check_counts(1, size)", "where a size is refused, both are, and 1 is never more than a size"),
    ),
    *_listed(
        "intervals",
        "needed_for",
        "if size * threshold <= error:",
        ("if size * threshold < error:", "where they are equal the search finds 1, by Bernoulli's inequality"),
    ),
    *_listed(
        "intervals",
        "smallest_size",
        "if threshold <= error:",
        ("if threshold < error:", "of two that are equal the logarithms have the quotient 1"),
    ),
    *_listed(
        "intervals",
        "flake_rate",
        "return float(numbers[0] < limit)",
        ("return float(numbers[1] < limit)", "where the deviation is 0 all the numbers are the same"),
    ),
    *_listed(
        "intervals",
        "_tail",
        "if correct < size * share:",
        ("if correct <= size * share:", _HALVES),
    ),
    *_listed(
        "intervals",
        "_log",
        _LOG.format("2 * share > 1"),
        (_LOG.format("3 * share > 1"), _HALVES),
        (_LOG.format("2 * share >= 1"), _HALVES),
    ),
    *_listed(
        "intervals",
        "_stirling_error",
        "if count < 16:",
        ("if count <= 16:", "from 16 on, the series is as exact as a float"),
        ("if count < 17:", "from 16 on, the series is as exact as a float"),
    ),
    *_listed(
        "intervals",
        "_lower",
        _WILSON.format(4, 1),
        (_WILSON.format(5, 1), _NEWTON),
        (_WILSON.format(4, 2), _NEWTON),
    ),
    *_listed(
        "intervals",
        "_lower",
        "odds, step = math.log(start / (1 - start)), math.inf",
        ("odds, step = math.log(start * (1 - start)), math.inf", _NEWTON),
        ("odds, step = math.log(start / (1 + start)), math.inf", _NEWTON),
        ("odds, step = math.log(start / (2 - start)), math.inf", _NEWTON),
    ),
    *_listed(
        "files",
        "write_whole",
        _OPENED,
        ('with os.fdopen(handle, "w", encoding="utf-8", newline=None) as file:', _POSIX),
        ('with os.fdopen(handle, "w", encoding="utf-8", ) as file:', _POSIX),
        ('with os.fdopen(handle, "w", encoding="UTF-8", newline="\\n") as file:', _ALIAS),
    ),
    *_listed(
        "digests",
        "digest",
        _TEXT.format(False),
        (_TEXT.format(None), _FALSY),
    ),
    *_listed(
        "digests",
        "digest",
        _DIGEST.format("ascii"),
        (_DIGEST.format("ASCII"), _ALIAS),
    ),
    *_listed(
        "store", "Store.at", _AT.format(".py"), (_AT.format(".PY"), "the name of a file counts without its suffix")
    ),
    *_listed(
        "store",
        "_written",
        _ITEMS.format(False, False),
        (_ITEMS.format(None, False), _FALSY),
        (_ITEMS.format(False, None), _FALSY),
        (_ITEMS.format(False, True), _REFUSED),
        (_ITEMS.format(False, "").replace("allow_nan=", ""), _REFUSED),
    ),
    *_listed(
        "store",
        "_written",
        _VALUE.format(False, False),
        (_VALUE.format(None, False), _FALSY),
        (_VALUE.format(False, None), _FALSY),
        (_VALUE.format(False, True), _REFUSED),
        (_VALUE.format(False, "").replace("allow_nan=", ""), _REFUSED),
    ),
)
