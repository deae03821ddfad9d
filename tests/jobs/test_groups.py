"""Repeats over seeds and folds: runs of one group, which ends with them and says what they came to."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from core.commands import cli
from core.config import ConfigError, ExperimentConfig
from core.jobs.groups import conclude_groups, repeated, summary
from core.tracking import schema
from core.tracking.store import RunStore
from tests.support.homes import SMALL

pytestmark = pytest.mark.engine


def test_seeds_on_folds() -> None:
    group = repeated(ExperimentConfig(seed=7), seeds=2, folds=3)
    assert group.name == "lenet5 on digits"
    assert [(one.data.fold, one.seed) for one in group.configs] == [
        (0, 7), (0, 8), (1, 7), (1, 8), (2, 7), (2, 8),
    ]  # fmt: skip
    assert {one.data.folds for one in group.configs} == {3}
    assert group.configs[3].name == "lenet5 on digits · fold 2 of 3 · seed 8"
    assert repeated(SMALL).configs == (SMALL,)


@pytest.mark.parametrize(
    ("seeds", "folds", "sentence"),
    [
        (0, 0, "The number of seeds must be at least 1. Received: 0."),
        (1, 1, "The number of folds must be 0 (none) or at least 2. Received: 1."),
        (300, 10, "One launch makes at most 1000 runs. Received: 300 seeds on 10 folds."),
    ],
)
def test_senseless_numbers_are_refused(seeds: int, folds: int, sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        repeated(SMALL, seeds, folds)
    assert str(error.value) == sentence


def test_summary_is_mean_and_deviation_over_runs() -> None:
    found = summary([{"test_accuracy": 0.5, "epoch_seconds": 3}, {"test_accuracy": 0.7, "val_accuracy": 0.6}])
    assert found == {
        "runs": 2,
        "val_accuracy": 0.6,  # what runs that keep their last weights are compared by
        "test_accuracy": pytest.approx(0.6),
        "test_accuracy_std": pytest.approx(0.1 * 2**0.5),  # of a sample: n - 1
    }


def test_a_group_whose_launch_died_before_its_first_run_has_a_state(store: RunStore) -> None:
    parent = store.create_group("none", 2)
    (told,) = json.loads(CliRunner().invoke(cli, ["status", parent, "--json"]).stdout)
    assert (told["name"], told["runs"], told["status"]) == ("none", 0, schema.RUNNING)


def test_a_group_of_which_a_run_was_cancelled_did_not_finish(store: RunStore) -> None:
    parent = store.create_group("two", 2)
    first, second = (store.create(SMALL, {schema.PARENT: parent}) for _ in range(2))
    store.set_status(first, schema.FINISHED)
    conclude_groups(store)
    assert store.state(parent).status == schema.RUNNING
    store.request_cancel(second)
    conclude_groups(store)
    assert store.state(parent).status == schema.FAILED
    assert store.state(parent).tags[schema.FAILURE] == "1 of its 2 runs did not finish."


def test_a_group_is_open_again_when_one_of_its_runs_is(store: RunStore) -> None:
    parent = store.create_group("one", 1)
    run_id = store.create(SMALL, {schema.PARENT: parent})
    store.request_cancel(run_id)
    conclude_groups(store)
    assert store.state(parent).status == schema.FAILED
    store.reopen(run_id)
    assert store.state(parent).status == schema.RUNNING
    store.set_status(run_id, schema.FINISHED)
    conclude_groups(store)
    assert store.state(parent).status == schema.FINISHED
    assert schema.FAILURE not in store.state(parent).tags


def test_a_group_whose_launch_is_under_way_is_left_alone(store: RunStore) -> None:
    parent = store.create_group("two", 2)
    store.set_status(store.create(SMALL, {schema.PARENT: parent}), schema.FINISHED)
    conclude_groups(store)
    assert store.state(parent).status == schema.RUNNING


def test_a_tag_of_another_program_keeps_no_group_from_ending(store: RunStore) -> None:
    other = store.client.create_run(store.experiment_id, tags={schema.GROUP: "best"}).info.run_id
    without_owner = store.client.create_run(store.experiment_id, tags={schema.GROUP: "2"}).info.run_id
    parent = store.create_group("one", 1)
    store.set_status(store.create(SMALL, {schema.PARENT: parent}), schema.FINISHED)
    conclude_groups(store)
    assert store.state(parent).status == schema.FINISHED
    assert {store.state(one).status for one in (other, without_owner)} == {schema.RUNNING}
