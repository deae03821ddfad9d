"""Which images the weights that a run starts from were trained on, over the whole chain of its ancestors.

Each run writes down short digests of its own training images and of those of its ancestors. A run whose
validation or test set has some of these is marked: its accuracy on them would say how well they were learned
by heart. Importing this module does not import Keras.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from core import datasets
from core.config import ConfigError, DataConfig, ExperimentConfig
from core.datasets import ImageDataset, choices
from core.datasets.records import digest_keys
from core.datasets.splits import Split
from core.datasets.store import folder_of
from core.datasets.versions import split_fingerprint
from core.experiment.pretrained import RUN, run_of, weights_file
from core.experiment.seen_images import ALL, NOTHING, Seen, joined, kind_of, range_of, read, write
from core.experiment.weights_origin import origin_of
from core.images.value_range import rule_from_json
from core.tracking import schema
from core.tracking.run_state import UnknownRun
from core.tracking.store import RunStore


class SeenImages(ConfigError):
    """Weights to start from were trained on images that are to validate or test them."""


@dataclass(frozen=True)
class Overlap:
    """leak: a sentence on images that were trained on before. unchecked: why there may be more."""

    leak: str | None = None
    unchecked: str | None = None


def overlap(
    config: ExperimentConfig,
    store: RunStore,
    tags: Mapping[str, str],
    dataset: ImageDataset | None = None,
    split: Split | None = None,
) -> Overlap:
    """Compare a run's validation and test set with what its ancestors were trained on.

    Images that the run itself trains on do not count: `core.datasets.split_report` warns of those.

    Args:
        tags: of the run; `schema.EXTENDS` names the run that it extends.
        dataset, split: what the config asks for, where it is loaded already.
    """
    if schema.EXTENDS not in tags and config.model.weights == "none":
        return Overlap()
    if dataset and split:
        sets = _sets(dataset, split)
    else:
        name = config.data.name
        data = config.data.model_copy(update={"preprocessing": "scale"})  # which changes no set
        sets = stored_sets(folder_of(name), datasets.info(name).fingerprint, data)
    leaks: list[str] = []
    unknown: list[str] = []
    for name, seen in ancestors(config, store, tags):
        unknown += seen.unknown
        if others := sorted(seen.kinds - {sets.kind}):
            unknown.append(
                f"'{name}' or a run before it was trained on images of another size, form or value range "
                f"({'; '.join(others)}), which cannot be compared with these."
            )
        counts = []
        for what, keys in (("validation", sets.validation), ("test", sets.test)):
            count = int((np.isin(keys, seen.keys) & ~np.isin(keys, sets.train)).sum())
            if count:
                least = "at least " if seen.limit < ALL else ""
                counts.append(f"{least}{count:,} of {len(keys):,} {what} images")
        if counts:
            leaks.append(
                f"{' and '.join(counts)} were training images of '{name}' or of a run before it, so the "
                "accuracy on them is too high."
            )
    return Overlap(" ".join(leaks) or None, " ".join(dict.fromkeys(unknown)) or None)


@dataclass(frozen=True)
class Sets:
    """Digests of the images of each set of a split, uint64 `(n,)`. kind: as of `Seen.kinds`."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    kind: str


def _sets(dataset: ImageDataset, split: Split) -> Sets:
    train, validation, test = (
        digest_keys(dataset.digests[rows]) for rows in (split.train, split.validation, split.test)
    )
    return Sets(np.unique(train), validation, test, kind_of(dataset))


@lru_cache(maxsize=32)
def stored_sets(folder: Path, fingerprint: str, data: DataConfig) -> Sets:
    """The sets of a stored dataset, kept for the next question. fingerprint: of the dataset as it is."""
    dataset = datasets.load(data.name)
    return _sets(dataset, choices.split_for(dataset, data))


def require_unseen(config: ExperimentConfig, store: RunStore) -> None:
    """Raise SeenImages when a launch would start from weights that saw its validation or test images."""
    if config.model.allow_overlap or config.model.weights == "none":
        return
    leak = overlap(config, store, {}).leak
    if leak:
        raise SeenImages(
            f"{leak} Start from other weights, use the same split as that run, or set model.allow_overlap to "
            "launch it all the same: it is then marked and never the best run."
        )


