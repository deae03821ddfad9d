"""A search: what Optuna and the store say agrees, a killed one goes on, a pruned trial frees its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import optuna
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import TrialState

from core.analysis.search_results import FAILED, UNDER_WAY, trials
from core.config import ConfigError
from core.jobs.deletion import delete
from core.jobs.groups import Group, conclude_groups
from core.searching import plan as plans
from core.searching import process
from core.searching.asking import ask, counted
from core.searching.search import REFUSALS, Search
from core.searching.state import state_of
from core.system.daemon import DaemonExists
from core.system.settings import NotAllowed
from core.tracking import frames, schema
from core.tracking.errors import Fault, StoreError
from core.tracking.run import Run, runs_of
from core.tracking.store import RunStore
from tests.support import commands
from tests.support.homes import SMALL

RATE = "optimizer.learning_rate"
SPACE = {RATE: {"from": 0.0001, "to": 0.1, "scale": "log"}, "model.name": ["lenet5", "mnist_cnn"]}


class Queue:
    """A store's queue that nothing trains: the test says how each run goes."""

    def __init__(self, store: RunStore):
        self.store = store

    def launch(self, groups: Sequence[Group], tags: dict[str, str]) -> list[str]:
        return [
            self.store.create(config, {**tags, **group.tags}) for group in groups for config in group.configs
        ]

    def runs(self) -> list[Run]:
        return [*reversed(runs_of(frames.runs(self.store)))]

    def waiting(self) -> list[Run]:
        return [run for run in self.runs() if run.status == schema.SCHEDULED]

    def epoch(self, run: Run, step: int, accuracy: float) -> None:
        self.store.set_status(run.run_id, schema.RUNNING)
        self.store.log_metrics(run.run_id, {"val_accuracy": accuracy, "loss": 1.0}, step)

    def finish(self, run: Run, accuracy: float, macs: float = 1e6) -> None:
        self.store.log_metrics(run.run_id, {"best_val_accuracy": accuracy, "macs": macs})
        self.store.set_status(run.run_id, schema.FINISHED)


@pytest.fixture
def queue(store: RunStore) -> Queue:
    return Queue(store)


def begun(store: RunStore, queue: Queue, **values: object) -> Search:
    plan = plans.plan_of({"config": SMALL.model_dump(), "space": SPACE, "trials": 3, **values})
    plans.write(store.settings, "rates", plan)
    return Search(store, "rates", queue.launch)


def test_each_trial_is_a_run_under_one_parent_and_optuna_says_the_same(store: RunStore, queue: Queue) -> None:
    search = begun(store, queue)
    accuracies = [0.5, 0.9, 0.7]
    for accuracy in accuracies:
        assert search.step()
        (run,) = queue.waiting()
        queue.finish(run, accuracy)
    assert not search.step()
    runs, trials = queue.runs(), search.study.get_trials()
    assert {run.parent for run in runs} == {search.parent}
    assert [run.tags[schema.TRIAL] for run in runs] == ["0", "1", "2"]
    assert [trial.value for trial in trials] == accuracies
    for run, trial in zip(runs, trials, strict=True):
        assert float(run.params[RATE]) == trial.params[RATE]
        assert run.params["model.name"] == trial.params["model.name"]
    assert search.study.best_trial.number == 1
    conclude_groups(store)
    assert store.state(search.parent).status == schema.FINISHED


def test_a_killed_search_goes_on_where_it_was(store: RunStore, queue: Queue) -> None:
    search = begun(store, queue, seeds=2)
    search.step()
    first = queue.waiting()
    assert [run.params["seed"] for run in first] == ["0", "1"]
    queue.finish(first[0], 0.6)
    # killed after it asked for a trial and had launched one of the two runs
    search.study.ask(plans.distributions(search.plan))
    (trial,) = [one for one in search.study.get_trials() if one.number == 1]
    search._train(1, trial.params, [])
    lost = queue.waiting()[-1]
    store.client.delete_run(lost.run_id)
    del search
    again = Search(store, "rates", queue.launch)
    again.step()
    of_second = [run for run in queue.runs() if run.tags[schema.TRIAL] == "1"]
    assert sorted(run.params["seed"] for run in of_second) == ["0", "1"]
    assert {run.parent for run in queue.runs()} == {again.parent}
    queue.finish(first[1], 0.8)
    again.step()
    assert again.study.get_trials()[0].value == pytest.approx(0.7)  # the mean of both seeds
    for _ in range(4):
        for run in queue.waiting():
            queue.finish(run, 0.5)
        again.step()
    assert len(again.study.get_trials()) == 3
    assert len(queue.runs()) == 6


