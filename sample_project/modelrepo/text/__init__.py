"""Text: DistilBERT's tokenizer with the real uncased vocabulary, and its encoder."""