def ancestors(config: ExperimentConfig, store: RunStore, tags: Mapping[str, str]) -> list[tuple[str, Seen]]:
    """The runs and files that a run starts from, by name, and what these and their ancestors have seen."""
    found = []
    model = config.model
    if (extended := tags.get(schema.EXTENDS)) is not None:
        found.append(_of_run(store, extended))
    if model.weights == "imagenet":
        if config.data.name not in datasets.datasets:  # those that the program knows are none of ImageNet's
            text = (
                "Whether these images are among ImageNet's, which the weights were trained on, is not known."
            )
            found.append(("ImageNet", Seen(NOTHING.keys, unknown=(text,))))
    elif model.weights.startswith(RUN):
        found.append(_of_run(store, run_of(model, store)))
    elif model.weights != "none":
        path = weights_file(model.weights, store.settings)
        origin = origin_of(path, store)
        if origin is None:
            text = f"Which images the weights file {path.name} was trained on is not known."
            found.append((path.name, Seen(NOTHING.keys, unknown=(text,))))
        else:
            found.append(_of_run(store, origin))
    return found


def _of_run(store: RunStore, run_id: str) -> tuple[str, Seen]:
    try:
        name = f"{store.state(run_id).name} ({run_id[:6]})"
    except UnknownRun:
        text = f"The run {run_id} was deleted, so it is not known which images it was trained on."
        return run_id, Seen(NOTHING.keys, unknown=(text,))
    return name, seen_by(store, run_id)


def seen_by(store: RunStore, run_id: str) -> Seen:
    """What a run and its ancestors were trained on; of a run that did not write it down, worked out again."""
    try:
        seen = read(store.artifact(run_id, schema.SEEN))
        return seen if seen.ranged else _with_ranges(store, run_id, seen)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        pass  # it did not write it down, or the file is damaged
    name = store.state(run_id).name
    unknown = f"Which images '{name}' ({run_id[:6]}) was trained on is no longer known"
    try:
        config, tags = store.config(run_id), store.state(run_id).tags
        data = store.read_json(run_id, schema.DATA)
        dataset = datasets.load(config.data.name)
        if dataset.info.fingerprint != data["fingerprint"]:
            return Seen(NOTHING.keys, unknown=(f"{unknown}: its dataset '{data['name']}' has changed.",))
        split = choices.split_for(dataset, config.data)
        if split_fingerprint(split) != data.get("split_fingerprint"):
            split = choices.split_for(dataset, config.data, "legacy")
        parents = [seen for _, seen in ancestors(config, store, tags)]
    except (FileNotFoundError, KeyError, ValueError):
        return Seen(NOTHING.keys, unknown=(f"{unknown}: its files or its dataset are gone.",))
    return joined(dataset, split, parents)


def _with_ranges(store: RunStore, run_id: str, seen: Seen) -> Seen:
    """Add the value ranges that the run and its ancestors logged elsewhere to what an older version wrote."""
    data = json.loads(store.read_text(run_id, schema.DATA))
    size, policy = "×".join(map(str, data["shape"][:2])), data.get("policy", "stretch")
    own = range_of(rule_from_json(data.get("value_range")))
    kinds = {
        f"{kind}{own if kind.startswith(f'{size}×') and kind.endswith(f', {policy}') else ''}"
        for kind in seen.kinds
    }
    for _, parent in ancestors(store.config(run_id), store, store.state(run_id).tags):
        kinds |= parent.kinds
    return replace(seen, kinds=frozenset(kinds), ranged=True)


def record(
    store: RunStore, run_id: str, config: ExperimentConfig, dataset: ImageDataset, split: Split
) -> None:
    """Log what a run and its ancestors have seen; mark the run where that validates or tests it."""
    tags = store.state(run_id).tags
    seen = joined(dataset, split, [one for _, one in ancestors(config, store, tags)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / schema.SEEN
        write(path, seen)
        store.log_file(run_id, path)
    found = overlap(config, store, tags, dataset, split)
    wanted = {
        schema.LEAK: found.leak,
        schema.LEAK_CHECKED: None if found.unchecked else "yes",
        schema.LEAK_UNCHECKED: found.unchecked,
    }
    store.set_tags(run_id, {tag: text for tag, text in wanted.items() if text})
    for tag, text in wanted.items():
        if not text and tag in tags:
            store.delete_tag(run_id, tag)  # of an attempt before
