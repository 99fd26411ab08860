"""A tokenizer of letters for sessions inside of tests: the ids are code points, moved by `shift`."""

CONFTEST = """
    import pytest

    class Letters:
        def encode(self, text):
            return [ord(letter) + {shift} for letter in text]

        def decode(self, ids):
            return "".join(chr(item - {shift}) for item in ids)

    @pytest.fixture
    def tokenizer():
        return Letters()
"""
