"""Make a dataset of a folder, archive or table of images: decoded once, with every core, or not at all."""

from __future__ import annotations

import gc
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from zipfile import is_zipfile

import numpy as np

from core.datasets import datasets, store
from core.datasets.archive import ArchiveRefused
from core.datasets.decode import Unreadable
from core.datasets.decode_pool import (
    Cancelled,
    Failure,
    Result,
    decode_all,
    default_workers,
    measure_all,
)
from core.datasets.decode_worker import ANIMATED, CLIPPED, DEEP, TRANSPARENT
from core.datasets.duplicates import near_pairs_in
from core.datasets.layout import LayoutRefused
from core.datasets.list_source import list_source
from core.datasets.listing import Item, Listing, class_order, some
from core.datasets.records import SUBSETS, DatasetError, DatasetInfo, Problem, count_subsets
from core.datasets.request import ImportRefused, Request, check_source, checked_request, example
from core.datasets.sizing import Choice, NotAlike, NotGrey, NotShallow, choose, look
from core.datasets.split_report import hold_out_test
from core.datasets.tables import SUFFIXES, TableRefused
from core.datasets.value_range import IMAGE, Measured, Rule, Spread, find_range, number, range_notes, spread
from core.registry import UnknownName
from core.system.settings import absolute, get_settings

DEFAULT_TEST_FRACTION = 0.15
REPORT_EVERY_S = 0.2
MAX_PATH = 200  # characters of a path that a refusal repeats
MAX_PROBLEMS = 1000  # so many are listed by name
TRAIN, TEST = SUBSETS.index("train"), SUBSETS.index("test")

Progress = Callable[[int, int, float], None]


class ImportCancelled(RuntimeError):
    """An import was stopped on request; nothing was written."""


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
    """Import images: a folder or zip archive with a folder a class (with or without train/, validation/ and
    test/ above) or with a table of files and labels; or such a table itself; or Parquet with images inside.

    size: height and width in pixels, or one number for both. Default: the images' own when all are alike and
        none is over 256, else 96.
    channels: 1 (grey) or 3 (RGB). Default: 1 when no image has colour.
    test_fraction: 0.01 to 0.9 of every class held out for testing, chosen by `seed`; default 0.15. Only for
        sources that bring no test set.
    policy: `stretch` to the size, `pad` (fit, black around) or `crop` (cover, cut).
    mirror: (one, other): images of class `one` are flipped left to right and counted as class `other`.
    value_range: of images deeper than 8 bits, the value that becomes black and the one that becomes white.
        Default: one range found over all of them. Images of 8 bits are kept as they are.
    columns: for a table, its columns named otherwise than usual, by role: image, label, part, group.
    encoding: of a table, and of names in an archive, that are not UTF-8, as `cp932`; default: of names, the
        likeliest one.
    links: further folders that symbolic links of the source may lead into. Those that stay under the source's
        own folder are followed anyway, and no other ones.
    keep_together: copies of an image that the test set and later splits never share with training:
        `identical` pixels, or `near` duplicates too, which takes a millisecond an image.
    replace: the name may be taken; the old dataset is replaced when the new one is complete.
    workers: decoding processes; default one a core.
    progress: called with (images done, images in all, seconds left), from this thread.
    cancelled: asked several times a second whether to stop.

    Raises ImportRefused when the request or the source cannot be used, ImportCancelled when stopped,
    NotAllowed on a read-only server; what was there before is then still there.
    """
    get_settings().require_trainer("import datasets")
    request = checked_request(size, channels, test_fraction, policy, mirror, seed, value_range, keep_together)
    check_name_free(name, replace)
    listing = list_for_import(Path(path), columns, encoding, links)
    check_source(listing, request)
    report = _Reporter(len(listing.items), progress, cancelled)
    try:
        with store.draft(name, overwrite=replace) as folder:
            return _import(name, listing, request, folder, workers or default_workers(), report)
    except Cancelled:
        raise ImportCancelled(f"The import of '{name}' was cancelled; nothing was written.") from None
    except store.NameTaken:
        raise _taken(name) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ImportRefused(f"The folder {get_settings().datasets} cannot be written: {reason}.") from error


def remove(name: str) -> None:
    """Delete an imported dataset, or the prepared form of a source; never the files it was made of.

    Raises UnknownName when it is not on disk, NotAllowed on a read-only server.
    """
    get_settings().require_trainer("remove datasets")
    if name not in store.stored_names():
        imported = ", ".join(store.stored_names()) or "none"
        raise UnknownName(f"There is no imported dataset '{name}'. Imported: {imported}.")
    store.delete(name)


