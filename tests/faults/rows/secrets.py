"""What a report must not tell: secrets of the environment, passwords of URLs, names of people."""

from __future__ import annotations

from tests.faults.fault import Fault, Group
from tests.faults.reports import ALL_REPORTS, Session, tells_nowhere

GATES = """
import os
import pytest

class Leaky:
    def encode(self, text):
        raise ValueError({text})

    def decode(self, ids):
        return ""

@pytest.fixture
def leaky():
    return Leaky()

@pytest.mark.modelcheck_token_ids(tokenizer="leaky", text="abc", ids=[1])
def test_fault(): ...

@pytest.mark.modelcheck
def test_own():
    raise OSError({text})
"""

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "hunter2/aws",
    "GITHUB_TOKEN": "hunter2-gh",
    "HF_TOKEN": "hunter2-hf",
    "CI_JOB_TOKEN": "hunter2-gl",
    "GITHUB_REPOSITORY": "team/digits",
}


def leaked(text: str, shown: str, *secrets: str) -> Fault:
    """An exception whose text has secrets, and how it is told."""
    return Fault(
        GATES.format(text="os.environ['TOLD']"),
        f"token_ids of Leaky: not measured: ValueError: {shown}",
        environment={"TOLD": text, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": "summary.md"},
        options=ALL_REPORTS,
        check=lambda session: tells_nowhere(session, *secrets),
    )


def _knows_its_build(session: Session) -> None:
    assert session.report["environment"]["GITHUB_REPOSITORY"] == "team/digits"
    tells_nowhere(session, "hunter2", *(name for name in SECRETS if name != "GITHUB_REPOSITORY"))


GROUP = Group(
    "Secrets",
    {
        "secrets in the environment": Fault(
            GATES.format(text='"no access"'),
            "token_ids of Leaky: not measured: ValueError: no access",
            environment={**SECRETS, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": "summary.md"},
            options=ALL_REPORTS,
            check=_knows_its_build,
        ),
        "a password in a URL of an exception": leaked(
            "401 of https://alice:hunter2@host.example/m.pt, of postgres://:hunter2@db and hunter2",
            "401 of https://…@host.example/m.pt, of postgres://…@db and hunter2",
            "hunter2@",
            "alice",
        ),
        "a token in a URL of an exception": leaked(
            "403 of https://s3.example/m.pt?X-Amz-Credential=hunter2%2F1&part=1&X-Amz-Signature=hunter2&token=hunter2",
            "403 of https://s3.example/m.pt?X-Amz-Credential=…&part=1&X-Amz-Signature=…&token=…",
            "hunter2",
        ),
        "the home of a person in an exception": leaked(
            "no /home/alice/models/m.pt, no /Users/alice/m.pt and no C:\\Users\\alice\\m.pt",
            "no /home/…/models/m.pt, no /Users/…/m.pt and no C:\\Users\\…\\m.pt",
            "alice",
        ),
    },
    hostile=True,
)
