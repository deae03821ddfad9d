"""Small charts as SVG, for a file that may not carry plotly.js: that alone has 4.8 MB.

Text, axes and grid take the colour of the page (`currentColor`), so that a chart is right on light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 12, 44
BUCKETS = 200  # of a line with more points the lowest and the highest of each bucket are drawn
DASHES = {"solid": "", "dash": "7 4", "dot": "2 3", "dashdot": "7 3 2 3", "longdash": "11 4"}

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A line with its band, whose points are (x, low, high)."""

    color: str
    dash: str
    points: tuple[Point, ...]
    band: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True)
class Mark:
    """A point with its interval. filled: it is on the front."""

    color: str
    label: str
    x: float
    y: float
    low: float
    high: float
    filled: bool = True


def lines(drawn: Sequence[Line], alt: str, x: str, y: str, percent: bool = False) -> str:
    """Draw lines over linear axes that fit their points; bands are cut where they leave them."""
    points = [(at, value) for line in drawn for at, value in line.points if math.isfinite(value)]
    if not points:
        return ""
    frame = _Frame.around(points, percent, log_x=False)
    body = []
    for line in drawn:
        band = [(at, low, high) for at, low, high in line.band if math.isfinite(low) and math.isfinite(high)]
        if len(band) > 1:
            lows = _thinned([(at, low) for at, low, _ in band], lowest=True)
            highs = _thinned([(at, high) for at, _, high in band], lowest=False)
            shape = " ".join(frame.at(*one) for one in [*lows, *reversed(highs)])
            body.append(f'<polygon points="{shape}" fill="{line.color}" fill-opacity=".18"/>')
    for line in drawn:
        kept = _thinned([one for one in line.points if math.isfinite(one[1])])
        path = " ".join(frame.at(*one) for one in kept)
        body.append(
            f'<polyline points="{path}" fill="none" stroke="{line.color}" stroke-width="2" '
            f'stroke-dasharray="{DASHES.get(line.dash, "11 4 2 4")}"/>'
        )
        if len(kept) == 1:
            at, value = frame.at(*kept[0]).split(",")
            body.append(f'<circle cx="{at}" cy="{value}" r="3" fill="{line.color}"/>')
    return frame.svg(body, alt, x, y)


def marks(drawn: Sequence[Mark], front: Sequence[Point], alt: str, x: str, y: str) -> str:
    """Draw points with intervals over a logarithmic x axis, and the front as steps."""
    if not drawn:
        return ""
    ends = [(one.x, value) for one in drawn for value in (one.low, one.high)]
    frame = _Frame.around(ends, percent=True, log_x=True)
    body, steps = [], list[Point]()
    for at, value in front:
        steps += [(at, steps[-1][1]), (at, value)] if steps else [(at, value)]
    path = " ".join(frame.at(*one) for one in steps)
    body.append(
        f'<polyline points="{path}" fill="none" stroke="currentColor" stroke-opacity=".6" '
        'stroke-dasharray="2 3"/>'
    )
    for one in drawn:
        across, height = frame.at(one.x, one.y).split(",")
        low, high = (frame.at(one.x, end).split(",")[1] for end in (one.low, one.high))
        body.append(
            f'<g stroke="{one.color}" stroke-width="2"><title>{escape(one.label)}</title>'
            f'<line x1="{across}" y1="{low}" x2="{across}" y2="{high}"/>'
            f'<circle cx="{across}" cy="{height}" r="5" class="{"full" if one.filled else "open"}" '
            f'fill="{one.color if one.filled else "var(--page)"}"/></g>'
        )
    return frame.svg(body, alt, x, y)


@dataclass(frozen=True)
class _Frame:
    """Axes: what lies at their ends, and how a point becomes a place."""

    low: Point
    high: Point
    percent: bool
    log_x: bool

    @classmethod
    def around(cls, points: Sequence[Point], percent: bool, log_x: bool) -> _Frame:
        xs, ys = [at for at, _ in points], [value for _, value in points]
        across = [math.log10(at) for at in xs] if log_x else xs
        (left, right), (bottom, top) = (_widened(min(v), max(v)) for v in (across, ys))
        if not log_x and min(across) >= 0:
            left = max(0.0, left)
        return cls((left, bottom), (right, top), percent, log_x)

    def at(self, x: float, y: float) -> str:
        """Return a place as SVG writes it."""
        across = math.log10(x) if self.log_x else x
        left = LEFT + (across - self.low[0]) / (self.high[0] - self.low[0]) * (WIDTH - LEFT - RIGHT)
        below = (self.high[1] - y) / (self.high[1] - self.low[1])
        inside = min(1.0, max(0.0, below))  # a band may leave the axes
        return f"{left:.1f},{TOP + inside * (HEIGHT - TOP - BOTTOM):.1f}"

    def svg(self, body: Sequence[str], alt: str, x: str, y: str) -> str:
        grid = []
        for value in _ticks(self.low[1], self.high[1]):
            down = self.at(10 ** self.low[0] if self.log_x else self.low[0], value).split(",")[1]
            said = f"{100 * value:.4g}%" if self.percent else f"{value:.4g}"
            grid.append(
                f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down}" y2="{down}" class="grid"/>'
                f'<text x="{LEFT - 6}" y="{down}" dy=".32em" text-anchor="end">{said}</text>'
            )
        for value in self._across():
            left = self.at(value, self.low[1]).split(",")[0]
            grid.append(
                f'<line x1="{left}" x2="{left}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" class="grid"/>'
                f'<text x="{left}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{_short(value)}</text>'
            )
        middle = TOP + (HEIGHT - TOP - BOTTOM) / 2
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(alt)}">{"".join(grid)}'
            f"{''.join(body)}"
            f'<text x="{LEFT + (WIDTH - LEFT - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x)}'
            f'</text><text transform="translate(13 {middle}) rotate(-90)" text-anchor="middle">{escape(y)}'
            "</text></svg>"
        )

    def _across(self) -> list[float]:
        """The values of x that are named."""
        if not self.log_x:
            return _ticks(self.low[0], self.high[0])
        powers = range(math.floor(self.low[0]), math.ceil(self.high[0]) + 1)
        steps = (1, 2, 5) if self.high[0] - self.low[0] < 2.5 else (1,)
        every = [step * 10.0**power for power in powers for step in steps]
        return [one for one in every if self.low[0] <= math.log10(one) <= self.high[0]]


def _widened(low: float, high: float) -> Point:
    """A range with a little room on both sides."""
    room = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between two, about five."""
    rough = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    first = math.ceil(low / step)
    return [one * step for one in range(first, math.floor(high / step) + 1)]


def _short(value: float) -> str:
    """`44000` as 44k."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.4g}{sign}"
    return f"{value:.4g}"


def _thinned(points: Sequence[Point], lowest: bool | None = None) -> list[Point]:
    """Return few enough points to draw: all, or the lowest and the highest of each of `BUCKETS` parts.

    lowest: True for the lowest alone, False for the highest alone.
    """
    if len(points) <= 2 * BUCKETS:
        return list(points)
    found: list[Point] = []
    for number in range(BUCKETS):
        part = points[number * len(points) // BUCKETS : (number + 1) * len(points) // BUCKETS]
        low, high = min(part, key=_height), max(part, key=_height)
        found += [low] if lowest else [high] if lowest is False else sorted({low, high})
    return found


def _height(point: Point) -> float:
    return point[1]
