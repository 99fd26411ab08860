"""The tests of single files of the package."""
