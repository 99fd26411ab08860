"""Hypothesis strategies: more texts of the hard corpus' kind. Needs the extra `hypothesis`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_modelcheck.errors import require
from pytest_modelcheck.tokenization.corpus import HARD_TEXTS, LITERALS

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_LONGEST_RUN = 40

# Hebrew, Arabic, Devanagari, Thai, Chinese characters, Hangul: the first and the last letter.
_SCRIPTS = ((0x590, 0x5FF), (0x600, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3))


def texts(*, max_pieces: int = 8) -> SearchStrategy[str]:
    """Texts that tokenizers get wrong: pieces of the hard corpus between others that are made up.

    What is made up: letters of any script, marks that combine, controls and invisible characters, runs of white space,
    runs of one letter, digits, and literals that mean something to a tokenizer. No text holds a lone surrogate.

    >>> from hypothesis import find
    >>> find(texts(), lambda text: " " in text)
    ' '
    """
    st = require("hypothesis.strategies", "making up texts")
    run = st.integers(1, _LONGEST_RUN)
    pieces = st.one_of(
        st.sampled_from(" \n\t\u00a0\u3000\r"),
        st.text(max_size=20),  # of all characters but surrogates
        st.text(st.characters(categories=["Mn", "Me", "Mc"]), min_size=1, max_size=6),
        st.text(st.characters(categories=["Cc", "Cf", "Co", "Cn", "Zs", "Zl", "Zp"]), min_size=1, max_size=6),
        *(st.text(st.characters(min_codepoint=first, max_codepoint=last), min_size=1) for first, last in _SCRIPTS),
        st.builds(str.__mul__, st.sampled_from(" \n\t\u00a0\u3000a0.!"), run),
        st.builds(str.__mul__, st.sampled_from("aZ\u00e9\U0001f600"), run),
        st.integers(0, 10**_LONGEST_RUN).map(str),
        st.sampled_from(LITERALS),
        st.sampled_from(HARD_TEXTS),
    )
    joined: SearchStrategy[str] = st.lists(pieces, max_size=max_pieces).map("".join)
    return joined
