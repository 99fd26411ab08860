"""How many small faults the tests notice: `python -m tests.mutation`."""
