"""A transformer from scratch: attention, positions, encoder and decoder, and three tasks that it learns."""
