"""Elements of HTML and SVG: whatever is put into one is escaped, unless it is an element itself."""

from __future__ import annotations

from html import escape

from pytest_modelcheck.escape import printable

# SVG's elements that never hold another one here, and are closed where they are opened.
_EMPTY = frozenset({"rect", "line", "circle", "polyline", "img"})


class Markup(str):
    """Text that is markup already; templates that escape what they are given leave it as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


def element(tag: str, *children: str, **attributes: str | float) -> Markup:
    """An element; an underscore in the name of an attribute stands for a hyphen, and one at its end for nothing.

    >>> element("b", "1 < 2", element("i", "x"), class_="a", aria_label='"')
    '<b class="a" aria-label="&quot;">1 &lt; 2<i>x</i></b>'
    >>> element("rect", width=1 / 3)
    '<rect width="0.33"/>'
    """
    told = "".join(f' {_name(name)}="{_value(value)}"' for name, value in attributes.items())
    if tag in _EMPTY:
        return Markup(f"<{tag}{told}/>" if tag != "img" else f"<{tag}{told}>")
    return Markup(f"<{tag}{told}>{joined(*children)}</{tag}>")


def joined(*parts: str) -> Markup:
    """Texts and elements, one after the other."""
    return Markup("".join(part if isinstance(part, Markup) else escape(printable(part)) for part in parts))


def percent(share: float) -> str:
    """A place within its parent, which SVG takes in shares of the whole, so that a plot is as wide as there is room.

    >>> percent(0.25)
    '25%'
    """
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + "%"


def _name(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return escape(printable(value))
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
