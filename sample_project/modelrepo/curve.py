"""The curve of a run as an SVG: the loss above, on a logarithmic scale, and the accuracy below."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

Row = Mapping[str, float | None]
Point = tuple[float, float]

_WIDTH, _HEIGHT = 720, 500
_LEFT, _RIGHT = 64, 650
_LOSS, _ACCURACY = (66, 262), (302, 448)  # top and bottom of the two panels
_STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #444 }
  .title { font-size: 15px; font-weight: 600; fill: #111 }
  .grid { stroke: #e4e4e4 }
  .loss { fill: none; stroke: #b5532a; stroke-width: 1.8; stroke-linejoin: round }
  .accuracy { fill: none; stroke: #1f6fb2; stroke-width: 1.8; stroke-linejoin: round }
  circle { fill: #1f6fb2 }
"""


def curve_svg(rows: Sequence[Row], title: str) -> str:
    """The rows' `train_loss` and `val_acc` over `epoch`, as an SVG file's text. Values that are NaN are left out."""
    losses = _points(rows, "train_loss")
    accuracies = _points(rows, "val_acc")
    last = max([1.0, *(epoch for epoch, _ in (*losses, *accuracies))])

    def across(epoch: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * epoch / last

    body = [_text(_LEFT, 26, title, "title")]
    positive = [(epoch, loss) for epoch, loss in losses if loss > 0]
    if positive:
        ticks = _decades(min(loss for _, loss in positive), max(loss for _, loss in positive))
        place = _scale(math.log(ticks[0]), math.log(ticks[-1]), *_LOSS)
        body += _panel("training loss", _LOSS, {f"{tick:g}": place(math.log(tick)) for tick in ticks})
        body += _line("loss", [(across(epoch), place(math.log(loss))) for epoch, loss in positive])
        epoch, loss = positive[-1]
        body.append(_text(across(epoch) + 8, place(math.log(loss)) + 4, f"{loss:.4f}"))
    if accuracies:
        ticks = _steps(min(accuracy for _, accuracy in accuracies))
        place = _scale(ticks[0], ticks[-1], *_ACCURACY)
        body += _panel("validation accuracy", _ACCURACY, {f"{tick:g}": place(tick) for tick in ticks})
        dots = [(across(epoch), place(accuracy)) for epoch, accuracy in accuracies]
        body += _line("accuracy", dots)
        body += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in dots]
        body.append(_text(dots[-1][0] + 8, dots[-1][1] + 4, f"{accuracies[-1][1]:.4f}"))
    step = max(1, round(last / 10))
    body += [_text(across(epoch), 470, str(epoch), anchor="middle") for epoch in range(0, math.floor(last) + 1, step)]
    body.append(_text((_LEFT + _RIGHT) / 2, 490, "epoch", anchor="middle"))
    lines = "\n".join(f"  {item}" for item in body)
    size = f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">\n'
        f"<style>{_STYLE}</style>\n"
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>\n{lines}\n</svg>\n'
    )


def _points(rows: Sequence[Row], name: str) -> list[Point]:
    found = [(row["epoch"], row[name]) for row in rows]
    return [(x, y) for x, y in found if x is not None and y is not None and math.isfinite(y)]


def _scale(low: float, high: float, top: int, bottom: int) -> Callable[[float], float]:
    return lambda value: bottom - (bottom - top) * (value - low) / (high - low)


def _decades(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten that lie around these values."""
    ticks = [
        digit * 10.0**power
        for power in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
        for digit in (1, 2, 5)
    ]
    first = max(index for index, tick in enumerate(ticks) if tick <= low * (1 + 1e-9))
    last = min(index for index, tick in enumerate(ticks) if tick >= high * (1 - 1e-9))
    return ticks[first : max(last, first + 1) + 1]


def _steps(low: float) -> list[float]:
    """Up to six even steps from at most this accuracy up to 1."""
    step = next(step for step in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2) if (1 - low) / step <= 5)
    number = max(1, math.ceil((1 - low) / step - 1e-9))
    return [round(1 - step * index, 6) for index in range(number, -1, -1)]


def _panel(name: str, edges: tuple[int, int], ticks: Mapping[str, float]) -> list[str]:
    grid = [f'<path class="grid" d="M{_LEFT} {y:.1f}H{_RIGHT}"/>' for y in ticks.values()]
    labels = [_text(_LEFT - 8, y + 4, label, anchor="end") for label, y in ticks.items()]
    return [_text(_LEFT, edges[0] - 10, name), *grid, *labels]


def _line(name: str, points: Sequence[Point]) -> list[str]:
    return [f'<polyline class="{name}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>']


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
