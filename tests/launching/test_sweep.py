"""Sweeps: every combination once, all of them under one parent, and a wrong one is refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.analysis.repeats import KEYS, repeats
from core.config import ConfigError, ExperimentConfig
from core.jobs.groups import conclude_groups
from core.launching.cost import Cost, cost, cost_words
from core.launching.launch import launch_groups
from core.launching.sweep import Sweep, group_of, lines, of_mapping, parse
from core.tracking import frames, schema
from core.tracking.run import runs_of
from core.tracking.store import RunStore
from tests.support.commands import run
from tests.support.homes import SMALL

TEN = [f"model.options.{letter}" for letter in "abcdefghij"]
RATES, MODELS = "optimizer.learning_rate", "model.name"


def test_a_grid_has_every_combination_once() -> None:
    sweep = parse([f"{RATES}=0.1,0.01", f"{MODELS}=lenet5,mnist_cnn,cifar_cnn"])
    cells = [(cell[RATES], cell[MODELS]) for cell in sweep.cells()]
    assert cells == [(rate, model) for rate in (0.1, 0.01) for model in ("lenet5", "mnist_cnn", "cifar_cnn")]
    group = group_of(SMALL, sweep, seeds=2)
    assert len(group.configs) == 12
    assert len({(one.optimizer.learning_rate, one.model.name, one.seed) for one in group.configs}) == 12
    assert len({config.name for config in group.configs}) == 12
    assert group.configs[3].name.endswith("learning_rate 0.1 · seed 1")


def test_a_range_is_spread_evenly_or_by_factors() -> None:
    assert parse([f"{RATES}=0.001..0.1/3log"]).values[RATES] == (0.001, 0.01, 0.1)
    assert parse([f"{RATES}=0.1..0.3/3"]).values[RATES] == (0.1, 0.2, 0.3)
    assert parse(["training.epochs=1..9"]).values["training.epochs"] == (1, 5, 9)
    tree = {"training.batch_size": {"from": 16, "to": 64, "steps": 3, "scale": "log"}, RATES: [0.1, 1e-3]}
    assert of_mapping(tree).values == {"training.batch_size": (16, 32, 64), RATES: (0.1, 0.001)}


def test_random_cells_are_drawn_without_any_twice_and_again_the_same() -> None:
    whole = parse([f"{RATES}=0.0001..0.1/100log", "training.epochs=1..100/100"])
    drawn = Sweep(whole.values, sample=50, seed=3)
    assert (whole.grid, drawn.size) == (10_000, 50)
    cells = drawn.cells()
    assert len({(cell[RATES], cell["training.epochs"]) for cell in cells}) == 50
    assert cells == Sweep(whole.values, sample=50, seed=3).cells()
    assert cells != Sweep(whole.values, sample=50, seed=4).cells()
    assert Sweep({RATES: (0.1, 0.2)}, sample=9).cells() == [{RATES: 0.1}, {RATES: 0.2}]


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ([RATES], "A sweep must be written name=value,value. Received: 'optimizer.learning_rate'."),
        ([f"{RATES}=0.1,0.1"], f"{RATES} must have each value once in a sweep."),
        ([f"{RATES}=1", f"{RATES}=2"], "A setting can be swept once."),
        (["seed=1,2"], "seed is not swept: repeat the sweep over seeds."),
        ([f"{RATES}=0.1..0.01/3"], "must go from a number to a larger one in 2 to 100 steps."),
        ([f"{RATES}=0..1/3log"], f"The scale of {RATES} must be linear, or log from above 0."),
        ([f"{RATES}=a..b"], "must go from a number to a larger one"),
        ([f"{RATES}=0..1/.inf"], "in 2 to 100 steps."),
        ([f"{RATES}=0..1/.nan"], "in 2 to 100 steps."),
        ([f"{RATES}=0..1/2.5"], "in 2 to 100 steps."),
        ([f"{RATES}=1...inf/3"], "from a number to a larger one"),
        ([f"{name}=0.1..0.9/100" for name in TEN], "at most 1,000,000,000 combinations. Received: 10^20."),
    ],
)
def test_a_wrong_sweep_is_refused_in_a_sentence(texts: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(texts)
    assert sentence in str(error.value)


def test_empty_lines_of_a_form_are_no_settings() -> None:
    assert parse(lines(f"{RATES}=0.1,0.2\n\n {MODELS}=lenet5\n  ")).grid == 2
    assert lines("\n") == []


@pytest.mark.parametrize("tree", [None, [], {}, {"sample": 3}, {RATES: []}, {RATES: [1], "sample": -1}])
def test_a_wrong_section_is_refused(tree: object) -> None:
    with pytest.raises(ConfigError):
        of_mapping(tree)


def test_values_that_a_setting_refuses_and_too_many_runs_are_refused() -> None:
    with pytest.raises(ConfigError, match="learning_rate must be greater than 0"):
        group_of(SMALL, parse([f"{RATES}=0.1,-1"]))
    with pytest.raises(ConfigError, match="600 cells with 2 seeds on 1 folds, 1200 runs"):
        group_of(SMALL, parse([f"{RATES}=0.001..0.1/100", "training.epochs=1..6/6"]), seeds=2)


def test_a_sweep_is_one_parent_whose_mean_is_not_taken(store: RunStore) -> None:
    group = group_of(SMALL, parse([f"{RATES}=0.1,0.01", f"{MODELS}=lenet5,mnist_cnn,cifar_cnn"]), seeds=2)
    run_ids = launch_groups([group], {schema.HELD: "true"})
    for run_id in run_ids:
        store.request_cancel(run_id)
    launched = runs_of(frames.runs(store))
    (parent,) = {one.parent for one in launched}
    assert parent is not None
    assert len(launched) == len(run_ids) == 12
    assert {one.tags[schema.SWEEP] for one in launched} == {f"{RATES}, {MODELS}"}
    assert store.state(parent).tags[schema.GROUP] == "12"
    assert repeats(frames.runs(store)).empty  # a mean over different settings
    assert repeats(frames.runs(store, KEYS)).empty  # nor on the page of one of its runs
    for run_id in run_ids[:2]:
        store.log_metrics(run_id, {"test_accuracy": 0.5})
        store.set_status(run_id, schema.FINISHED)
    conclude_groups(store)
    assert "test_accuracy" not in store.run(parent).data.metrics


def test_time_is_said_from_similar_runs(store: RunStore) -> None:
    configs = group_of(SMALL, parse([f"{RATES}=0.1,0.01"])).configs
    assert cost_words(cost(configs, store)).startswith("2 runs; how long they take is not known")
    run_id = store.create(SMALL)
    store.log_metrics(run_id, {"train_seconds": 30, "loss": 1}, step=SMALL.training.epochs)
    store.set_tags(run_id, {schema.STARTED: "0"})
    store.set_status(run_id, schema.FINISHED)
    found = cost(configs, store)
    assert (found.runs, found.unknown) == (2, 0)
    assert "2 runs, about" in cost_words(found)
    other = [*configs, ExperimentConfig().with_values({"model.name": "conv3"})]
    assert cost_words(cost(other, store)).endswith("1 of them are of a kind not trained here yet.")


def test_slots_do_not_divide_one_training() -> None:
    assert cost_words(Cost(1, 3600, 0, 4, longest=3600, wanted=1)).startswith("1 run, about 1 h 0 min by")
    two = cost_words(Cost(2, 7200, 0, 4, longest=3600, wanted=2))
    assert two.startswith("2 runs, about 1 h 0 min on 2 slots by")
    uneven = cost_words(Cost(3, 4800, 0, 2, longest=3600, wanted=3))
    assert uneven.startswith("3 runs, about 1 h 0 min on 2 slots by")
    wide = cost_words(Cost(2, 4 * 3600, 0, 2, longest=3600, wanted=4))  # each on two devices
    assert wide.startswith("2 runs, about 2 h 0 min on 2 slots by")


def test_the_command_sweeps_a_config_and_says_its_size(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched = []
    monkeypatch.setattr(
        "core.launching.launch.launch_groups", lambda groups, tags: launched.extend(groups) or []
    )
    file = tmp_path / "config.yaml"
    file.write_text(
        json.dumps({"training": {"epochs": 1}, "sweep": {RATES: [0.1, 0.01, 0.001], "sample": 2}})
    )
    answer = run("train", str(file), "--seeds", "2")
    assert (answer.returncode, len(launched[0].configs)) == (0, 4)
    assert "Sweep: 4 runs; how long they take is not known" in answer.stderr
    run("train", str(file), "--sweep", f"{MODELS}=lenet5,mnist_cnn")
    assert [config.model.name for config in launched[1].configs] == ["lenet5", "mnist_cnn"]
    assert run("train", str(file), "--sweep", "x").stderr.startswith("Error: A sweep must be written")
    assert run("train", "--recipe", "quickstart", "--sweep", "a=1").returncode == 2
