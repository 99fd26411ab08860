"""What URLs and paths tell of a person is not told on."""

from __future__ import annotations

import pytest

from pytest_modelcheck.escape import discreet, without_credentials

CREDENTIALS = {
    "https://me:pass@host/m.pt": "https://…@host/m.pt",
    "git+ssh://git@host:22/m": "git+ssh://…@host:22/m",
    "postgres://:p@ss@db and https://token@host": "postgres://…@db and https://…@host",
    "https://host/m.pt?part=1&token=abc&x=2#end": "https://host/m.pt?part=1&token=…&x=2#end",
    "('https://host/m?X-Amz-Signature=abc', 3)": "('https://host/m?X-Amz-Signature=…', 3)",
}

NONE = ["https://host/@me/m.pt", "me@host", "a://b", "?token=abc", "https://host/m?parts=3", "https://host me@host"]


@pytest.mark.parametrize(("text", "expected"), CREDENTIALS.items())
def test_credentials_of_a_url_are_left_out(text, expected):
    assert without_credentials(text) == expected
    assert discreet(text) == expected


@pytest.mark.parametrize("text", NONE)
def test_a_text_without_them_stays(text):
    assert discreet(text) == text


HOMES = {
    "/home/alice/m.pt": "~/m.pt",
    "'/Users/alice', 3": "'~', 3",
    "C:\\Users\\alice\\m.pt": "~\\m.pt",
    "'C:\\\\Users\\\\alice\\\\m.pt'": "'~\\\\m.pt'",
    "file:///home/alice/m.pt": "file://~/m.pt",
    "https://host/home/page/m": "https://host/home/page/m",
    "/data/home/alice": "/data/home/alice",
    "/home": "/home",
}


@pytest.mark.parametrize(("text", "expected"), HOMES.items())
def test_a_home_is_not_named(text, expected):
    assert discreet(text) == expected
    assert without_credentials(text) == text
