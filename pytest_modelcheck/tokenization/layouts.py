"""How inputs are laid out for a model, and how a tokenizer lives on: properties in the form of `properties.py`."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_modelcheck.tokenization.alignment import quoted, same_ids
from pytest_modelcheck.tokenization.pipeline import Ids
from pytest_modelcheck.tokenization.properties import Cases, Texts
from pytest_modelcheck.tokenization.subject import Encoded, Misbehaved, NotAsked, Side, Subject

_SIDES: tuple[Side, ...] = ("right", "left")
_MULTIPLE = 8

# Texts that are padded together, so that one long text does not lengthen all others.
_BATCH = 16

# A window is so many ids longer than its special tokens, and overlaps the one before by so many.
_WINDOW, _STRIDE = 6, 2

_OTHER = "another text"
_NEW = ("modelcheckword", "<|modelcheck|>")


def padding(subject: Subject, texts: Texts) -> Cases:
    """A padded batch holds each text as it is alone, padded on the side and to the multiple that were asked for."""
    pad = subject.pad_id()
    alone = [subject.full(text).ids for text in texts]
    for start in range(0, len(texts), _BATCH):
        batch, ids_of = texts[start : start + _BATCH], alone[start : start + _BATCH]
        longest = max(map(len, ids_of))
        for side in _SIDES:
            for multiple in (None, _MULTIPLE):
                wanted = longest if multiple is None else -(-longest // multiple) * multiple
                rows = subject.padded(batch, side, multiple)
                for text, ids, row in zip(batch, ids_of, rows, strict=True):
                    yield _wrong_padding(text, ids, row, pad, wanted, side)


def truncation(subject: Subject, texts: Texts) -> Cases:
    """Windows over a long text are as long as allowed, overlap by the stride, and together are the whole."""
    added = subject.added(pair=False)
    long = [(text, ids) for text in texts if len(ids := subject.bare(text)) > _WINDOW]
    for side in _SIDES:
        for text, ids in long:
            windows = subject.windows(text, added + _WINDOW, _STRIDE, side)
            yield _wrong_windows(text, ids, windows, added, side)


def pairs(subject: Subject, texts: Texts) -> Cases:
    """A pair of texts is the one and then the other, with as many special tokens as are said to be added."""
    added = subject.added(pair=True)
    texts = [text for text in texts if text]  # an empty second text is no pair to transformers
    for first, second in zip(texts, [*texts[1:], _OTHER], strict=False):
        found = subject.pair(first, second)
        both = [subject.bare(first), subject.bare(second)]
        try:
            body = found.body
        except Misbehaved as wrong:
            yield str(wrong)
            continue
        problem = same_ids(f"{first} | {second}", body, both[0] + both[1], "as a pair")
        if not problem and len(found.ids) - len(body) != added:
            problem = f"{quoted(first)} and another: {len(found.ids) - len(body)} special tokens were added, and "
            problem += f"{added} are announced"
        if not problem and found.sequences is not None:
            owners = [owner for owner, special in zip(found.sequences, found.special, strict=True) if not special]
            if owners != [0] * len(both[0]) + [1] * len(both[1]):
                problem = f"{quoted(first)} and {quoted(second)}: tokens are said to be of the other text"
        yield problem


def pretokenized(subject: Subject, texts: Texts) -> Cases:
    """Words that were split before are encoded one by one, and each token knows its word."""
    for text in texts:
        words = text.split()
        if not words:
            continue
        found = subject.pretokenized(words)
        alone = [subject.pretokenized([word]).ids for word in words]
        problem = same_ids(text, found.ids, [item for ids in alone for item in ids], "split into words")
        expected = [number for number, ids in enumerate(alone) for _ in ids]
        if not problem and found.words is not None and list(found.words) != expected:
            problem = f"{quoted(text)}: tokens are said to be of other words"
        yield problem


def save_load(subject: Subject, texts: Texts) -> Cases:
    """Saved and loaded, and once more, it gives the same ids and texts, special tokens' literals included."""
    special = subject.special_tokens() if _answers_special(subject) else {}
    texts = [*texts, *(f"x{token}y {token} z" for token in special)]
    first = subject.reloaded()
    for number, again in (("saved and loaded", first), ("saved and loaded twice", first.reloaded())):
        yield _other_vocabulary(subject, again, number)
        yield f"{number}, it has other special tokens" if special and again.special_tokens() != special else ""
        changed = [name for name, value in subject.settings().items() if again.settings().get(name) != value]
        yield f"{number}, it has another {' and '.join(changed)}" if changed else ""
        for text in texts:
            problem = same_ids(text, again.full(text).ids, subject.full(text).ids, number)
            ids = subject.bare(text)
            if not problem and again.decode(ids) != subject.decode(ids):
                problem = f"{quoted(text)}: {number}, its ids are decoded to {quoted(again.decode(ids))}"
            yield problem


