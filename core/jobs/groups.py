"""Groups: one experiment repeated over seeds and folds, its runs under one parent.

The parent is an MLflow run that trains nothing: it ends when the last of its runs has, with the mean and the
standard deviation of their final metrics.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from core.config import ConfigError, ExperimentConfig
from core.system.process_ids import is_alive
from core.tracking import schema
from core.tracking.run_state import number_of
from core.tracking.store import RunStore

LIMIT = 1000  # runs of one launch
MAX_NAME = 200  # characters of a run's name
# Measured with the weights that are kept: `best_val_accuracy`, or `val_accuracy` where the last are kept.
AVERAGED = (
    *(name for name in schema.FINAL_METRICS if name.startswith(("test_", "best_val_"))),
    "val_accuracy",
)


@dataclass(frozen=True)
class Group:
    """An experiment and the configs of its runs; a single run needs no parent. tags: of its runs."""

    name: str
    configs: tuple[ExperimentConfig, ...]
    tags: Mapping[str, str] = field(default_factory=dict)


def repeated(config: ExperimentConfig, seeds: int = 1, folds: int = 0) -> Group:
    """Return one config per seed and fold; seeds count up from the config's own.

    Args:
        config: of the experiment.
        seeds: at least 1.
        folds: 0: the split of the config; else at least 2.

    Raises:
        ConfigError: `seeds` or `folds` is out of range, or there would be more than `LIMIT` runs.
    """
    if seeds < 1:
        raise ConfigError(f"The number of seeds must be at least 1. Received: {seeds}.")
    if folds == 1 or folds < 0:
        raise ConfigError(f"The number of folds must be 0 (none) or at least 2. Received: {folds}.")
    if seeds * max(1, folds) > LIMIT:
        raise ConfigError(
            f"One launch makes at most {LIMIT} runs. Received: {seeds} seeds on {max(1, folds)} folds."
        )
    found = []
    for fold in range(max(1, folds)):
        for seed in range(config.seed, config.seed + seeds):
            changes = {"data.folds": folds, "data.fold": fold} if folds else {}
            places = [f"fold {fold + 1} of {folds}"] if folds else []
            places += [f"seed {seed}"] if seeds > 1 else []
            name = named_repeat(config.title, places) if places else config.name
            found.append(config.with_values({**changes, "seed": seed, "name": name}))
    return Group(config.title, tuple(found))


def named_repeat(title: str, places: Sequence[str]) -> str:
    """Return a run's name: the title, shortened if necessary, and its fold and seed."""
    ending = "".join(f" · {place}" for place in places)
    return f"{title[: MAX_NAME - len(ending)]}{ending}"


def group_of(store: RunStore, parent: str) -> Group:
    """Return the experiment of a parent, with its runs in the order of their launch."""
    configs = tuple(store.config(child.run_id) for child in store.read.children(parent)[parent])
    return Group(store.state(parent).name, configs)


def places(store: RunStore, group: Group, tags: Mapping[str, str] | None = None) -> Iterator[dict[str, str]]:
    """Yield the tags of each run: its parent, seed and fold. Creates the parent if there are several runs.

    tags: of the parent.
    """
    if len(group.configs) == 1:
        yield {}
        return
    parent = store.create_group(group.name, len(group.configs), tags)
    for config in group.configs:
        fold = {schema.FOLD: str(config.data.fold)} if config.data.folds else {}
        yield {schema.PARENT: parent, schema.SEED: str(config.seed), **fold}


def conclude_groups(store: RunStore) -> None:
    """End the parents whose runs have all ended: FINISHED if every run is, else FAILED."""
    parents = store.read.open_groups()
    owners = {owner for parent in parents if (owner := parent.tags.get(schema.OWNER)) is not None}
    alive = {owner for owner in owners if is_alive(owner)}  # read before the runs: a launch may end
    runs = store.read.children(*(parent.run_id for parent in parents))
    for parent in parents:
        size, owner = number_of(parent.tags[schema.GROUP]), parent.tags.get(schema.OWNER)
        if size is None or owner is None:  # the tag was written by another program
            continue
        children = runs[parent.run_id]
        launching = len(children) < size and owner in alive
        if launching or any(child.status in schema.ACTIVE for child in children):
            continue
        finished = [child.run_id for child in children if child.status == schema.FINISHED]
        if schema.SWEEP not in parent.tags:  # the mean over different settings says nothing
            store.log_metrics(parent.run_id, summary(store.read.last_metrics(finished, AVERAGED)))
        if children and (schema.SEARCH in parent.tags or len(finished) == len(children)):  # some are pruned
            store.set_status(parent.run_id, schema.FINISHED)
        else:
            store.fail(
                parent.run_id, f"{len(children) - len(finished)} of its {len(children)} runs did not finish."
            )


def summary(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each final metric by its name, and its sample standard deviation as `<name>_std`."""
    found = {"runs": float(len(runs))}
    for name in AVERAGED:
        values = [run[name] for run in runs if name in run and math.isfinite(run[name])]
        if values:
            found[name] = statistics.fmean(values)
        if len(values) > 1:
            found[f"{name}_std"] = statistics.stdev(values)
    return found