def test_a_pruned_trial_ends_as_pruned_and_frees_its_place(store: RunStore, queue: Queue) -> None:
    search = begun(store, queue, trials=8)
    for _ in range(6):  # curves that it is compared with
        search.step()
        (run,) = queue.waiting()
        for epoch in (1, 2, 3):
            queue.epoch(run, epoch, 0.8)
        search.step()
        queue.finish(run, 0.8)
    search.step()
    (bad,) = queue.waiting()
    for epoch in (1, 2, 3):
        queue.epoch(bad, epoch, 0.1)
    search.step()
    assert search.study.get_trials()[6].state == TrialState.PRUNED
    tags = store.state(bad.run_id).tags
    assert tags[schema.PRUNED] == "after epoch 2"
    assert schema.CANCEL in tags
    (following,) = queue.waiting()
    assert following.tags[schema.TRIAL] == "7"


def test_failed_trials_count_and_a_stop_begins_none(store: RunStore, queue: Queue) -> None:
    search = begun(store, queue, at_once=2)
    search.step()
    first, second = queue.waiting()
    store.fail(first.run_id, "It broke.")
    process.stop(store.settings, "rates")
    assert search.step()  # the second is under way
    assert search.study.get_trials()[0].state == TrialState.FAIL
    assert len(queue.runs()) == 2
    queue.finish(second, 0.5)
    assert not search.step()
    process.change(store.settings, "rates", trials=4)
    assert search.step()
    assert len(queue.waiting()) == 2


def test_cost_can_be_a_second_objective(store: RunStore, queue: Queue) -> None:
    search = begun(store, queue, macs=True)
    search.step()
    queue.finish(queue.waiting()[0], 0.7, macs=5e6)
    search.step()
    assert search.study.get_trials()[0].values == [0.7, 5e6]
    assert not search.plan.prunes


def test_hours_are_a_budget(store: RunStore, queue: Queue) -> None:
    search = begun(store, queue, hours=1)
    search._keep(seconds=3600.0)
    assert not search.step()
    assert queue.runs() == []


def test_an_extended_search_keeps_its_parent_open(store: RunStore, queue: Queue) -> None:
    search = begun(store, queue, trials=1)
    search.step()
    queue.finish(queue.waiting()[0], 0.5)
    assert not search.step()
    conclude_groups(store)
    assert store.state(search.parent).status == schema.FINISHED
    process.change(store.settings, "rates", trials=2)
    again = Search(store, "rates", queue.launch)
    assert store.state(again.parent).tags[schema.GROUP] == "2"
    conclude_groups(store)  # between two trials
    assert store.state(again.parent).status == schema.RUNNING
    again.step()
    process.change(store.settings, "rates", trials=3)
    again.step()
    assert store.state(again.parent).tags[schema.GROUP] == "3"


def test_a_search_whose_trials_are_refused_stops_and_says_why(store: RunStore, queue: Queue) -> None:
    def refuse(groups: Sequence[Group], tags: dict[str, str]) -> list[str]:
        raise ConfigError("Unknown dataset 'gone'.")

    begun(store, queue, trials=100)
    search = Search(store, "rates", refuse)
    assert not search.step()
    assert state_of(store.settings, "rates")["begun"] == len(search.study.get_trials()) == REFUSALS
    said = f"Trial {REFUSALS - 1}: Unknown dataset 'gone'."
    assert state_of(store.settings, "rates")["reason"] == said
    assert Search(store, "rates", queue.launch).step()  # it was mended


def test_a_store_that_is_away_ends_no_search(store: RunStore, queue: Queue) -> None:
    def away(groups: Sequence[Group], tags: dict[str, str]) -> list[str]:
        if broken:
            raise ConfigError("It cannot be read.") from StoreError(
                "sqlite:///x", "It is locked.", Fault.AWAY
            )
        return queue.launch(groups, tags)

    begun(store, queue)
    search, broken = Search(store, "rates", away), [True]
    assert process.taken(search.step)
    assert queue.runs() == []
    broken.clear()
    assert process.taken(search.step)
    assert [run.tags[schema.TRIAL] for run in queue.waiting()] == ["0"]
    with pytest.raises(StoreError):
        process.taken(lambda: raised(StoreError("sqlite:///x", "No such table.", Fault.REFUSED)))


def raised(error: Exception) -> bool:
    raise error


