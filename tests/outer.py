"""The run of these tests, as against those inside of them."""

# What the environment says to the run of these tests, and not to the runs inside of them.
OUTER = (
    "CI",
    "NO_COLOR",
    "FORCE_COLOR",
    "COLUMNS",
    "GITHUB_ACTIONS",
    "GITHUB_STEP_SUMMARY",
    "GITHUB_WORKSPACE",
    "PYTEST_XDIST_TESTRUNUID",
    "PYTEST_XDIST_WORKER",
    "PYTEST_XDIST_WORKER_COUNT",
    "PYTHONIOENCODING",
    "PYTHONWARNINGS",
)
