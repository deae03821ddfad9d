"""Images that occur more than once: the same pixels, or nearly the same picture.

Near duplicates are found by a perceptual hash (ImageHash's phash: the signs of the lowest frequencies) and
confirmed on the pixels, because small simple pictures have equal hashes without being equal.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image

from core.datasets import load, store
from core.datasets.records import LEFT_OUT, PARTS, ImageDataset

HASHES = "phash.npy"
BANDS = 4  # hashes that differ in fewer bits than this agree in one band at least
CORRELATION = 0.97  # of the grey pixels: above it two pictures look the same
MAX_BAND = 512  # images that share a band; more do so because there is nothing in them
REPORT_EVERY = 512


class Duplicates(NamedTuple):
    """Images that are the same. rows: int64, ascending. exact: pixel by pixel.

    parts: the parts they lie in. More than one means that the test or validation is not independent.
    labels: their classes. More than one means that at least one label is wrong.
    """

    rows: np.ndarray
    exact: bool
    parts: tuple[str, ...]
    labels: tuple[int, ...]

    @property
    def leaks(self) -> bool:
        return len(self.parts) > 1

    @property
    def disagrees(self) -> bool:
        return len(self.labels) > 1


def exact_duplicates(dataset: ImageDataset) -> list[Duplicates]:
    """Groups of images with equal pixels; those across parts come first, then by size."""
    rows = dataset.indices()
    _, membership, counts = np.unique(dataset.digests[rows], return_inverse=True, return_counts=True)
    repeated = np.flatnonzero(counts[membership] > 1)
    order = repeated[np.argsort(membership[repeated], kind="stable")]
    edges = np.flatnonzero(np.diff(membership[order])) + 1
    return _sorted(_group(dataset, rows[group], True) for group in np.split(order, edges) if len(group))


def near_duplicates(
    name: str, progress: Callable[[int, int], None] | None = None, correlation: float = CORRELATION
) -> list[Duplicates]:
    """Groups of images that look the same without being equal; those across parts come first.

    The hashes take a quarter of a millisecond an image and are kept beside the dataset.
    progress: called with (images done, images in all). correlation: of grey pixels, 0 to 1.
    """
    dataset = load(name)
    hashes = _hashes(name, dataset, progress)
    rows = dataset.indices()
    _, first = np.unique(dataset.digests[rows], return_index=True)
    rows = rows[np.sort(first)]  # of equal images one stands for all
    pairs = _confirmed(dataset, rows, _candidates(hashes[rows]), correlation)
    return _sorted(_group(dataset, rows[group], False) for group in _components(pairs, len(rows)))


def _hashes(name: str, dataset: ImageDataset, progress: Callable[[int, int], None] | None) -> np.ndarray:
    """The perceptual hash of every image: uint64 `(N,)`."""
    path = store.folder_of(name) / HASHES
    if path.exists():
        hashes = np.load(path, allow_pickle=False)
        if len(hashes) == len(dataset):
            return hashes
    import imagehash

    bits = np.empty((len(dataset), 64), dtype=bool)
    for row, image in enumerate(dataset.images):
        bits[row] = imagehash.phash(Image.fromarray(image.squeeze())).hash.ravel()
        if progress and (row % REPORT_EVERY == 0 or row + 1 == len(dataset)):
            progress(row + 1, len(dataset))
    hashes = np.packbits(bits, axis=1).view(np.uint64).ravel()
    draft = path.with_suffix(f".{os.getpid()}.npy")
    np.save(draft, hashes, allow_pickle=False)
    os.replace(draft, path)
    return hashes


def _candidates(hashes: np.ndarray) -> np.ndarray:
    """Pairs of positions whose hashes differ in fewer than BANDS bits: int64 `(P, 2)`, each pair once."""
    width = 64 // BANDS
    found = [np.empty((0, 2), np.int64)]
    for band in range(BANDS):
        values = (hashes >> np.uint64(band * width)) & np.uint64(2**width - 1)
        order = np.argsort(values, kind="stable")
        edges = np.flatnonzero(np.diff(values[order])) + 1
        for bucket in np.split(order, edges):
            if 1 < len(bucket) <= MAX_BAND:
                differing = np.bitwise_count(hashes[bucket, None] ^ hashes[None, bucket])
                one, other = np.nonzero(np.triu(differing < BANDS, k=1))
                found.append(np.sort(np.stack([bucket[one], bucket[other]], axis=1), axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _confirmed(dataset: ImageDataset, rows: np.ndarray, pairs: np.ndarray, correlation: float) -> np.ndarray:
    """The pairs whose pixels correlate."""
    kept = [np.empty((0, 2), np.int64)]
    for start in range(0, len(pairs), REPORT_EVERY):
        chunk = pairs[start : start + REPORT_EVERY]
        one, other = (_normalised(dataset.images[rows[chunk[:, side]]]) for side in (0, 1))
        kept.append(chunk[(one * other).sum(axis=1) >= correlation])
    return np.concatenate(kept)


def _normalised(images: np.ndarray) -> np.ndarray:
    """Pixels of every image with mean 0 and length 1: float32 `(n, pixels)`; a flat image is all zeros."""
    pixels = images.reshape(len(images), -1).astype(np.float32)
    pixels -= pixels.mean(axis=1, keepdims=True)
    length = np.linalg.norm(pixels, axis=1, keepdims=True)
    return np.divide(pixels, length, out=np.zeros_like(pixels), where=length > 0)


def _components(pairs: np.ndarray, count: int) -> list[np.ndarray]:
    """Positions that pairs connect, directly or through others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, membership = connected_components(links, directed=False)
    members = np.unique(pairs)
    order = members[np.argsort(membership[members], kind="stable")]
    edges = np.flatnonzero(np.diff(membership[order])) + 1
    return [group for group in np.split(order, edges) if len(group)]


def _group(dataset: ImageDataset, rows: np.ndarray, exact: bool) -> Duplicates:
    codes = np.unique(dataset.parts[rows])
    return Duplicates(
        rows=np.sort(rows),
        exact=exact,
        parts=tuple(PARTS[code] for code in codes if code != LEFT_OUT),
        labels=tuple(np.unique(dataset.labels[rows]).tolist()),
    )


def _sorted(groups: Iterable[Duplicates]) -> list[Duplicates]:
    return sorted(groups, key=lambda group: (not group.leaks, not group.disagrees, int(group.rows[0])))
