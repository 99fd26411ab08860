"""The tests of the checks: what passes, and what is broken in one known way."""
