"""A tokenizer seen as one pipeline, text to ids to text, whatever library it comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["lossless", "normalized", "metaspace", "canonical", "letters", "stable"]
LEVELS: tuple[Level, ...] = ("lossless", "normalized", "metaspace", "canonical", "letters", "stable")

Ids = list[int]


@dataclass(frozen=True)
class Pipeline:
    """What a round trip needs of a tokenizer, special tokens neither added nor skipped.

    `level` is the strongest one that tokenizers of this build keep on every text. `normalize` is the identity where
    there is no normalizer. `expected` gives the text that a level which is this build's own promises to return, and
    `decode_plain` decodes without the decoder's clean-up; both are `None` where there is no such level. `is_tidied`
    says that the clean-up is known to take the spaces before full stops and the like away.

    `unknown` counts the unknown tokens of a text's ids, and is `None` where that cannot be asked. `dropped` counts the
    letters of each text that no token stands for, where a tokenizer without an unknown token may leave some out.
    `rewrites_unknown` says that an unknown token is decoded as a text that is not its own encoding. `loose` tells texts
    that hold an added token which is looked for in a way of its own, and takes spaces or case with it: of these texts,
    all that is promised are the letters.
    """

    family: str
    level: Level
    encode: Callable[[Sequence[str]], list[Ids]]
    decode: Callable[[Sequence[Ids]], list[str]]
    tokens: Callable[[Ids], list[str]]
    normalize: Callable[[str], str] | None = None
    expected: Callable[[str], str] | None = None
    decode_plain: Callable[[Sequence[Ids]], list[str]] | None = None
    is_tidied: bool = False
    unknown: Callable[[str, Ids], int] | None = None
    dropped: Callable[[Sequence[str]], list[int]] | None = None
    rewrites_unknown: bool = False
    loose: Callable[[str], bool] | None = None

    def can_promise(self, level: Level) -> bool:
        """Whether the level can be judged for this tokenizer."""
        if level in ("canonical", "metaspace"):
            return level == self.level
        return level != "normalized" or self.normalize is not None


def nothing_unknown(_text: str, _ids: Ids) -> int:
    """The count of a tokenizer that has a token for everything."""
    return 0