def _import(
    name: str, listing: Listing, request: Request, folder: Path, workers: int, report: _Reporter
) -> DatasetInfo:
    """Decode, drop what failed, hold out a test set; index and manifest come last."""
    choice, found, results, failures = _decoded(listing, request, folder, workers, report)
    target = choice.target
    values = _values_notes(target.values, found, results, listing, request)
    shape = (target.height, target.width, target.channels)
    if failures:
        store.keep_rows(folder / store.IMAGES, np.array([r.row for r in results], dtype=np.int64), shape)
    problems = listing.problems + [Problem(listing.items[f.row].name, f.reason) for f in failures]
    items = [listing.items[result.row] for result in results]
    classes = _classes(listing, items, problems, request)
    position = {label: i for i, label in enumerate(classes)}
    labels = np.array([position[request.label(item)] for item in items], dtype=np.int64)
    # An image without a group is a group of its own.
    groups = np.array([item.group or f"(image {row})" for row, item in enumerate(items)], dtype=object)
    grouped = any(item.group for item in items)
    subsets = np.array([SUBSETS.index(item.place.subset or "train") for item in items], dtype=np.int8)
    notes = listing.notes + choice.notes + values + _notes(results, classes, listing, request)
    digests = np.array([result.digest for result in results], dtype=object)
    if not (subsets == TEST).any():
        fraction = request.test_fraction or DEFAULT_TEST_FRACTION
        pool = np.flatnonzero(subsets == TRAIN)
        pairs = near_pairs_in(folder, digests) if request.keep_together == "near" else None
        held_out, told = hold_out_test(
            labels, groups if grouped else None, digests, pool, fraction, request.seed, pairs
        )
        subsets[held_out] = TEST
        notes += told
    if not (subsets == TRAIN).any():
        raise ImportRefused(f"{listing.title} has no readable image to train on.")
    store.write_index(
        folder,
        labels=labels,
        subsets=subsets,
        source_names=[item.name for item in items],
        groups=groups.tolist() if grouped else None,
        sizes=np.array([(result.height, result.width) for result in results], dtype=np.int32),
        digests=digests.tolist(),
    )
    info = DatasetInfo(
        name=name,
        title=name,
        shape=shape,
        classes=classes,
        counts=count_subsets(labels, subsets, len(classes)),
        fingerprint=store.fingerprint(shape, classes, labels, subsets, digests.tolist()),
        source=f"imported from {listing.title}",
        problems=_shortened(problems),
        notes=notes,
        grouped=grouped,
        value_range=target.values,
        options={
            "policy": request.policy,
            "mirror": request.mirror,
            "seed": request.seed,
            "keep_together": request.keep_together,
        },
    )
    return store.write_manifest(folder, info)


def _decoded(
    listing: Listing, request: Request, folder: Path, workers: int, report: _Reporter
) -> tuple[Choice, Spread | None, list[Result], list[Failure]]:
    """Decode everything into the draft, rows in the order of the listing. Once, unless the look deceived.

    Images deeper than 8 bits are read twice: first for the range of values that all of them share.
    """
    common, grey, deep = look(listing)
    found: Spread | None = None
    values: Rule = request.value_range or IMAGE
    while True:
        if deep and values == IMAGE:
            found = _measured(listing, folder, workers, report)
            values = find_range(found)
        choice = choose(request.size, request.channels, request.policy, common, grey, values)
        try:
            return choice, found, *_decode_as(choice, listing, request, folder, workers, report)
        except NotAlike:
            common = None
        except NotGrey:
            grey = False
        except NotShallow:
            deep = True


def _measured(listing: Listing, folder: Path, workers: int, report: _Reporter) -> Spread | None:
    """The values of all images deeper than 8 bits."""
    chunks = measure_all(
        listing.root,
        [item.where for item in listing.items],
        folder,
        workers=workers,
        cancelled=report.cancelled,
    )
    found: list[Measured] = []
    done = 0
    report.start()
    with closing(chunks):
        for chunk in chunks:
            found.extend(one for one in chunk if isinstance(one, Measured))
            done += len(chunk)
            report.tell(done)
    return spread(found)


def _values_notes(
    values: Rule, found: Spread | None, results: list[Result], listing: Listing, request: Request
) -> tuple[str, ...]:
    """What became of images deeper than 8 bits. Raises ImportRefused for a given range that none needs."""
    deep = sum(bool(result.flags & DEEP) for result in results)
    if not deep and request.value_range is not None:
        raise ImportRefused(
            f"`value_range` is for images deeper than 8 bits, and {listing.title} has none that can be read. "
            f"Received: {number(request.value_range[0])}, {number(request.value_range[1])}."
        )
    if not deep or not isinstance(values, tuple):
        return ()
    clipped = sum(bool(result.flags & CLIPPED) for result in results)
    return range_notes(found, values, deep, len(results) - deep, clipped, request.value_range is not None)


def _decode_as(
    choice: Choice, listing: Listing, request: Request, folder: Path, workers: int, report: _Reporter
) -> tuple[list[Result], list[Failure]]:
    target, images = choice.target, folder / store.IMAGES
    store.allocate_images(images, len(listing.items), (target.height, target.width, target.channels))
    chunks = decode_all(
        listing.root,
        [item.where for item in listing.items],
        {row for row, item in enumerate(listing.items) if request.is_mirrored(item)},
        target,
        folder,
        images,
        workers=workers,
        cancelled=report.cancelled,
    )
    found: list[Result | Failure] = []
    report.start()
    with closing(chunks):
        for chunk in chunks:
            choice.check(chunk)
            found.extend(chunk)
            report.tell(len(found))
    found.sort(key=lambda one: one.row)
    results = [one for one in found if isinstance(one, Result)]
    return results, [one for one in found if isinstance(one, Failure)]


