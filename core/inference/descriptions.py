"""Descriptions of models, each computed once by the prediction process and kept in a cache on disk.

The name of a file of the cache is a hash of all that its description depends on, so none is ever outdated.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.architectures import Shape, architectures, checked_choice
from core.architectures.description import Description
from core.inference import client
from core.inference.client import ANYBODY, Caller
from core.system.code_version import file_digests, package_version
from core.system.files import read_state, write_whole
from core.system.settings import Settings

BATCH_SIZE = 32
PROCESS_MEMORY = (  # measured on a CPU; on a GPU most of it is in host memory too
    "The process of a run, with TensorFlow, takes about 0.8 GiB of the machine's memory in addition."
)
KEPT = 2000  # descriptions at most; beyond that the older half is removed


@dataclass(frozen=True)
class ModelRequest:
    """A model to describe. None: the architecture's native input or number of classes."""

    name: str
    input_shape: Shape | None = None
    num_classes: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    batch_size: int = BATCH_SIZE

    def complete(self) -> ModelRequest:
        """Fill in native input and defaults. Raises ValueError for what the architecture cannot take."""
        entry = architectures.get(self.name)
        height, width, channels = self.input_shape or entry.input_shape
        shape = (height, width, channels)
        classes = self.num_classes or entry.num_classes
        _, options = checked_choice(self.name, shape, classes, self.options)
        return ModelRequest(self.name, shape, classes, options, self.batch_size)


def describe(settings: Settings, request: ModelRequest, caller: Caller = ANYBODY) -> Description:
    """Return the description, from the cache or from the prediction process.

    Raises ValueError for what the model cannot take, InferenceError when it cannot be built.
    """
    known = cached(settings, request)
    if known is not None:
        return known
    whole, path = request.complete(), cache_file(settings, request)
    description = client.describe(
        settings, whole.name, whole.input_shape, whole.num_classes, whole.options, BATCH_SIZE, caller
    )
    with suppress(OSError):  # on a full disk the next caller waits again
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(description.to_dict()))
        _forget_oldest(path.parent)
    return description.at_batch_size(whole.batch_size)


def _forget_oldest(folder: Path) -> None:
    """Bound the size of the cache: URLs can request any number of models."""
    files = list(folder.glob("*.json"))
    if len(files) > KEPT:
        for file in sorted(files, key=lambda one: one.stat().st_mtime)[: -KEPT // 2]:
            file.unlink(missing_ok=True)


def cached(settings: Settings, request: ModelRequest) -> Description | None:
    """Return the description if it was made before. Raises ValueError for what the model cannot take."""
    path = cache_file(settings, request)
    try:
        state = path.stat()
    except OSError:
        return None
    found = _read(path, state.st_mtime_ns, state.st_size)
    return None if found is None else found.at_batch_size(request.batch_size)


@lru_cache(maxsize=256)
def _read(path: Path, mtime_ns: int, size: int) -> Description | None:
    """Read a file of the cache once for each state of it; None where it is damaged."""
    values = read_state(path)
    try:
        return None if values is None else Description.from_dict(values)
    except ValueError:
        return None


def cache_file(settings: Settings, request: ModelRequest) -> Path:
    """Return the file of a description. Raises ValueError for what the architecture cannot take."""
    whole = replace(request.complete(), batch_size=BATCH_SIZE)  # memory at other sizes is computed from it
    depends_on = [asdict(whole), code_version(), own_code(architectures.origin(request.name))]
    name = hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()[:32]
    return settings.cache / "descriptions" / f"{name}.json"


def code_version() -> str:
    """Return what changes with Keras and with every file that a model is built or described by."""
    return package_version("architectures")


def own_code(file: Path | None) -> list[str]:
    """Return what changes with every file of the folder of a user's own model; empty for other models."""
    return [] if file is None else file_digests(sorted(file.parent.glob("*.py")))
