"""Tokenizers of each family: the real ones whose vocabularies are here, the others trained on a few sentences."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from tests.installed import before

MERGES = Path(__file__).parent / "data" / "gpt2-merges.txt.gz"

SENTENCES = [
    "the release gate of a model, a promise that is kept",
    "text to ids to text, and back again without a loss",
    "Model checks hold a model to what its team promised.",
    "quick brown foxes jump over lazy dogs; 0123456789 times!",
] * 40


def gpt2_merges() -> list[tuple[str, str]]:
    lines = gzip.decompress(MERGES.read_bytes()).decode("utf-8").split("\n")[1:]
    return [(left, right) for left, _, right in (line.partition(" ") for line in lines if line)]


def byte_letters() -> list[str]:
    """The letters that stand for the 256 bytes in byte-level vocabularies, in the order of GPT-2's ids."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [*map(chr, plain), *(chr(256 + number) for number in range(256 - len(plain)))]


def gpt2_vocabulary() -> dict[str, int]:
    tokens = [*byte_letters(), *("".join(pair) for pair in gpt2_merges()), "<|endoftext|>"]
    return {token: index for index, token in enumerate(tokens)}


def gpt2(**options):
    from transformers import GPT2TokenizerFast

    vocabulary, merges = gpt2_vocabulary(), gpt2_merges()
    if before("transformers", "5"):  # its classes take files or a backend
        backend = Tokenizer(models.BPE(vocabulary, merges))
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        return GPT2TokenizerFast(tokenizer_object=backend, **options)
    return GPT2TokenizerFast(vocab=vocabulary, merges=merges, **options)


def tiktoken_gpt2():
    import tiktoken

    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    order = [*plain, *(byte for byte in range(256) if byte not in plain)]
    bytes_of = dict(zip(byte_letters(), order, strict=True))
    ranks = {
        bytes(bytes_of[letter] for letter in token): index
        for token, index in gpt2_vocabulary().items()
        if index < 50_256
    }
    pattern = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
    return tiktoken.Encoding(
        "gpt2", pat_str=pattern, mergeable_ranks=ranks, special_tokens={"<|endoftext|>": len(ranks)}
    )


def sentencepiece(kind: str, **options):
    """A SentencePiece model, trained on the sentences: `"bpe"` with byte fallback, or `"unigram"`."""
    import sentencepiece as spm

    if kind == "bpe":
        options = {
            "byte_fallback": True,
            "normalization_rule_name": "identity",
            "remove_extra_whitespaces": False,
            **options,
        }
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_writer=model,
        model_type=kind,
        vocab_size=400 if kind == "bpe" else 120,
        hard_vocab_limit=False,
        minloglevel=2,
        **options,
    )
    return spm.SentencePieceProcessor(model_proto=model.getvalue())


def llama(**options):
    """A Llama tokenizer with the pieces of a SentencePiece BPE model that was trained on the sentences."""
    from transformers import LlamaTokenizerFast

    model = sentencepiece("bpe")
    pieces = {model.id_to_piece(index): index for index in range(model.vocab_size())}
    ranked = sorted(
        (-model.get_score(index), piece[:cut], piece[cut:])
        for piece, index in pieces.items()
        for cut in range(1, len(piece))
        if piece[:cut] in pieces and piece[cut:] in pieces and not piece.startswith("<0x")
    )
    merges = [(left, right) for _, left, right in ranked]
    if before("transformers", "5"):
        legacy = options.pop("legacy", False)
        backend = Tokenizer(models.BPE(pieces, merges, fuse_unk=True, byte_fallback=True))
        scheme = "always" if legacy else "first"
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
        steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        backend.decoder = decoders.Sequence(steps)
        return LlamaTokenizerFast(tokenizer_object=backend, legacy=legacy, **options)
    return LlamaTokenizerFast(vocab=pieces, merges=merges, **options)


def unigram():
    """A Unigram tokenizer as T5's is built: white space splits, and is collapsed."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=special, unk_token="<unk>", show_progress=False)  # noqa: S106
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


def byte_level(normalizer=None):
    """A byte-level BPE tokenizer, with all bytes in its vocabulary."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    return tokenizer
