"""The options of an import, and the checks of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from core.config import KEEP_TOGETHER
from core.datasets.records import Problem
from core.images.target import POLICIES
from core.images.value_range import check_range
from core.importing.listing import Item, Listing, class_name, class_order, some
from core.system.text import shortened

MAX_SIDE = 1024


class ImportRefused(ValueError):
    """An import is impossible; one sentence says what, which rule, and what was received."""


@dataclass(frozen=True)
class Request:
    """The options of an import; None: chosen automatically."""

    size: tuple[int, int] | None
    channels: int | None
    test_fraction: float | None
    policy: str
    mirror: tuple[str, str] | None
    seed: int
    value_range: tuple[float, float] | None = None
    keep_together: str = "identical"

    def label(self, item: Item) -> str:
        """Return the class that an image is counted in."""
        return self.mirror[1] if self.mirror and self.is_mirrored(item) else item.place.label

    def is_mirrored(self, item: Item) -> bool:
        return self.mirror is not None and item.place.label == self.mirror[0]


def checked_request(
    size: int | tuple[int, int] | None,
    channels: int | None,
    test_fraction: float | None,
    policy: str,
    mirror: tuple[str, str] | None,
    seed: int,
    value_range: Sequence[float] | None = None,
    keep_together: str = "identical",
) -> Request:
    """Validate the options. Raises ImportRefused with the rule and the value received."""
    sides = (size, size) if isinstance(size, int) else size
    if sides is not None and (len(sides) != 2 or not all(1 <= side <= MAX_SIDE for side in sides)):
        raise ImportRefused(f"`size` must be 1 to {MAX_SIDE} pixels, or two such numbers. Received: {size}.")
    if channels not in (None, 1, 3):
        raise ImportRefused(f"`channels` must be 1 (grey) or 3 (RGB). Received: {channels}.")
    if test_fraction is not None and not 0.01 <= test_fraction <= 0.9:
        raise ImportRefused(f"`test_fraction` must be in 0.01 to 0.9. Received: {test_fraction}.")
    if policy not in POLICIES:
        raise ImportRefused(f"`policy` must be one of {', '.join(POLICIES)}. Received: {shortened(policy)}.")
    if mirror is not None and (len(mirror) != 2 or mirror[0] == mirror[1]):
        raise ImportRefused(f"`mirror` must name two different classes. Received: {mirror}.")
    if mirror is not None:
        mirror = (class_name(mirror[0]), class_name(mirror[1]))
    if seed < 0:
        raise ImportRefused(f"`seed` must not be negative. Received: {seed}.")
    try:
        values = check_range(value_range)
    except ValueError as error:
        raise ImportRefused(str(error)) from None
    if keep_together not in KEEP_TOGETHER:
        raise ImportRefused(
            f"`keep_together` must be one of {', '.join(KEEP_TOGETHER)}. "
            f"Received: {shortened(keep_together)}."
        )
    return Request(sides, channels, test_fraction, policy, mirror, seed, values, keep_together)


def parse_columns(assignments: Iterable[str]) -> dict[str, str] | None:
    """Parse `["label=kind"]` to a mapping of roles to columns; None when empty. Raises ImportRefused."""
    columns = {}
    for text in assignments:
        role, sign, name = (part.strip() for part in text.partition("="))
        if not (role and sign and name):
            raise ImportRefused(
                f"A column must be written role=name, as label=kind. Received: {shortened(text)}."
            )
        columns[role] = name
    return columns or None


def parse_range(text: str) -> tuple[float, float] | None:
    """Parse `"0, 4095"` to two numbers; None for an empty text. Raises ImportRefused."""
    words = text.replace(",", " ").replace(";", " ").split()
    try:
        return check_range([float(word) for word in words]) if words else None
    except ValueError:
        raise ImportRefused(
            "A value range must be two numbers, the value that becomes black and a larger one that becomes "
            f"white, as 0, 4095. Received: {shortened(text.strip())}."
        ) from None


def check_source(listing: Listing, request: Request) -> None:
    """Raise ImportRefused for problems that are visible before an image is decoded."""
    labels = {item.place.label for item in listing.items}
    check_classes(labels, listing.title, listing.problems)
    for label in request.mirror or ():
        if label not in labels:
            raise ImportRefused(
                f"`mirror` names a class that {listing.title} does not have: {shortened(label)}. "
                f"Classes: {some(class_order(labels))}."
            )
    if request.test_fraction is not None and any(item.place.subset == "test" for item in listing.items):
        raise ImportRefused(
            f"`test_fraction` is for sources without a test set, but {listing.title} brings one. "
            f"Received: {request.test_fraction}."
        )


def check_classes(labels: Collection[str], title: str, problems: Sequence[Problem]) -> None:
    """Raise ImportRefused if a source has fewer than the two classes that a dataset needs.

    title: of the source.
    """
    if not labels:
        raise ImportRefused(
            f"{title} holds no image in a class folder (a folder a class, with or without train/, "
            f"validation/ and test/ above), nor a table that names images and labels.{example(problems)}"
        )
    if len(labels) < 2:
        raise ImportRefused(
            f"A dataset needs at least 2 classes: a folder each, or a table of images and labels (CSV, "
            f"TSV or Parquet). Received from {title}: "
            f"{some(class_order(set(labels)))}.{example(problems)}"
        )


def example(problems: Sequence[Problem]) -> str:
    """Return one of several problems as a sentence, to be appended to another; empty when there is none."""
    return f" For example, {shortened(problems[0].name)} {problems[0].reason}." if problems else ""
