"""Write the files of a dataset: its index, its manifest, and images that are in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from core.datasets.records import (
    Arrays,
    DatasetInfo,
    count_subsets,
)
from core.datasets.store import IMAGES, INDEX, MANIFEST
from core.images.digests import DIGEST_BYTES, fingerprint, pixel_digest
from core.images.value_range import IMAGE


def write_index(
    folder: Path,
    *,
    labels: np.ndarray,
    subsets: np.ndarray,
    source_names: Sequence[str],
    groups: Sequence[str] | None,
    sizes: np.ndarray,
    digests: Sequence[bytes],
) -> None:
    """Write the properties of every image; see ImageDataset for the columns."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    columns = {
        "source": pa.array(source_names, pa.string()),
        "label": pa.array(labels, pa.int64()),
        "part": pa.array(subsets, pa.int8()),
        "group": pa.array(groups if groups is not None else [None] * len(labels), pa.string()),
        "height": pa.array(sizes[:, 0], pa.int32()),
        "width": pa.array(sizes[:, 1], pa.int32()),
        "digest": pa.array(digests, pa.binary(DIGEST_BYTES)),
    }
    parquet.write_table(pa.table(columns), folder / INDEX)


def write_manifest(folder: Path, info: DatasetInfo) -> DatasetInfo:
    """Write the manifest with the present time. Returns the info as written."""
    stamped = replace(info, created=datetime.now(UTC).isoformat(timespec="seconds"))
    (folder / MANIFEST).write_text(json.dumps(stamped.to_dict(), indent=1), encoding="utf-8")
    return stamped


def write_arrays(folder: Path, info: DatasetInfo, arrays: Arrays) -> DatasetInfo:
    """Write a dataset that is in memory; counts, shape and fingerprint of `info` are filled in."""
    images = np.ascontiguousarray(arrays.images, dtype=np.uint8)
    labels = np.asarray(arrays.labels, dtype=np.int64)
    shape = (int(images.shape[1]), int(images.shape[2]), int(images.shape[3]))
    digests = [pixel_digest(image) for image in images]
    np.save(folder / IMAGES, images, allow_pickle=False)
    write_index(
        folder,
        labels=labels,
        subsets=arrays.subsets,
        source_names=arrays.source_names,
        groups=None,
        sizes=np.tile(np.array(shape[:2], np.int32), (len(labels), 1)),
        digests=digests,
    )
    info = replace(
        info,
        shape=shape,
        counts=count_subsets(labels, arrays.subsets, len(info.classes)),
        fingerprint=fingerprint(shape, info.classes, labels, arrays.subsets, digests),
        prepared=True,
        value_range=IMAGE,
    )
    return write_manifest(folder, info)
