"""A small model repository: a text encoder and a digit classifier, gated by pytest-modelcheck."""
