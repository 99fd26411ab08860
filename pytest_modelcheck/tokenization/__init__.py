"""How text is measured: the hard corpus, a tokenizer's pipeline, and where two texts part."""
