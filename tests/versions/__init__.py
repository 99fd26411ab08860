"""The tests beside other versions, and without some packages: `python -m tests.versions NAME ...`."""