class _Reporter:
    """Tells a few times a second how far the work is, and asks whether to go on."""

    def __init__(self, total: int, progress: Progress | None, cancelled: Callable[[], bool] | None):
        self.total = total
        self.progress = progress
        self._cancelled = cancelled

    def start(self) -> None:
        """Count from nothing: decoding begins, or begins again."""
        self._since = self._told = time.monotonic()
        self._counted = 0

    def tell(self, done: int) -> None:
        now = time.monotonic()
        if not self._counted:  # the clock starts here: before, the workers were starting
            self._since, self._told, self._counted = now, now, done
        if self.progress and (now - self._told >= REPORT_EVERY_S or done == self.total):
            self._told = now
            pace = (now - self._since) / max(done - self._counted, 1)
            self.progress(done, self.total, pace * (self.total - done))

    def cancelled(self) -> bool:
        return self._cancelled is not None and self._cancelled()


def _notes(
    results: list[Result], classes: tuple[str, ...], listing: Listing, request: Request
) -> tuple[str, ...]:
    """Sentences about what was converted and what a person should know."""
    counts = Counter(flag for result in results for flag in (TRANSPARENT, ANIMATED) if result.flags & flag)
    notes = []
    if counts[TRANSPARENT]:
        notes.append(f"{counts[TRANSPARENT]:,} images with transparency were laid on white.")
    if counts[ANIMATED]:
        notes.append(f"Of {counts[ANIMATED]:,} images with several frames the first was taken.")
    if request.mirror:
        one, other = request.mirror
        notes.append(f"Images of '{one}' were flipped left to right and counted as '{other}'.")
    rows = {result.row for result in results}
    trained = {
        request.label(item)
        for row, item in enumerate(listing.items)
        if row in rows and item.place.subset in (None, "train")
    }
    missing = [label for label in classes if label not in trained]
    if missing:
        notes.append(f"No training image is there for: {some(missing)}.")
    return tuple(notes)


def _classes(
    listing: Listing, items: list[Item], problems: list[Problem], request: Request
) -> tuple[str, ...]:
    """Names of the classes that have an image. Raises ImportRefused when fewer than two have."""
    classes = class_order({request.label(item) for item in items})
    lost = class_order({request.label(item) for item in listing.items} - set(classes))
    problems.extend(Problem(label, "has no readable image: no class was made of it") for label in lost)
    if len(classes) < 2:
        raise ImportRefused(
            f"A dataset needs at least 2 classes with readable images. Received from {listing.title}: "
            f"{some(classes) or 'none'}.{example(problems)}"
        )
    return tuple(classes)


def list_for_import(
    path: Path, columns: Mapping[str, str] | None, encoding: str | None, links: Sequence[str | Path]
) -> Listing:
    """What lies at a path, before anything is decoded. Raises ImportRefused when it cannot be imported."""
    if "\0" in str(path) or not os.path.exists(found := absolute(path)):  # takes a name of any length
        raise ImportRefused(f"There is no folder or file {str(path)[:MAX_PATH]!r}.")
    path = found
    readable = path.is_dir() or (path.is_file() and (path.suffix.lower() in SUFFIXES or is_zipfile(path)))
    if not readable:
        raise ImportRefused(
            f"The source must be a folder, a zip archive or a table ({', '.join(SUFFIXES)}). "
            f"Received: the file {path.name}."
        )
    allowed = [Path(os.path.expanduser(folder)) for folder in links]
    if allowed and not path.is_dir() and is_zipfile(path):
        raise ImportRefused(
            f"`links` is for folders: links in an archive are not read. Received: {path.name}."
        )
    for folder in allowed:
        if not os.path.isdir(folder):
            raise ImportRefused(
                f"`links` must name folders that links may lead into. Received: {str(folder)[:MAX_PATH]!r}."
            )
    try:
        with _collector_paused():
            return list_source(path, columns, encoding, allowed)
    except (ArchiveRefused, LayoutRefused, TableRefused, Unreadable) as error:
        raise ImportRefused(str(error)) from error
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error.strerror}.") from error


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Listing makes a million small tuples that live on; looking through them costs a third of its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def check_name_free(name: str, replace: bool) -> None:
    """Raise ImportRefused for a name that no dataset can have, or that another has unless it is replaced."""
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


def _shortened(problems: list[Problem]) -> tuple[Problem, ...]:
    if len(problems) <= MAX_PROBLEMS:
        return tuple(problems)
    more = len(problems) - MAX_PROBLEMS
    return (*problems[:MAX_PROBLEMS], Problem("…", f"and {more:,} more files were not imported"))
