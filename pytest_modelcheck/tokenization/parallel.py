"""The threads of the `tokenizers` library, which a process that has used them cannot fork without a warning."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

_VARIABLE = "TOKENIZERS_PARALLELISM"

# Fewer characters than these are encoded before threads would have been worth it. So many texts are counted.
_MANY = 500_000
_READ = 10_000


@contextmanager
def threads_for(texts: Sequence[str]) -> Iterator[None]:
    """Use the library's threads for many texts only, and leave no trace of them after a few."""
    few = sum(map(len, islice(texts, _READ))) < _MANY
    if not few or _VARIABLE in os.environ:
        yield
        return
    os.environ[_VARIABLE] = "false"
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE, None)
