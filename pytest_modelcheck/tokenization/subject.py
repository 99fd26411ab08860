"""What can be asked of a tokenizer, in one form for all libraries; each adapter answers what its library can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any, NoReturn

from pytest_modelcheck.tokenization.alignment import quoted
from pytest_modelcheck.tokenization.pipeline import Ids, Pipeline

Side = str  # "left" or "right"


class NotAsked(Exception):
    """This cannot be asked of this tokenizer; the message says why."""


class Misbehaved(Exception):
    """The tokenizer gave what makes no sense in itself; the message says what."""


@dataclass(frozen=True)
class Encoded:
    """The ids of one input. `special` marks those that the tokenizer added; the rest is `None` where it is not told.

    `offsets` are the first character of each token and the one after its last, `words` the word that each token is
    from, `sequences` the text of a pair that it is from, `mask` is 1 for what is no padding, and `text` names
    the input.
    """

    ids: Ids
    special: Sequence[bool]
    offsets: Sequence[tuple[int, int]] | None = None
    words: Sequence[int | None] | None = None
    sequences: Sequence[int | None] | None = None
    mask: Sequence[int] | None = None
    text: str = ""

    @property
    def body(self) -> Ids:
        """The ids without the special ones that the tokenizer added."""
        if len(self.special) != len(self.ids):
            entries = f"{len(self.special)} entries for {len(self.ids)} ids"
            raise Misbehaved(f"{quoted(self.text)}: its special_tokens_mask has {entries}")
        return [item for item, special in zip(self.ids, self.special, strict=True) if not special]


class Subject:
    """A tokenizer that is asked. What an adapter does not answer raises `NotAsked`.

    An adapter works on a copy: what it sets on the way never reaches the tokenizer that was given.
    """

    kind = "tokenizer"

    def pipeline(self) -> Pipeline:
        """How it makes round trips."""
        raise NotImplementedError

    def bare(self, text: str) -> Ids:
        """The ids of a text, without special tokens."""
        raise NotImplementedError

    def decode(self, ids: Sequence[int], *, skip_special: bool = False) -> str:
        """The text of ids."""
        raise NotImplementedError

    def full(self, text: str) -> Encoded:
        """The text as a model gets it, with the special tokens that are added."""
        self._cannot("tell added special tokens apart")

    def encoded(self, text: str) -> Ids:
        """What its method `encode` gives for a text."""
        return self.full(text).ids

    def batch(self, texts: Sequence[str]) -> list[Ids]:
        """The ids of texts that are encoded in one call, as a model gets them."""
        self._cannot("encode a batch")

    def padded(self, texts: Sequence[str], side: Side, multiple: int | None) -> list[Encoded]:
        """A batch padded to its longest text, or to the next multiple."""
        self._cannot("pad")

    def pad_id(self) -> int:
        """The id that pads."""
        self._cannot("pad")

    def windows(self, text: str, length: int, stride: int, side: Side) -> list[Encoded]:
        """A text cut into windows of at most `length` ids that overlap by `stride`."""
        self._cannot("cut a text into windows")

    def added(self, *, pair: bool) -> int:
        """How many special tokens it says that it adds."""
        self._cannot("lay out texts for a model")

    def pair(self, first: str, second: str) -> Encoded:
        """Two texts as one input."""
        self._cannot("encode a pair")

    def pretokenized(self, words: Sequence[str]) -> Encoded:
        """Words that were split before, without special tokens."""
        self._cannot("encode words that were split before")

    def special_tokens(self) -> Mapping[str, int]:
        """The ids of the special tokens, by what stands for each in a text."""
        self._cannot("name its special tokens")

    def leaves_literals(self) -> bool:
        """Whether a special token's literal in a text is a text like any other."""
        return False

    def unknown_id(self) -> int | None:
        """The id of the unknown token, or `None`."""
        return None

    def bos_id(self) -> int | None:
        """The id that begins a text, or `None`."""
        return None

    def token_id(self, token: str) -> int | None:
        """The id of a token, or `None` where there is none."""
        self._cannot("look up a token")

    def token(self, item: int) -> str | None:
        """The token of an id, or `None` where there is none."""
        self._cannot("name a token")

    def size(self) -> int:
        """The number of tokens, added ones included."""
        self._cannot("say how many tokens it has")

    def largest_id(self) -> int:
        """The largest id that it can give."""
        self._cannot("say its largest id")

    def normalized(self, text: str) -> str:
        """The text as its normalizer leaves it."""
        return text

    def reloaded(self) -> Subject:
        """Itself, saved and loaded."""
        self._cannot("be saved and loaded")

    def settings(self) -> Mapping[str, object]:
        """What else is saved with it."""
        return {}

    def with_token(self, token: str, *, special: bool) -> Subject:
        """A copy with one token more."""
        self._cannot("add a token")

    def chat(self, messages: Sequence[Mapping[str, str]], *, prompt: bool) -> tuple[str, Ids]:
        """A conversation by the chat template: as text, and as ids."""
        self._cannot("apply a chat template")

    def _cannot(self, what: str) -> NoReturn:
        raise NotAsked(f"{self.kind} cannot {what}")


def as_ids(found: Any) -> Ids:
    """Token ids as plain integers; a `TypeError` where they are none."""
    return [index(item) for item in getattr(found, "ids", found)]
