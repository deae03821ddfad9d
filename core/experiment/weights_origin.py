"""Which run made a file of weights? It is recognised by the values of its weights, whatever its name."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np

from core.tracking import frames, schema
from core.tracking.store import RunStore


def origin_of(path: Path, store: RunStore) -> str | None:
    """The run whose model a weights file holds, recognised by the values of its weights; None: not known."""
    status = path.stat()
    return _origin(path, status.st_mtime_ns, status.st_size, store)


@lru_cache(maxsize=16)
def _origin(path: Path, modified: int, size: int, store: RunStore) -> str | None:
    try:
        digest = weights_digest(path)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None  # what cannot be read is refused elsewhere, in words
    runs = frames.runs(store, [schema.WEIGHTS, "model_bytes"], archived=True)
    tags = runs.get(f"tags.{schema.WEIGHTS}")
    if tags is not None and len(found := runs.loc[tags == digest, "run_id"]):
        return str(found.iloc[-1])
    sizes = runs.get("metrics.model_bytes")
    for run_id in [] if sizes is None else runs.loc[sizes == size, "run_id"]:  # of older versions
        try:
            if store.models.file(run_id).read_bytes() == path.read_bytes():
                return str(run_id)
        except FileNotFoundError:
            continue
    return None


def weights_digest(path: Path) -> str:
    """32 hexadecimal digits of the weights in a `.keras` or `.weights.h5` file, whatever their names."""
    if path.suffix != ".keras":
        return _digest_of_file(path)
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
        return _digest_of_file(Path(archive.extract("model.weights.h5", folder)))


def _digest_of_file(path: Path) -> str:
    import h5py

    found: set[bytes] = set()

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind == "f" and not name.startswith("optimizer"):
            found.add(_digest_of_array(item[()]))

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return _joined_digest(found)


def digest_of(weights: Iterable[np.ndarray]) -> str:
    """The same for weights in memory: those of floating point, in any order."""
    return _joined_digest({_digest_of_array(one) for one in weights if np.asarray(one).dtype.kind == "f"})


def _digest_of_array(weights: np.ndarray) -> bytes:
    array = np.ascontiguousarray(weights, "<f4")
    digest = blake2b(f"{array.shape}".encode(), digest_size=16)
    digest.update(array.reshape(-1).data)
    return digest.digest()


def _joined_digest(arrays: set[bytes]) -> str:
    return blake2b(b"".join(sorted(arrays)), digest_size=16).hexdigest()
