"""What a tokenizer that conforms does with texts: each property yields, case by case, what is wrong, or `""`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from pytest_modelcheck.tokenization.alignment import quoted, same_ids, text_difference
from pytest_modelcheck.tokenization.offsets import lost_letters
from pytest_modelcheck.tokenization.pipeline import Ids
from pytest_modelcheck.tokenization.subject import Misbehaved, NotAsked, Subject

Texts = Sequence[str]
Cases = Iterator[str]

_THREADS = 4
_STREAMED = 128

# Neighbours share a letter where it has several bytes, or several letters that were composed to one.
_SHARED = 4
_REPLACEMENT = "\ufffd"


def wrap(subject: Subject, texts: Texts) -> Cases:
    """The ids with special tokens, less those that were added, are the bare ids."""
    for text in texts:
        try:
            body = subject.full(text).body
        except Misbehaved as found:
            yield str(found)
        else:
            yield same_ids(text, body, subject.bare(text), "without the added special tokens")


def batch(subject: Subject, texts: Texts) -> Cases:
    """A batch gives what each of its texts gives alone, by whichever method."""
    for text, ids in zip(texts, subject.batch(texts), strict=True):
        alone = subject.full(text).ids
        yield same_ids(text, ids, alone, "in a batch") or same_ids(text, subject.encoded(text), alone, "by encode")


def offsets(subject: Subject, texts: Texts) -> Cases:
    """Offsets lie in the text, in order, and cover every letter that the normalizer keeps."""
    for text in texts:
        found = subject.full(text)
        if found.offsets is None:
            raise NotAsked(f"{subject.kind} gives no offsets")
        pairs = [pair for pair, special in zip(found.offsets, found.special, strict=True) if not special]
        yield _wrong_offsets(subject, text, pairs)


def injection(subject: Subject, texts: Texts) -> Cases:
    """Text that a user wrote gives no special token, also where it holds what stands for one."""
    special = {token: item for token, item in subject.special_tokens().items() if item >= 0}
    if not special:
        raise NotAsked("it has no special tokens")
    written = [*texts, *(f"a user wrote {token} here" for token in special)]
    for text in written:
        injected = [token for token, item in special.items() if _is_injected(subject, text, token, item)]
        found = " and ".join(f"the special id {special[token]}" for token in injected)
        yield f"{quoted(text)} gives {found}" if injected else ""


def special_tokens(subject: Subject, texts: Texts) -> Cases:
    """Each special token has an id of its own vocabulary, is one token, and is left out on demand."""
    found = subject.special_tokens()
    if not found:
        raise NotAsked("it has no special tokens")
    for token, item in found.items():
        if item < 0:
            yield f"{quoted(token)} is not in the vocabulary"
        elif subject.token(item) != token or subject.token_id(token) != item:
            yield f"{quoted(token)} has the id {item}, and id {item} is {quoted(str(subject.token(item)))}"
        else:
            yield _left_out(subject, token, item, _plain(subject, texts, found))


def incremental_decoding(subject: Subject, texts: Texts) -> Cases:
    """Text that is decoded as its ids arrive is what the whole decodes to, incomplete characters held back."""
    for text in texts:
        ids = subject.bare(text)[:_STREAMED]
        if len(ids) < 2:
            continue
        whole = subject.decode(ids)
        for end in range(1, len(ids)):
            shown = subject.decode(ids[:end]).rstrip(_REPLACEMENT)
            if not whole.startswith(shown):
                yield f"{quoted(text)}: its first {end} ids show {quoted(shown)}; {text_difference(shown, whole)}"
                break
        else:
            yield ""


def empty_input(subject: Subject, texts: Texts) -> Cases:
    """No text gives no ids but added ones, no ids give no text, and single characters pass."""
    ids = subject.bare("")
    yield f"'' gives the ids {ids}" if ids else ""
    text = subject.decode([])
    yield f"no ids are decoded to {quoted(text)}" if text else ""
    for letter in dict.fromkeys("".join(texts)[:200]):
        ids = subject.bare(letter)
        subject.decode(ids)
        yield ""


def threads(subject: Subject, texts: Texts) -> Cases:
    """Several threads that encode and decode at once get what one gets."""
    alone = [_ids_and_text(subject, text) for text in texts]
    with ThreadPoolExecutor(_THREADS) as pool:
        rounds = [pool.submit(_ids_and_text, subject, text) for _ in range(_THREADS) for text in texts]
        for position, future in enumerate(rounds):
            text, expected = texts[position % len(texts)], alone[position % len(texts)]
            found = future.result()
            problem = same_ids(text, found[0], expected[0], f"in one of {_THREADS} threads")
            yield problem or (f"{quoted(text)} is decoded otherwise in a thread" if found != expected else "")


def _ids_and_text(subject: Subject, text: str) -> tuple[Ids, str]:
    ids = subject.bare(text)
    return ids, subject.decode(ids)


def _wrong_offsets(subject: Subject, text: str, pairs: Sequence[tuple[int, int]]) -> str:
    for number, (start, stop) in enumerate(pairs):
        if not 0 <= start <= stop <= len(text):
            return f"{quoted(text)}: token {number} is at {start} to {stop} of {len(text)} characters"
    for number, (before, after) in enumerate(pairwise(pairs), 1):
        if after[0] < before[0] or after[1] < before[1]:
            return f"{quoted(text)}: token {number} is at {after[0]} to {after[1]}, before token {number - 1}"
        if before[1] - after[0] > _SHARED:
            return f"{quoted(text)}: tokens {number - 1} and {number} are both at {after[0]} to {before[1]}"
    lost = lost_letters(text, pairs, subject.normalized)
    if lost:
        return f"{quoted(text)}: no token covers character {lost[0]}, {quoted(text[lost[0]])}"
    return ""


def _is_injected(subject: Subject, text: str, token: str, item: int) -> bool:
    """Whether the literal made the special id: with its letters the other way round there are fewer of it."""
    if not token or token not in text:
        return False
    other = token[::-1] if token[::-1] != token else ("x" if token.strip("x") else "y") * len(token)
    return subject.bare(text).count(item) > subject.bare(text.replace(token, other)).count(item)


def _plain(subject: Subject, texts: Texts, special: Mapping[str, int]) -> str:
    """A text without special tokens, of which something is left when it is decoded."""
    for text in texts:
        ids = subject.bare(text)
        holds = any(token in text for token in special) or set(ids) & set(special.values())
        if not holds and subject.decode(ids).strip():
            return text
    return ""


def _left_out(subject: Subject, token: str, item: int, plain: str) -> str:
    ids = subject.bare(plain)
    try:
        shown = subject.decode([item, *ids], skip_special=True)
    except NotAsked:
        return ""
    if token in shown:
        return f"decoding without special tokens leaves {quoted(token)} in the text"
    expected = subject.decode(ids)
    same = "".join(shown.split()) == "".join(expected.split())
    return "" if same else f"decoding without special tokens makes {quoted(shown)} of {quoted(expected)}"