def added_tokens(subject: Subject, texts: Texts) -> Cases:
    """A token that is added gets the next id, is found in a text and decoded, and changes no other text."""
    for token, special in zip(_NEW, (False, True), strict=True):
        more = subject.with_token(token, special=special)
        item = more.token_id(token)
        yield f"{quoted(token)} was added and is not in the vocabulary" if item is None else ""
        yield (
            f"with one token added there are {more.size():,} of {subject.size():,}"
            if more.size() != subject.size() + 1
            else ""
        )
        if item is not None and item <= subject.largest_id():
            yield f"{quoted(token)} was added as id {item}, which was taken"
        if not (special and subject.leaves_literals()):
            ids = more.bare(f"one {token} two")
            yield f"{quoted(token)} was added and is not found in a text" if ids.count(item or 0) != 1 else ""
            yield "" if token in more.decode(ids) else f"{quoted(token)} was added and is lost in decoding"
        for text in texts:
            yield same_ids(text, more.bare(text), subject.bare(text), f"with {quoted(token)} added")


def chat_template(subject: Subject, texts: Texts) -> Cases:
    """The template's text, encoded, is what the template gives as ids; and a conversation begins once."""
    said = [text for text in texts if text.strip()][:8]
    for text in said:
        messages = [{"role": "user", "content": text}, {"role": "assistant", "content": "Yes."}]
        for asked, prompt in ((messages, False), (messages[:1], True)):
            written, ids = subject.chat(asked, prompt=prompt)
            yield same_ids(written, subject.bare(written), ids, "as the template's text")
            yield _wrong_start(subject, text, written, ids)


def _answers_special(subject: Subject) -> bool:
    try:
        subject.special_tokens()
    except NotAsked:
        return False
    return True


def _wrong_start(subject: Subject, text: str, written: str, ids: Ids) -> str:
    begin = subject.bos_id()
    if begin is None:
        return ""
    encoded = subject.full(written).ids
    for name, row in (("the template", ids), ("the template's text, encoded as usual", encoded)):
        starts = next((number for number, item in enumerate(row) if item != begin), len(row))
        if starts > 1:
            remedy = "encode it with add_special_tokens=False, or take the BOS out of the template"
            return f"{quoted(text)}: {name} begins with {starts} BOS tokens: {remedy}"
    return ""


def _wrong_padding(text: str, ids: Ids, row: Encoded, pad: int, length: int, side: Side) -> str:
    filled = length - len(ids)
    expected = [*ids, *[pad] * filled] if side == "right" else [*[pad] * filled, *ids]
    mask = [1] * len(ids) + [0] * filled if side == "right" else [0] * filled + [1] * len(ids)
    if len(row.ids) != length:
        return f"{quoted(text)}: padded on the {side} to {len(row.ids)} ids instead of {length}"
    problem = same_ids(text, row.ids, expected, f"padded on the {side}")
    if not problem and row.mask is not None and list(row.mask) != mask:
        return f"{quoted(text)}: padded on the {side}, its mask does not tell ids from padding"
    return problem


def _wrong_windows(text: str, ids: Ids, windows: Sequence[Encoded], added: int, side: Side) -> str:
    length = added + _WINDOW
    for number, window in enumerate(windows):
        where = f"{quoted(text)}: cut on the {side}, window {number}"
        is_last = number == len(windows) - 1
        if len(window.ids) > length or (len(window.ids) < length and not is_last):
            return f"{where} has {len(window.ids)} ids, and {length} were asked for"
        if len(window.ids) - len(window.body) != added:
            return f"{where} has {len(window.ids) - len(window.body)} special tokens, and {added} are announced"
    bodies = [window.body for window in windows]
    if side == "left":
        bodies.reverse()
    whole = list(bodies[0])
    for number, body in enumerate(bodies[1:], 1):
        # The last window to the left is the first of the text, and may be shorter: then the next overlaps by less.
        overlap = min(_STRIDE, len(whole), len(body))
        if whole[len(whole) - overlap :] != body[:overlap]:
            return f"{quoted(text)}: cut on the {side}, window {number} does not overlap the one before by {_STRIDE}"
        whole += body[overlap:]
    return same_ids(text, whole, ids, f"in windows cut on the {side}")


def _other_vocabulary(subject: Subject, again: Subject, when: str) -> str:
    if again.size() == subject.size():
        return ""
    return f"{when}, it has {again.size():,} tokens instead of {subject.size():,}"
