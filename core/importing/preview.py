"""Preview an import: its classes by name, before anything is decoded or written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.datasets.records import SUBSETS, Problem
from core.images.name_encoding import Guess
from core.importing.listing import class_order
from core.importing.source import list_for_import
from core.system.settings import get_settings


@dataclass(frozen=True)
class ImportPreview:
    """The images of a source by their names alone; whether one can be decoded is only known in the import.

    Args:
        counts: images of each class, for every set that the source names; all count as training if it names
            none.
        guess: how names of undeclared encoding in an archive were read; None without such names.
    """

    classes: tuple[str, ...]
    counts: Mapping[str, tuple[int, ...]]
    notes: tuple[str, ...]
    problems: tuple[Problem, ...]
    guess: Guess | None

    @property
    def size(self) -> int:
        """The number of images in all sets."""
        return sum(map(sum, self.counts.values()))


def preview_import(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    links: Sequence[str | Path] = (),
) -> ImportPreview:
    """List what `import_images` would import. Raises ImportRefused when the source cannot be read."""
    get_settings().require_trainer("import datasets")
    listing = list_for_import(Path(path), columns, encoding, links)
    places = Counter((item.place.subset or "train", item.place.label) for item in listing.items)
    classes = class_order({label for _, label in places})
    return ImportPreview(
        tuple(classes),
        {subset: tuple(places[subset, label] for label in classes) for subset in SUBSETS},
        listing.notes,
        tuple(listing.problems),
        listing.guess,
    )
