"""What a study says, as values: it is collected once and written as HTML."""

from __future__ import annotations

from dataclasses import dataclass

from core.study.svg import Line, Mark, Point


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        rank: Shared by all that cannot be told from the best of it; None for what was tested on other images.
        runs: How many it is the mean of.
        low, high: 95% interval of the test accuracy; None where that is not known.
    """

    key: str
    name: str
    color: str
    dash: str
    rank: int | None
    runs: int
    test: float | None
    low: float | None
    high: float | None
    validation: float | None
    costs: tuple[tuple[str, float | None], ...]


@dataclass(frozen=True)
class CurveChart:
    """A chart of learning curves."""

    question: str
    x: str
    y: str
    percent: bool
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class CostChart:
    """A chart of accuracy over one cost."""

    question: str
    x: str
    marks: tuple[Mark, ...]
    front: tuple[Point, ...]


@dataclass(frozen=True)
class Picture:
    """An image with what was said of it. png: the file."""

    png: bytes
    caption: str


@dataclass(frozen=True)
class PictureRow:
    """The images that one of the best two gets right and the other does not."""

    heading: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Repeat:
    """How a run is repeated. yaml: its config, with `file` as the name that is suggested for it."""

    name: str
    run_id: str
    file: str
    yaml: str


@dataclass(frozen=True)
class Study:
    """One comparison."""

    title: str
    made: str
    verdict: tuple[str, ...]
    rows: tuple[Row, ...]
    curves: tuple[CurveChart, ...] = ()
    costs: tuple[CostChart, ...] = ()
    doubts: tuple[str, ...] = ()
    pictures: tuple[PictureRow, ...] = ()
    why_no_pictures: str = ""
    settings: tuple[tuple[str, tuple[str, ...]], ...] = ()
    untested: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    repeats: tuple[Repeat, ...] = ()
    cannot_repeat: tuple[str, ...] = ()
