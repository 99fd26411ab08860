"""Which adapter asks a tokenizer."""

from __future__ import annotations

from typing import Any

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.tokenization.backend import is_backend
from pytest_modelcheck.tokenization.of_any import AnySubject
from pytest_modelcheck.tokenization.of_sentencepiece import SentencePieceSubject, is_sentencepiece
from pytest_modelcheck.tokenization.of_tiktoken import TiktokenSubject, is_tiktoken
from pytest_modelcheck.tokenization.of_tokenizers import TokenizersSubject
from pytest_modelcheck.tokenization.of_transformers import TransformersSubject, is_transformers
from pytest_modelcheck.tokenization.subject import Subject


def subject_of(tokenizer: Any) -> Subject:
    """The tokenizer, to be asked; a `ModelCheckError` where it is none.

    It is a transformers tokenizer, a `tokenizers.Tokenizer`, a SentencePiece processor, a tiktoken encoding, or any
    object with `encode` and `decode`.
    """
    if is_transformers(tokenizer):
        return TransformersSubject(tokenizer)
    if is_backend(tokenizer):
        return TokenizersSubject(tokenizer)
    if is_sentencepiece(tokenizer):
        return SentencePieceSubject(tokenizer)
    if is_tiktoken(tokenizer):
        return TiktokenSubject(tokenizer)
    if callable(getattr(tokenizer, "encode", None)) and callable(getattr(tokenizer, "decode", None)):
        return AnySubject(tokenizer)
    raise ModelCheckError(
        f"{type(tokenizer).__name__} is no tokenizer: it has no encode and decode methods. Give a transformers "
        "tokenizer, a tokenizers.Tokenizer, a SentencePiece processor, a tiktoken encoding, or an object with both"
    )
