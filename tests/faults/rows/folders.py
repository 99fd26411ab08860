"""Folders of tokenizers that name code, or have it in their templates."""

from __future__ import annotations

from tests.faults.fault import Fault, Group

TOKENIZER = '''
import json
import pytest
from pathlib import Path
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

EVIL = "open({{canary!r}}, 'w').close()"

class Remote(PreTrainedTokenizerFast):
    """It is saved with a class of its own in the folder, which is code, and names it."""

    def save_pretrained(self, folder, **options):
        told = super().save_pretrained(folder, **options)
        path = Path(folder, "tokenizer_config.json")
        named = {{"auto_map": {{"AutoTokenizer": ["evil.Evil", "evil.Evil"]}}, "tokenizer_class": "Evil"}}
        path.write_text(json.dumps({{**json.loads(path.read_text()), **named}}))
        Path(folder, "evil.py").write_text(EVIL.format(canary=str(Path("canary").resolve())))
        return told

@pytest.fixture
def tokenizer():
    words = Tokenizer(models.WordLevel({{"[UNK]": 0, "a": 1, "b": 2}}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return {kind}(tokenizer_object=words, unk_token="[UNK]", chat_template={template!r})

TEXTS = ["a b b a b a a b a b b a", "b a"]

@pytest.mark.modelcheck_tokenizer_conforms(texts=TEXTS, level="letters", expected_failures={expected})
def test_fault(): ...
'''


def with_template(template: str, message: str) -> Fault:
    return Fault(
        TOKENIZER.format(kind="PreTrainedTokenizerFast", template=template, expected=None),
        message,
        needs="transformers",
    )


GROUP = Group(
    "Folders of tokenizers",
    {
        "a folder that names a class of its own": Fault(
            TOKENIZER.format(kind="Remote", template=None, expected={"save_load": "it names code"}),
            "it is kept, and was expected to fail: it names code. Take it out of expected_failures.",
            "xpassed",
            needs="transformers",
        ),
        "a chat template that would run a command": with_template(
            "{{ cycler.__init__.__globals__.os.system('touch canary') }}", "not measured: SecurityError: …"
        ),
        "a chat template without an end": with_template(
            "{% for item in range(10**12) %}x{% endfor %}", "not measured: OverflowError: …"
        ),
    },
    hostile=True,
)
