"""Memory that was not enough: told apart from other errors, and let go of."""

from __future__ import annotations

import sys
import traceback

from pytest_modelcheck.errors import text_of

# How torch names it where it has no exception of its own for it.
_WORDS = ("out of memory", "can't allocate memory")

_ADVICE = (
    "\n  There was not enough memory. Give fewer samples at a time, as by a smaller batch_size of the DataLoader, or "
    "run where there is more"
)


def memory_advice(error: BaseException) -> str:
    """What helps where memory was not enough, once all is freed that had been asked for until then; `""` otherwise.

    >>> memory_advice(ValueError("no such layer"))
    ''
    """
    if not _is_about_memory(error):
        return ""
    for found in _with_causes(error):  # what the functions held that were running stays alive with their frames
        traceback.clear_frames(found.__traceback__)
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    return _ADVICE


def _with_causes(error: BaseException) -> list[BaseException]:
    """The exception and all those that led to it, each once: they may lead to each other."""
    found: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is not None and not any(each is known for known in found):
            found.append(each)
            todo += [each.__cause__, each.__context__]
    return found


def _is_about_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(words in text_of(error) for words in _WORDS)
