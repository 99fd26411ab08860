"""What URLs and paths tell of a person is not told on."""

from __future__ import annotations

import pytest

from pytest_modelcheck.escape import discreet, without_credentials

CREDENTIALS = {
    "https://me:pass@host/m.pt": "https://…@host/m.pt",
    "git+ssh://git@host:22/m": "git+ssh://…@host:22/m",
    "postgres://:p@ss@db and https://token@host": "postgres://…@db and https://…@host",
    "https://host/m.pt?part=1&token=abc&x=2#end": "https://host/m.pt?part=1&token=…&x=2#end",
    "HTTPSConnectionPool(host='h', port=443): url: /m.pt?token=abc (refused)": (
        "HTTPSConnectionPool(host='h', port=443): url: /m.pt?token=… (refused)"
    ),
    "https://h/x#access_token=abc&y=1": "https://h/x#access_token=…&y=1",
    "?auth=abc;pwd=d": "?auth=…;pwd=…",
    "Authorization: Bearer abc.def": "Authorization: Bearer …",
    "{'authorization': 'Basic YWJj'}": "{'authorization': 'Basic …'}",
    "('https://host/m?X-Amz-Signature=abc', 3)": "('https://host/m?X-Amz-Signature=…', 3)",
}

NONE = [
    "https://host/@me/m.pt",
    "me@host",
    "a://b",
    "tokens=3",
    "a basic thing",
    "https://host/m?parts=3",
    "https://host me@host",
]


@pytest.mark.parametrize(("text", "expected"), CREDENTIALS.items())
def test_credentials_of_a_url_are_left_out(text, expected):
    assert without_credentials(text) == expected
    assert discreet(text) == expected


@pytest.mark.parametrize("text", NONE)
def test_a_text_without_them_stays(text):
    assert discreet(text) == text


HOMES = {
    "/home/alice/m.pt": "/home/…/m.pt",
    "'/Users/alice', 3": "'/Users/…', 3",
    "C:\\Users\\alice\\m.pt": "C:\\Users\\…\\m.pt",
    "C:\\Users\\Alice Smith\\m.pt is missing": "C:\\Users\\…\\m.pt is missing",
    "C:\\Users\\alice is missing": "C:\\Users\\… is missing",
    "'C:\\\\Users\\\\alice\\\\m.pt'": "'C:\\\\Users\\\\…\\\\m.pt'",
    "file:///home/alice/m.pt": "file:///home/…/m.pt",
    "/var/home/alice and /mnt/c/Users/alice/m": "/var/home/… and /mnt/c/Users/…/m",
    "https://host/home/page/m": "https://host/home/page/m",
    "/data/home/alice": "/data/home/alice",
    "/home": "/home",
}


@pytest.mark.parametrize(("text", "expected"), HOMES.items())
def test_a_home_is_not_named(text, expected):
    assert discreet(text) == expected
    assert without_credentials(text) == text