def test_a_stopped_search_goes_on_when_a_person_calls_it_and_not_by_itself(
    store: RunStore, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(store, queue)
    process.stop(store.settings, "rates")
    served = []
    monkeypatch.setattr(
        process, "serve", lambda settings, name: served.append(plans.file_of(settings, name, "stop").exists())
    )
    assert "--serve" in process.search_of(store.settings, "rates").arguments
    for arguments in (["--serve"], []):
        assert commands.run("search", "rates", *arguments).returncode == 0
    assert served == [True, False]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"config": SMALL.with_values({"data.validation_fraction": 0}).model_dump()}, "no image is left to"),
        ({"space": {"data.validation_fraction": [0.1, 0]}}, "no image is left to validate on"),
        ({"space": {"training.batch_size": [64, 4096]}}, "training.batch_size must be at most the number of"),
        ({"space": {"data.name": ["digits", "gone"]}}, "gone"),
    ],
)
def test_a_search_that_could_not_be_trained_is_refused_before_it_begins(
    store: RunStore, values: dict, sentence: str
) -> None:
    whole = {"config": SMALL.model_dump(), "space": SPACE, **values}
    with pytest.raises(ConfigError, match=sentence):
        plans.begin(store.settings, "rates", whole)
    assert plans.names(store.settings) == []
    plans.begin(store.settings, "rates", {"config": SMALL.model_dump(), "space": SPACE})
    with pytest.raises(ConfigError, match="There is a search of this name already"):
        plans.begin(store.settings, "rates", {"config": SMALL.model_dump(), "space": SPACE})


def test_a_trial_that_ended_without_a_validation_accuracy_has_failed() -> None:
    tags = {schema.SEARCH: "rates", schema.TRIAL: "0"}
    ended = Run("a", "trial", schema.FINISHED, tags)
    (found,) = trials("rates", [ended])
    assert found.state == FAILED
    assert trials("rates", [replace(ended, status=schema.RUNNING)])[0].state == UNDER_WAY


