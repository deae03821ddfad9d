"""Runs of every kind, and the questions that every reader of a store is to answer alike."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable

import pandas as pd

from core.config import ExperimentConfig
from core.tracking import frames, schema
from core.tracking.store import RunStore

NOBODY = "0" * 32  # the id of no run


def fill(store: RunStore) -> dict[str, str]:
    """Make runs of every kind; returns their ids by what they are."""
    runs = {name: store.create(ExperimentConfig()) for name in ("waiting", "running", "finished", "failed")}
    store.set_status(runs["running"], schema.RUNNING)
    losses = (1.0, math.nan, math.inf, -math.inf, 0.25)
    for step, loss in enumerate(losses):
        store.log_metrics(runs["finished"], {"loss": loss, "val_accuracy": 0.25 * step}, step)
    store.log_metrics(runs["finished"], {"loss": 0.5}, 2, when=1_000)  # a step twice: it was resumed
    store.log_metrics(runs["finished"], {"test_loss": math.nan, "test_accuracy": math.inf})
    store.log_dataset(runs["finished"], "digits", "of an older version", "here", {})
    store.log_dataset(runs["finished"], "digits", "and another one", "here", {})
    for _ in range(2):  # the newest is the one that counts
        store.client.create_logged_model(store.experiment_id, source_run_id=runs["finished"])
    store.set_status(runs["finished"], schema.FINISHED)
    for name, count in (("it's ü", 3), ("of one", 1), ("empty", 0)):
        store.client.create_registered_model(f"{name} {runs['waiting']}", description=name if count else None)
        for number in range(1, count + 1):
            made = runs["finished"] if number > 1 else None
            store.client.create_model_version(f"{name} {runs['waiting']}", "s3://nowhere/model", made)
    several = f"it's ü {runs['waiting']}"
    store.client.delete_model_version(several, "3")
    store.client.update_model_version(several, "2", "second")
    store.client.set_model_version_tag(several, "2", "a tag", "ü")
    for alias in ("champion", "another"):
        store.client.set_registered_model_alias(several, alias, "2")
    store.client.register_prompt(f"a-prompt-{runs['waiting']}", "Say {{what}}")  # in the same tables
    store.log_params(runs["failed"], {schema.FINGERPRINT: "logged"})
    store.log_dataset(runs["failed"], "digits", "not asked", "here", {})
    store.log_metrics(runs["failed"], {"loss": -math.inf, "size.a_b": 1e-300, "SIZE.A": 2.0}, 7)
    store.fail(runs["failed"], 'It\'s "over": 100 %_\n')

    runs["group"], runs["ended group"] = store.create_group("two", 2), store.create_group("none", 0)
    store.set_status(runs["ended group"], schema.FINISHED)
    for name in ("first child", "second child", "deleted child"):
        runs[name] = store.create(ExperimentConfig(), {schema.PARENT: runs["group"]})
    store.set_status(runs["second child"], schema.KILLED)
    runs["deleted"] = store.create(ExperimentConfig())
    store.log_metrics(runs["deleted"], {"loss": 3.0}, 3)
    for name in ("deleted", "deleted child"):  # the last number is that of a deleted run
        store.client.delete_run(runs[name])

    elsewhere = store.client.create_experiment(f"elsewhere {runs['waiting']}")
    for name, experiment in (("foreign", elsewhere), ("ended foreign", "0"), ("foreign in ours", None)):
        runs[name] = store.client.create_run(experiment or store.experiment_id, run_name=name).info.run_id
    store.client.set_terminated(runs["ended foreign"])
    store.set_tags(runs["foreign"], {schema.PARENT: runs["group"], schema.PROGRESS: "{"})
    store.set_tags(runs["foreign in ours"], {schema.PROGRESS: "[1]", "a tag/of: theirs": "it's ü"})
    # Submitted in the same millisecond, with numbers made by hand
    now = int(time.time() * 1000)
    for name, shown in (("damaged", "mine"), ("very damaged", "9" * 4500)):
        runs[name] = store.client.create_run(
            store.experiment_id,
            start_time=now,
            tags={schema.NUMBER: shown, schema.PROGRESS: '{"epoch": NaN}', schema.PARENT: runs["group"]},
        ).info.run_id
    return runs


Question = Callable[[RunStore, dict[str, str]], object]

# Several for each method of the protocol
QUESTIONS: dict[str, tuple[Question, ...]] = {
    "state": (lambda store, runs: [store.read.state(run_id) for run_id in runs.values()],),
    "active": (lambda store, _: store.read.active(),),
    "open_groups": (lambda store, _: store.read.open_groups(),),
    "live_elsewhere": (lambda store, _: store.read.live_elsewhere(),),
    "children": (
        lambda store, _: store.read.children(),
        lambda store, runs: store.read.children(runs["group"], runs["ended group"], runs["waiting"], NOBODY),
    ),
    "run_ids": (lambda store, _: store.read.run_ids(),),
    "runs": (
        lambda store, _: frames.runs(store),
        lambda store, _: frames.runs(store, ["model.", "data.name", "test_loss", "size.", "size_"]),
        lambda store, _: frames.runs(store, [schema.FINGERPRINT]),
        lambda store, _: frames.runs(store, []),
    ),
    "of_runs": (
        lambda store, runs: frames.of_runs(store, [*runs.values(), NOBODY, runs["finished"]]),
        lambda store, runs: frames.of_runs(store, [runs["finished"]]),
        lambda store, runs: frames.of_runs(store, [runs["deleted"], runs["group"]]),
        lambda store, _: frames.of_runs(store, []),
    ),
    "histories": (
        lambda store, runs: frames.histories(store, list(runs.values())),
        lambda store, runs: frames.histories(store, [runs["finished"]] * 2, ["loss", "loss"], after=1),
        lambda store, runs: frames.histories(store, [runs["waiting"], NOBODY], ["loss"]),
    ),
    "last_metrics": (
        lambda store, runs: store.read.last_metrics(
            [*runs.values(), NOBODY, runs["finished"]], ["loss", "test_accuracy", "test_loss", "size.a_b"]
        ),
        lambda store, runs: store.read.last_metrics(list(runs.values()), []),
        lambda store, _: store.read.last_metrics([], ["loss"]),
    ),
    "last_step": (
        lambda store, runs: [store.read.last_step(run_id) for run_id in (*runs.values(), NOBODY)],
        lambda store, runs: store.read.last_step(runs["failed"], "size.a_b"),
        lambda store, runs: store.read.last_step(runs["failed"], "absent"),
    ),
    "newest_model": (
        lambda store, runs: [store.read.newest_model(run_id) for run_id in (*runs.values(), NOBODY)],
    ),
    "registered": (lambda store, _: store.read.registered(),),
    "last_number": (lambda store, _: store.read.last_number(),),
    "count_numbered": (
        lambda store, runs: store.read.count_numbered(store.state(runs["running"]).tags[schema.NUMBER]),
        lambda store, runs: store.read.count_numbered(store.state(runs["deleted"]).tags[schema.NUMBER]),
        lambda store, _: store.read.count_numbered("mine"),
        lambda store, _: store.read.count_numbered("0"),
    ),
}


def plain(answer: object) -> str:
    """An answer as text, in which NaN equals NaN and the order of tags is none."""
    return json.dumps(answer, default=vars, sort_keys=True)


def assert_alike(method: str, one: RunStore, other: RunStore, runs: dict[str, str]) -> None:
    """Both stores answer every question to a method in the same way."""
    for question in QUESTIONS[method]:
        answer, again = question(one, runs), question(other, runs)
        if isinstance(answer, pd.DataFrame):
            pd.testing.assert_frame_equal(answer, again)
        else:
            assert plain(answer) == plain(again)
