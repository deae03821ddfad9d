"""Import images as a dataset: decoded once, on every core, completely or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from core.datasets import datasets, store
from core.datasets.drafts import NameTaken, delete, draft
from core.datasets.duplicates import near_pairs_in
from core.datasets.records import SUBSETS, DatasetError, DatasetInfo, Problem, count_subsets
from core.datasets.split_report import hold_out_test
from core.datasets.store_write import write_index, write_manifest
from core.images.decode_pool import (
    Cancelled,
    default_workers,
)
from core.images.digests import fingerprint
from core.images.npy_file import keep_rows
from core.importing.decoding import Progress, Reporter, decode_listing
from core.importing.listing import Item, Listing, class_order, some
from core.importing.notes import first_problems, image_notes, value_range_notes
from core.importing.request import ImportRefused, Request, check_source, checked_request, example
from core.importing.source import list_for_import
from core.registry import UnknownName
from core.system.settings import get_settings

DEFAULT_TEST_FRACTION = 0.15
TRAIN, TEST = SUBSETS.index("train"), SUBSETS.index("test")


class ImportCancelled(RuntimeError):
    """An import was cancelled; nothing was written."""


def import_images(
    name: str,
    path: str | Path,
    *,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    test_fraction: float | None = None,
    policy: str = "stretch",
    mirror: tuple[str, str] | None = None,
    seed: int = 0,
    value_range: Sequence[float] | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    links: Sequence[str | Path] = (),
    keep_together: str = "identical",
    replace: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> DatasetInfo:
    """Import images as a dataset.

    The source is a folder or zip archive with a folder per class (with or without train/, validation/ and
    test/ above) or with a table of files and labels; or such a table itself; or Parquet with images inside.

    Args:
        name: of the dataset.
        path: of the source.
        size: height and width in pixels, or one number for both. Default: the images' own if all are equal
            and at most 256, else 96.
        channels: 1 (grey) or 3 (RGB). Default: 1 when no image has colour.
        test_fraction: 0.01 to 0.9 of every class held out for testing; default 0.15. Only for sources without
            a test set.
        policy: `stretch` to the size, `pad` (fit inside, with a black border) or `crop` (cover, cut off the
            rest).
        mirror: (one, other): images of class `one` are flipped left to right and counted as class `other`.
        seed: of the choice of the test set.
        value_range: of images deeper than 8 bits, the values that become black and white. Default: one range
            found over all of them. Images of 8 bits are not changed.
        columns: for a table, its columns with unusual names, by role: image, label, part, group.
        encoding: of a table, and of names in an archive, that are not UTF-8, such as `cp932`; default: of
            names, the likeliest one.
        links: further folders that symbolic links of the source may lead into. Links that stay in the
            source's own folder are always followed, no others.
        keep_together: copies of an image that the test set and later splits never share with training:
            `identical` pixels, or `near` duplicates too, which takes a millisecond per image.
        replace: replace a dataset of this name once the new one is complete.
        workers: number of decoding processes; default: one per core.
        progress: called with (images done, images in all, seconds left), from this thread.
        cancelled: called several times a second; once it returns True, the import stops.

    Raises:
        ImportRefused: the options or the source cannot be used.
        ImportCancelled: `cancelled` returned True.
        NotAllowed: this server is read-only.

        After any of them, what existed before is unchanged.
    """
    get_settings().require_trainer("import datasets")
    request = checked_request(size, channels, test_fraction, policy, mirror, seed, value_range, keep_together)
    check_name_free(name, replace)
    listing = list_for_import(Path(path), columns, encoding, links)
    check_source(listing, request)
    report = Reporter(len(listing.items), progress, cancelled)
    try:
        with draft(name, overwrite=replace) as folder:
            return _import(name, listing, request, folder, workers or default_workers(), report)
    except Cancelled:
        raise ImportCancelled(f"The import of '{name}' was cancelled; nothing was written.") from None
    except NameTaken:
        raise _taken(name) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ImportRefused(f"The folder {get_settings().datasets} cannot be written: {reason}.") from error


def remove(name: str) -> None:
    """Delete an imported dataset, or the prepared form of a source; never the files that it was made of.

    Raises UnknownName when it is not on disk, NotAllowed on a read-only server.
    """
    get_settings().require_trainer("remove datasets")
    if name not in store.stored_names():
        imported = ", ".join(store.stored_names()) or "none"
        raise UnknownName(f"There is no imported dataset '{name}'. Imported: {imported}.")
    delete(name)


def _import(
    name: str, listing: Listing, request: Request, folder: Path, workers: int, report: Reporter
) -> DatasetInfo:
    """Decode, drop unreadable images, hold out a test set; index and manifest are written last."""
    sizing, found, results, failures = decode_listing(listing, request, folder, workers, report)
    target = sizing.target
    values = value_range_notes(target.values, found, results, listing, request)
    shape = (target.height, target.width, target.channels)
    if failures:
        keep_rows(folder / store.IMAGES, np.array([r.row for r in results], dtype=np.int64), shape)
    problems = listing.problems + [Problem(listing.items[f.row].name, f.reason) for f in failures]
    items = [listing.items[result.row] for result in results]
    classes = _classes(listing, items, problems, request)
    notes = listing.notes + sizing.notes + values + image_notes(results, classes, listing, request)
    position = {label: i for i, label in enumerate(classes)}
    labels = np.array([position[request.label(item)] for item in items], dtype=np.int64)
    groups = _groups(items)
    digests = np.array([result.digest for result in results], dtype=object)
    subsets, more_notes = _subsets(items, labels, groups, digests, request, folder)
    notes += more_notes
    if not (subsets == TRAIN).any():
        raise ImportRefused(f"{listing.title} has no readable image to train on.")
    write_index(
        folder,
        labels=labels,
        subsets=subsets,
        source_names=[item.name for item in items],
        groups=None if groups is None else groups.tolist(),
        sizes=np.array([(result.height, result.width) for result in results], dtype=np.int32),
        digests=digests.tolist(),
    )
    info = DatasetInfo(
        name=name,
        title=name,
        shape=shape,
        classes=classes,
        counts=count_subsets(labels, subsets, len(classes)),
        fingerprint=fingerprint(shape, classes, labels, subsets, digests.tolist()),
        source=f"imported from {listing.title}",
        problems=first_problems(problems),
        notes=notes,
        grouped=groups is not None,
        value_range=target.values,
        options={
            "policy": request.policy,
            "mirror": request.mirror,
            "seed": request.seed,
            "keep_together": request.keep_together,
        },
    )
    return write_manifest(folder, info)


def _groups(items: list[Item]) -> np.ndarray | None:
    """Return the name of each image's group: `(N,)`.

    An image without one is a group of its own. None: no groups.
    """
    if not any(item.group for item in items):
        return None
    return np.array([item.group or f"(image {row})" for row, item in enumerate(items)], dtype=object)


def _subsets(
    items: list[Item],
    labels: np.ndarray,
    groups: np.ndarray | None,
    digests: np.ndarray,
    request: Request,
    folder: Path,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the set of each image, int8 `(N,)`, and notes; holds out a test set if the source has none."""
    subsets = np.array([SUBSETS.index(item.place.subset or "train") for item in items], dtype=np.int8)
    if (subsets == TEST).any():
        return subsets, ()
    fraction = request.test_fraction or DEFAULT_TEST_FRACTION
    pool = np.flatnonzero(subsets == TRAIN)
    pairs = near_pairs_in(folder, digests) if request.keep_together == "near" else None
    held_out, notes = hold_out_test(labels, groups, digests, pool, fraction, request.seed, pairs)
    subsets[held_out] = TEST
    return subsets, notes


def _classes(
    listing: Listing, items: list[Item], problems: list[Problem], request: Request
) -> tuple[str, ...]:
    """Return the classes that have an image. Raises ImportRefused if there are fewer than two."""
    classes = class_order({request.label(item) for item in items})
    lost = class_order({request.label(item) for item in listing.items} - set(classes))
    problems.extend(Problem(label, "has no readable image: no class was made of it") for label in lost)
    if len(classes) < 2:
        raise ImportRefused(
            f"A dataset needs at least 2 classes with readable images. Received from {listing.title}: "
            f"{some(classes) or 'none'}.{example(problems)}"
        )
    return tuple(classes)


def check_name_free(name: str, replace: bool) -> None:
    """Raise ImportRefused for an invalid name, or one that is taken and not to be replaced."""
    try:
        taken = store.exists(name)
    except DatasetError as error:
        raise ImportRefused(str(error)) from None
    if name in datasets and datasets.get(name).embedded:
        raise ImportRefused(f"The name '{name}' belongs to a dataset that ships with the program.")
    if taken and not replace:
        raise _taken(name)


def _taken(name: str) -> ImportRefused:
    return ImportRefused(
        f"A dataset named '{name}' exists. Ask for it to be replaced, or choose another name."
    )
