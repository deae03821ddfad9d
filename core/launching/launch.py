"""Launching: the one place where configs become runs, in the queue or in the foreground."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from core.config import ExperimentConfig
from core.jobs.groups import Group, conclude_groups, places
from core.jobs.slots import AUTO
from core.jobs.supervise import interrupted, supervise
from core.jobs.worker import worker_of
from core.launching.checks import check, check_overlap, chosen, obtain
from core.tracking import schema
from core.tracking.store import RunStore, get_store


def launch(configs: Sequence[ExperimentConfig], tags: Mapping[str, str] | None = None) -> list[str]:
    """Put runs into the queue, in order, and see that a worker serves it; returns their ids.

    All are checked before the first is created: ConfigError leaves nothing behind. Raises NotAllowed on a
    read-only server.
    """
    return launch_groups([Group("", (config,)) for config in configs], tags)


def launch_groups(groups: Sequence[Group], tags: Mapping[str, str] | None = None) -> list[str]:
    """Launch several experiments, each as often as it is repeated; returns the ids of all runs.

    Those that are repeated get a parent. Checks and raises as `launch` does.
    """
    store = get_store()
    store.settings.require_trainer("launch a training")
    for group in groups:
        compared = set()  # repeats with other seeds start from the same weights and have the same split
        for config in group.configs:
            check(config)
            question = config.data, config.model.weights, config.model.allow_overlap
            if schema.EXTENDS in (tags or {}) or question in compared:
                continue  # what is extended is marked, it cannot be chosen anew
            check_overlap(config)
            compared.add(question)
    for config in by_weights(config for group in groups for config in group.configs):
        obtain(config)
    run_ids: list[str] = []
    try:
        for group in groups:
            run_ids += _create(store, group, tags)
    finally:
        worker_of(store.settings).ensure()  # what was created before something broke is trained
    return run_ids


def by_weights(configs: Iterable[ExperimentConfig]) -> list[ExperimentConfig]:
    """Return one config for each of the models and weights that some start from: repeats share them."""
    return [*{(config.model.name, config.model.weights): config for config in configs}.values()]


def _create(store: RunStore, group: Group, tags: Mapping[str, str] | None) -> list[str]:
    run_ids: list[str] = []
    place: Mapping[str, str] = {}
    tags = {**(tags or {}), **group.tags}
    try:
        for config, place in zip(group.configs, places(store, group, tags), strict=True):
            run_ids.append(store.create(config, {**tags, **place}, chosen(config, store)))
    except BaseException:
        if schema.PARENT in place:
            with suppress(Exception):  # else it ends when this process has
                store.set_tags(place[schema.PARENT], {schema.GROUP: str(len(run_ids))})
        raise
    return run_ids


def train_here(
    config: ExperimentConfig,
    tags: Mapping[str, str] | None = None,
    created: Callable[[str], object] = lambda run_id: None,
) -> tuple[str, str]:
    """Train one run now, beside the queue, and wait for its end; returns its id and final state.

    created: gets the id before the training begins.
    """
    store = get_store()
    store.settings.require_trainer("launch a training")
    check(config)
    check_overlap(config)
    obtain(config)
    run_id = store.create(config, {schema.FOREGROUND: "true", **(tags or {})}, chosen(config, store))
    created(run_id)
    device = config.training.device
    with _interrupts():
        status = supervise(store, run_id, None if device == AUTO else device)
    if interrupted.is_set():
        raise KeyboardInterrupt
    return run_id, status


@contextmanager
def _interrupts() -> Iterator[None]:
    """Within it SIGINT and SIGTERM are noted, once: raised somewhere in a library they may be lost."""

    def note(*_: object) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    before = {signum: signal.signal(signum, note) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def train_group_here(
    group: Group,
    tags: Mapping[str, str] | None = None,
    created: Callable[[str], object] = lambda run_id: None,
) -> Iterator[tuple[str, str]]:
    """Train an experiment as often as it is repeated, now, one run after the other; ids and final states.

    created: gets the id of each run before its training begins.
    """
    store = get_store()
    store.settings.require_trainer("launch a training")
    for config in group.configs:
        check(config)
        check_overlap(config)
    for config in by_weights(group.configs):
        obtain(config)
    tags = {**(tags or {}), **group.tags}
    for config, place in zip(group.configs, places(store, group, tags), strict=True):
        yield train_here(config, {**tags, **place}, created)
    conclude_groups(store)
