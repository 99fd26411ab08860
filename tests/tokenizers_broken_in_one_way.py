"""A tokenizer of which everything can be asked, and such that are broken in exactly one known way."""

from __future__ import annotations

import threading

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers_of_the_field import byte_level
from transformers import PreTrainedTokenizerFast

TEMPLATE = (
    "{% for message in messages %}[{{ message['role'] }}] {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)

# A tokenizer that finds special tokens' literals in a user's text breaks this by its nature.
KNOWN = {"injection": "users' texts are cleaned before"}


class Fast(PreTrainedTokenizerFast):
    """Stands for transformers' own, so that what a class below overrides is all that differs."""


def complete(kind=Fast, template=TEMPLATE, **options):
    """A byte-level tokenizer of which everything can be asked, and which keeps all but `injection`."""
    backend = byte_level()
    backend.add_special_tokens(["<s>", "</s>", "<pad>"])
    special = [(token, backend.token_to_id(token)) for token in ("<s>", "</s>")]
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=special
    )
    tokenizer = kind(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>", **options)  # noqa: S106
    tokenizer.chat_template = template
    return tokenizer


def overriding(**methods):
    """A subclass of transformers' tokenizer with these methods in the place of its own."""
    return type("Own", (Fast,), methods)


def asked(change):
    """A tokenizer whose answer is changed; `change` gets the question, too."""

    def call(self, text, pair=None, **options):
        return change(Fast.__call__(self, text, pair, **options), text, pair, options)

    return lambda: complete(overriding(__call__=call))


def misread(change):
    """A tokenizer that is asked something else: `change` gives the texts and options that it reads."""

    def call(self, text, pair=None, **options):
        text, pair, options = change(self, text, pair, dict(options))
        return Fast.__call__(self, text, pair, **options)

    return lambda: complete(overriding(__call__=call))


def misdecoding(change):
    return lambda: complete(overriding(decode=lambda self, ids, **options: change(self, list(ids), options)))


def without_mark(found, text, pair, options):
    if pair is None and isinstance(text, str) and not options.get("return_overflowing_tokens"):
        found["special_tokens_mask"] = [0, *found["special_tokens_mask"][1:]] if "special_tokens_mask" in found else []
    return found


def offsets_become(change):
    def changed(found, text, pair, options):
        if pair is None and options.get("return_offsets_mapping"):
            found["offset_mapping"] = change(found["offset_mapping"])
        return found

    return asked(changed)


def stripped_in_a_batch(self, text, pair, options):
    if isinstance(text, list) and not (options["padding"] or options.get("is_split_into_words")):
        text = [item.rstrip() for item in text]
    return text, pair, options


def always_on_the_right(self, text, pair, options):
    self.padding_side = "right"
    return text, pair, options


def mask_of_ones(found, text, pair, options):
    if options["padding"]:
        found["attention_mask"] = [[1] * len(row) for row in found["attention_mask"]]
    return found


def joined_words(self, text, pair, options):
    split = options.pop("is_split_into_words", False)
    return " ".join(text) if split else text, pair, options


def of_its_thread(self, text, pair, options):
    """Its settings were made in one thread, and others do not see them."""
    return text if threading.current_thread() is threading.main_thread() else text.lower(), pair, options


def one_more(self, text, pair, options):
    return text, pair, {**options, "max_length": options["max_length"] + 1} if options.get("max_length") else options


def loads_lowercase(cls, *args, **options):
    loaded = super(cls, cls).from_pretrained(*args, **options)
    loaded.backend_tokenizer.normalizer = normalizers.Lowercase()
    return loaded


def cut_ids(self, conversation, tokenize=True, **options):
    found = Fast.apply_chat_template(self, conversation, tokenize=tokenize, **options)
    return found[:-1] if tokenize else found


def renamed(self, ids, *args, **options):
    found = Fast.convert_ids_to_tokens(self, ids, *args, **options)
    return "<S>" if found == "<s>" else found


def five_words():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    tokenizer.add_special_tokens(words)
    return tokenizer
