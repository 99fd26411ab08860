"""The report as one HTML page that needs no network, and can be read without its script."""

from __future__ import annotations

from pytest_modelcheck.reports.run import Run


def render(run: Run) -> str:
    """A page with the run as a whole, and the table of all rows, worst first, each with its evidence.

    It opens from a disk, loads nothing, and runs nothing but its own script, which filters and sorts. What a page has
    no room for is left out from the passing end on, and the page says so.
    """
    # Only who asks for a page pays for it.
    from pytest_modelcheck.reports.page.document import document

    return document(run)
