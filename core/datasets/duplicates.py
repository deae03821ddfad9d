"""Find images that occur more than once: with equal pixels, or nearly equal.

Near duplicates are found by a perceptual hash (ImageHash's phash: the signs of the lowest frequencies) and
confirmed on the pixels, because small simple images have equal hashes without being alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np

from core.datasets import load, store
from core.datasets.records import LEFT_OUT, SUBSETS, ImageDataset, digest_keys
from core.images.pixels import to_image
from core.system.files import replacing

HASHES, PAIRS = "phash.npy", "near_pairs.npy"
BANDS = 4  # hashes that differ in fewer bits than this agree in one band at least
CORRELATION = 0.97  # of the grey pixels: above it two images look the same
MAX_ALIKE = 512  # images with the same hash; more than that are empty images, and are not compared
CHUNK = 1024  # images that are compared with all others of a band at once
REPORT_EVERY = 512
_computing: dict[Path, Lock] = {}  # by folder: pages are threads of one process


class Duplicates(NamedTuple):
    """Images that are the same.

    Args:
        rows: int64, ascending.
        exact: equal pixel by pixel.
        subsets: the sets that they are in; several mean that validation or test set is not independent.
        labels: their classes; several mean that at least one label is wrong.
    """

    rows: np.ndarray
    exact: bool
    subsets: tuple[str, ...]
    labels: tuple[int, ...]

    @property
    def leaks(self) -> bool:
        return len(self.subsets) > 1

    @property
    def disagrees(self) -> bool:
        return len(self.labels) > 1


def exact_duplicates(dataset: ImageDataset) -> list[Duplicates]:
    """Return groups of images with equal pixels; groups that several sets share first, then by size."""
    rows = dataset.indices()
    keys = digest_keys(dataset.digests)[rows]
    _, membership, counts = np.unique(keys, return_inverse=True, return_counts=True)
    repeated = np.flatnonzero(counts[membership] > 1)
    order = repeated[np.argsort(membership[repeated], kind="stable")]
    edges = np.flatnonzero(np.diff(membership[order])) + 1
    return _sorted(_group(dataset, rows[group], True) for group in np.split(order, edges) if len(group))


def near_duplicates(
    name: str, progress: Callable[[int, int], None] | None = None, correlation: float = CORRELATION
) -> list[Duplicates]:
    """Return groups of images that look the same without being equal; groups that several sets share first.

    The hashes take a quarter of a millisecond per image and are stored beside the dataset.

    Args:
        progress: called with (images done, images in all).
        correlation: of grey pixels, 0 to 1, above which two images look the same.
    """
    dataset = load(name)
    pairs = near_pairs(dataset, progress, correlation)
    kept = np.zeros(len(dataset), bool)
    kept[dataset.indices()] = True
    pairs = pairs[kept[pairs].all(axis=1)]
    return _sorted(_group(dataset, group, False) for group in _components(pairs, len(dataset)))


def near_pairs(
    dataset: ImageDataset,
    progress: Callable[[int, int], None] | None = None,
    correlation: float = CORRELATION,
) -> np.ndarray:
    """Return pairs of images that look the same without being equal, without those left out: int64 `(P, 2)`.

    Of identical images, the first that is not left out represents all.
    """
    pairs = near_pairs_in(store.folder_of(dataset.info.name), dataset.digests, progress, correlation)
    number = np.unique(digest_keys(dataset.digests), return_inverse=True)[1]
    first = np.full(number.max(initial=-1) + 1, -1, np.int64)
    kept = dataset.indices()[::-1]
    first[number[kept]] = kept  # the first one is written last
    pairs = first[number[pairs]]
    return pairs[(pairs >= 0).all(axis=1)]


def near_pairs_in(
    folder: Path,
    digests: np.ndarray,
    progress: Callable[[int, int], None] | None = None,
    correlation: float = CORRELATION,
) -> np.ndarray:
    """Return pairs of images that look the same without being equal: int64 `(P, 2)`.

    The result is stored beside the dataset. Of identical images, the first represents all. Colour images are
    compared in colour.

    Args:
        folder: of the dataset; only its images are read.
        digests: of all its images, including those left out.
    """
    path = folder / PAIRS
    with _computing.setdefault(folder, Lock()):
        pairs = _read(path) if correlation == CORRELATION else None
        if pairs is None:
            images = np.load(folder / store.IMAGES, mmap_mode="r", allow_pickle=False)
            hashes = _hashes(folder, images, progress)
            rows = np.sort(np.unique(digest_keys(digests), return_index=True)[1])
            pairs = rows[_confirmed(images, rows, _candidates(hashes[rows]), correlation)]
            if correlation == CORRELATION:
                _keep(path, pairs)
    return pairs


def _read(path: Path) -> np.ndarray | None:
    """Read a stored result; None where it is missing or damaged: it is computed again."""
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None


def _keep(path: Path, values: np.ndarray) -> None:
    with replacing(path, sync=False) as draft, draft.open("wb") as file:  # it can be computed again
        np.save(file, values, allow_pickle=False)


def _hashes(folder: Path, images: np.ndarray, progress: Callable[[int, int], None] | None) -> np.ndarray:
    """Return the perceptual hash of every image: uint64 `(N,)`."""
    hashes = _read(folder / HASHES)
    if hashes is not None and len(hashes) == len(images):
        return hashes
    import imagehash

    bits = np.empty((len(images), 64), dtype=bool)
    for row, image in enumerate(images):
        bits[row] = imagehash.phash(to_image(image)).hash.ravel()
        if progress and (row % REPORT_EVERY == 0 or row + 1 == len(images)):
            progress(row + 1, len(images))
    hashes = np.packbits(bits, axis=1).view(np.uint64).ravel()
    _keep(folder / HASHES, hashes)
    return hashes


def _candidates(hashes: np.ndarray) -> np.ndarray:
    """Return pairs of positions whose hashes differ in fewer than BANDS bits, each once: int64 `(P, 2)`."""
    _, number, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    telling = np.flatnonzero(counts[number] <= MAX_ALIKE)
    width = 64 // BANDS
    found = [np.empty((0, 2), np.int64)]
    for band in range(BANDS):
        values = (hashes[telling] >> np.uint64(band * width)) & np.uint64(2**width - 1)
        order = np.argsort(values, kind="stable")
        edges = np.flatnonzero(np.diff(values[order])) + 1
        for bucket in np.split(telling[order], edges):
            for start in range(0, len(bucket) if len(bucket) > 1 else 0, CHUNK):
                chunk = bucket[start : start + CHUNK]
                differing = np.bitwise_count(hashes[chunk, None] ^ hashes[None, bucket])
                one, other = np.nonzero(differing < BANDS)
                pairs = np.stack([chunk[one], bucket[other]], axis=1)
                found.append(pairs[pairs[:, 0] < pairs[:, 1]])
    return np.unique(np.concatenate(found), axis=0)


def _confirmed(images: np.ndarray, rows: np.ndarray, pairs: np.ndarray, correlation: float) -> np.ndarray:
    """Return the pairs whose pixels correlate."""
    kept = [np.empty((0, 2), np.int64)]
    for start in range(0, len(pairs), REPORT_EVERY):
        chunk = pairs[start : start + REPORT_EVERY]
        one, other = (_normalised(images[rows[chunk[:, side]]]) for side in (0, 1))
        kept.append(chunk[(one * other).sum(axis=1) >= correlation])
    return np.concatenate(kept)


def _normalised(images: np.ndarray) -> np.ndarray:
    """Return the pixels of every image with mean 0 and norm 1: float32 `(n, pixels)`.

    A flat image is all zeros.
    """
    pixels = images.reshape(len(images), -1).astype(np.float32)
    pixels -= pixels.mean(axis=1, keepdims=True)
    length = np.linalg.norm(pixels, axis=1, keepdims=True)
    return np.divide(pixels, length, out=np.zeros_like(pixels), where=length > 0)


def _components(pairs: np.ndarray, count: int) -> list[np.ndarray]:
    """Return the positions that pairs connect, directly or through others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, membership = connected_components(links, directed=False)
    members = np.unique(pairs)
    order = members[np.argsort(membership[members], kind="stable")]
    edges = np.flatnonzero(np.diff(membership[order])) + 1
    return [group for group in np.split(order, edges) if len(group)]


def _group(dataset: ImageDataset, rows: np.ndarray, exact: bool) -> Duplicates:
    codes = np.unique(dataset.subsets[rows])
    return Duplicates(
        rows=np.sort(rows),
        exact=exact,
        subsets=tuple(SUBSETS[code] for code in codes if code != LEFT_OUT),
        labels=tuple(np.unique(dataset.labels[rows]).tolist()),
    )


def _sorted(groups: Iterable[Duplicates]) -> list[Duplicates]:
    return sorted(groups, key=lambda group: (not group.leaks, not group.disagrees, int(group.rows[0])))
