"""Foreign text made inert: it moves no cursor, starts no line of its own, and tells no secret."""

from __future__ import annotations

import re

# Not compiled here: every start of pytest loads this module, and few of them have a text to look at.

# Who asks, before the host of a URL; and what opens a door, behind its question mark or in a header.
_USER = r"(?<=://)[^/?#\s]*@"
_KEY = r"(?i)([?&#;][\w.%-]*(?:token|key|secret|passw(?:or)?d|pwd|signature|credential|sig|auth)=)[^&#;\s'\"<>]+"
_HEADER = r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?(?:bearer|basic|token)\s+)[^\s'\"<>]+"

# A name of a person: on Windows it may have spaces, up to the next backslash.
_HOME = (
    r"(?<![\w.-])((?:/(?:mnt|var|export|private|usr))?/home|(?:/mnt/[a-z])?/Users|[A-Za-z]:[\\/]+Users)([\\/]+)"
    r"(?:[^\\/\s'\":,;)]+(?: [^\\/\s'\":,;)]+)*(?=\\)|[^\\/\s'\":,;)]+)"
)


def printable(text: str) -> str:
    r"""The text on one line, with control, format and bidirectional characters escaped.

    >>> printable("red\x1b[31m and\nnew\u202e")
    'red\\x1b[31m and\\nnew\\u202e'
    """
    return "".join(item if item == " " or item.isprintable() else ascii(item)[1:-1] for item in text)


def printable_lines(text: str) -> str:
    """The same for a text of several lines."""
    return "\n".join(map(printable, text.split("\n")))


def unicode_of(text: str) -> str:
    r"""The text with lone surrogates escaped, which are no Unicode text and fit in no file.

    >>> unicode_of("a\ud800é")
    'a\\ud800é'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def without_credentials(text: str) -> str:
    """The text without the users, passwords and keys that URLs in it have.

    >>> without_credentials("403 of https://me:pass@host/m.pt?part=1&token=abc")
    '403 of https://…@host/m.pt?part=1&token=…'
    """
    text = re.sub(_USER, "…@", text) if "://" in text else text
    return re.sub(_HEADER, r"\1…", re.sub(_KEY, r"\1…", text)) if "=" in text or "uthorization" in text else text


def discreet(text: str) -> str:
    """The text without credentials, and without the names of people that paths of their homes have.

    >>> discreet("no /home/alice/models/m.pt")
    'no /home/…/models/m.pt'
    """
    text = without_credentials(text)
    return re.sub(_HOME, r"\1\2…", text) if "/home" in text or "Users" in text else text