def test_a_trial_without_all_of_its_seeds_is_under_way() -> None:
    tags = {schema.SEARCH: "rates", schema.TRIAL: "0"}
    first = Run("a", "trial", schema.FINISHED, tags, metrics={"best_val_accuracy": 0.5})
    assert trials("rates", [first], 2)[0] == (0, UNDER_WAY, None, (first,))
    assert trials("rates", [first, replace(first, run_id="b")], 2)[0].value == 0.5


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"space": {}}, "A search must have settings with their values. Received: none."),
        (
            {"space": {RATE: {"from": 1, "to": 0.1}}},
            f"{RATE} must have a list, or a range from a number",
        ),
        ({"space": {RATE: {"from": 0, "to": 1, "scale": "log"}}}, "must be above 0 to be logarithmic"),
        ({"space": {RATE: [0.1, -1]}}, f"{RATE} must be greater than 0. Received: -1"),
        ({"space": {"seed": [1, 2]}}, "seed is not searched"),
        ({"space": {RATE: [0.1, 0.2]}, "trials": 0}, "trials must be at least 1. Received: 0."),
    ],
)
def test_a_wrong_search_is_refused_in_a_sentence(values: dict, sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        plans.plan_of({"config": SMALL.model_dump(), **values})
    assert sentence in str(error.value)


def test_a_space_is_read_as_a_sweep_is() -> None:
    assert plans.space_of(["model.options.widths=[1,2],[3,4]"]) == {"model.options.widths": [[1, 2], [3, 4]]}
    with pytest.raises(ConfigError, match="A setting can be searched once"):
        plans.space_of([f"{RATE}=0.1,0.2", f"{RATE}=0.3"])


def test_names_do_not_leave_the_folder_and_spaces_are_read(store: RunStore) -> None:
    plan = plans.plan_of({"space": plans.space_of([f"{RATE}=0.001..0.1/log", "model.name=lenet5,conv3"])})
    assert plan.space == {
        RATE: {"from": 0.001, "to": 0.1, "scale": "log"},
        "model.name": ["lenet5", "conv3"],
    }
    with pytest.raises(ConfigError, match="The name of a search"):
        plans.write(store.settings, "../x", plan)
    with pytest.raises(ConfigError, match=r"Unknown search 'x'\. Known: none"):
        plans.read(store.settings, "x")
    plans.write(store.settings, "x", plan)
    assert plans.read(store.settings, "x") == plan


def test_whole_numbers_alone_are_tried_where_the_setting_is_one() -> None:
    whole = plans.plan_of(
        {
            "space": {
                "augmentation.brightness": {"from": 0, "to": 1},
                "training.batch_size": {"from": 16, "to": 64},
                "model.options.width": {"from": 1, "to": 4},
            },
            "config": {"model": {"name": "mnist_cnn"}},
        }
    )
    kinds = {name: type(one).__name__ for name, one in plans.distributions(whole).items()}
    assert kinds == {
        "augmentation.brightness": "FloatDistribution",
        "training.batch_size": "IntDistribution",
        "model.options.width": "IntDistribution",
    }


def test_a_search_whose_group_was_deleted_goes_on_under_another(store: RunStore, queue: Queue) -> None:
    search = begun(store, queue, trials=2)
    search.step()
    queue.finish(queue.waiting()[0], 0.5)
    process.stop(store.settings, "rates")
    assert not search.step()
    conclude_groups(store)
    delete(store, [run.run_id for run in queue.runs()])
    process.go_on(store.settings, "rates")
    again = Search(store, "rates", queue.launch)
    assert again.parent != search.parent
    assert again.step()
    assert [run.parent for run in queue.waiting()] == [again.parent]


def test_a_viewer_serves_no_search(store: RunStore, queue: Queue) -> None:
    plans.write(store.settings, "rates", plans.plan_of({"config": SMALL.model_dump(), "space": SPACE}))
    process.stop(store.settings, "rates")  # else one that is served after all would not end
    viewer = replace(store.settings, role="viewer")
    with pytest.raises(NotAllowed):
        process.serve(viewer, "rates")
    assert state_of(store.settings, "rates") == {}


def test_a_second_process_of_a_search_is_refused_by_its_name(store: RunStore) -> None:
    daemon = process.search_of(store.settings, "rates")
    plans.folder(store.settings).mkdir()
    with (
        daemon.hold(),
        pytest.raises(DaemonExists, match=r"^A process of the search 'rates' already serves"),
        daemon.hold(),
    ):
        pass


def test_nothing_is_proposed_twice_while_something_is_untried() -> None:
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    space = {"rate": IntDistribution(1, 4, log=True), "name": CategoricalDistribution(["a", "b", "c"])}
    found = []
    for _ in range(12):
        asked = ask(study, space)
        found.append((asked.params["rate"], asked.params["name"]))
        study.tell(asked, 0.5)
    assert len({*found}) == len(counted(study)) == 12
    assert len(study.get_trials()) > 12  # else the sampler proposed none twice, and nothing was tested


def test_a_search_of_four_rates_trains_each_once(store: RunStore, queue: Queue) -> None:
    rates = [0.0001, 0.001, 0.01, 0.1]
    search = begun(store, queue, space={RATE: rates}, trials=20)
    assert store.state(search.parent).tags[schema.GROUP] == "4"
    while search.step():
        for run in queue.waiting():
            queue.finish(run, 0.5)
    assert sorted(float(run.params[RATE]) for run in queue.runs()) == rates


def test_a_search_that_is_killed_while_it_ends_a_trial_ends_it_later(
    store: RunStore, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(run_id: str) -> None:
        raise KeyboardInterrupt

    search = begun(store, queue, seeds=2, at_once=2)
    search.step()
    failed, other, pruned, last = queue.waiting()
    store.fail(failed.run_id, "It broke.")
    store.set_tags(pruned.run_id, {schema.PRUNED: "after epoch 2"})
    with monkeypatch.context() as patch:
        patch.setattr(store, "request_cancel", killed)
        with pytest.raises(KeyboardInterrupt):
            search.step()
    process.stop(store.settings, "rates")
    again = Search(store, "rates", queue.launch)
    again.step()
    assert [trial.state for trial in again.study.get_trials()] == [TrialState.FAIL, TrialState.PRUNED]
    assert {store.state(run.run_id).status for run in (other, pruned, last)} == {schema.KILLED}


def test_a_server_is_asked_seldom_and_for_what_is_new(
    store: RunStore, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, runs = [], store.read.runs

    def counted_runs(keys: Sequence[str] | None, recent: bool) -> pd.DataFrame:
        asked.append(recent)
        return runs(keys, recent)

    monkeypatch.setattr(store.read, "runs", counted_runs)
    begun(store, queue).step()
    assert {*asked} == {True}
    assert process.look_s(store) == process.LOOK_S
    monkeypatch.setattr(store.read, "quick", False)
    assert process.look_s(store) == process.LOOK_FAR_S
