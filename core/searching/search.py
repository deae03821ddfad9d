"""One search: Optuna proposes settings, each trial is trained by the queue, and its curve may end it early.

What a search knows lies in Optuna's journal and in the store, so one that was killed goes on where it was.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from core.analysis.values import validation_accuracy
from core.config import ConfigError
from core.jobs.groups import Group, named_repeat
from core.launching.launch import launch_groups
from core.searching.asking import ask, counted
from core.searching.plan import distributions, file_of, read
from core.searching.state import keep, state_of
from core.searching.study import study_of
from core.searching.trained import by_trial, curve
from core.tracking import schema
from core.tracking.errors import is_away
from core.tracking.run import Run
from core.tracking.run_state import UnknownRun
from core.tracking.store import RunStore

if TYPE_CHECKING:
    import optuna

REFUSALS = 5  # in a row: then a search stops, as it would spend its budget on them
Launch = Callable[[Sequence[Group], dict[str, str]], list[str]]


@dataclass
class Search:
    """A search under way. launch: creates the runs of the queue."""

    store: RunStore
    name: str
    launch: Launch = launch_groups

    def __post_init__(self) -> None:
        self.plan = read(self.store.settings, self.name)
        self.study = study_of(self.store.settings, self.name, self.plan)
        self.parent = self._begin()
        self._since = time.monotonic()

    def step(self) -> bool:
        """Look at the trials under way and begin new ones; returns whether the search goes on."""
        from optuna.trial import TrialState

        self.plan = read(self.store.settings, self.name)
        if self._whole() != self._size:  # the budget was changed
            self._size_is(self._whole())
        runs = by_trial(self.store, self.name)
        for trial in self.study.get_trials(states=(TrialState.RUNNING,)):
            self._look(trial, runs.get(trial.number, []))
        self._count_time()
        while self._may_begin():
            asked = ask(self.study, distributions(self.plan))
            self._train(asked.number, asked.params, [])
        self._keep(begun=len(counted(self.study)))
        goes_on = bool(self._under_way()) or self._has_budget()
        if not goes_on:
            self._end()
        return goes_on

    # Trials

    def _train(self, number: int, params: dict[str, Any], have: Sequence[Run]) -> None:
        """Put the runs of a trial into the queue, those that it does not have already.

        A killed search may have asked for a trial and launched none of its runs, or some.
        """
        seeds = {run.whole_setting("seed") for run in have}
        try:
            base = self.plan.experiment.with_values(params)
            title = f"{self.name} · trial {number}"
            groups = []
            for seed in range(base.seed, base.seed + self.plan.seeds):
                name = named_repeat(title, [f"seed {seed}"] if self.plan.seeds > 1 else [])
                if seed not in seeds:
                    config = base.with_values({"seed": seed, "name": name})
                    groups.append(Group("", (config,), {schema.SEED: str(seed)}))
            self.launch(groups, self._tags(number))
        except ConfigError as error:
            if error.__cause__ is not None and is_away(error.__cause__):
                raise error.__cause__ from error  # not the settings' fault: the step is taken again
            self._cancel(have)
            self._refuse(number, str(error))
            self._keep(refused=self._state().get("refused", 0) + 1)
        else:
            self._keep(refused=0)

    def _look(self, trial: optuna.trial.FrozenTrial, runs: Sequence[Run]) -> None:
        """Follow one trial: launch what is missing, report its curve, end it.

        Runs are cancelled before Optuna is told: one that was told of is not looked at again after a kill.
        """
        from optuna.trial import TrialState

        if any(schema.PRUNED in run.tags for run in runs):  # killed when it had marked them
            self._prune(trial.number, runs)
            return
        going = all(run.status in (*schema.ACTIVE, schema.FINISHED) for run in runs)
        if going and len(runs) < self.plan.seeds:
            self._train(trial.number, trial.params, runs)
        elif any(run.status in (schema.FAILED, schema.KILLED) for run in runs):
            self._cancel(runs)
            self.study.tell(trial.number, state=TrialState.FAIL)
        elif all(run.status == schema.FINISHED for run in runs):
            self._finish(trial.number, runs)
        elif self.plan.prunes:
            self._report(trial, runs)

    def _finish(self, number: int, runs: Sequence[Run]) -> None:
        accuracies = [validation_accuracy(run) for run in runs]
        macs = [run.metrics.get("macs") for run in runs]
        wanted = [*accuracies, *(macs if self.plan.macs else [])]
        if any(value is None or not math.isfinite(value) for value in wanted):
            self._refuse(number, "A run of this trial logged no validation accuracy.")
            return
        values = [fmean(value for value in accuracies if value is not None)]
        values += [fmean(value for value in macs if value is not None)] if self.plan.macs else []
        self.study.tell(number, values)

    def _report(self, trial: optuna.trial.FrozenTrial, runs: Sequence[Run]) -> None:
        """Hand Optuna what is new of the validation curve, and end the trial where it says so."""
        from optuna.trial import Trial

        seen = curve(self.store, [run.run_id for run in runs], self.plan.seeds)
        live = Trial(self.study, trial._trial_id)
        for epoch in sorted(seen.keys() - trial.intermediate_values.keys()):
            live.report(seen[epoch], epoch)
            if live.should_prune():
                for run in runs:
                    self.store.set_tags(run.run_id, {schema.PRUNED: f"after epoch {epoch}"})
                self._prune(trial.number, runs)
                return

    def _prune(self, number: int, runs: Sequence[Run]) -> None:
        from optuna.trial import TrialState

        self._cancel(runs)
        self.study.tell(number, state=TrialState.PRUNED)

    def _refuse(self, number: int, reason: str) -> None:
        from optuna.trial import TrialState

        self.study.tell(number, state=TrialState.FAIL)
        said = f"Trial {number}: {reason}"
        self._keep(reason=said)
        print(said, flush=True)

    def _cancel(self, runs: Sequence[Run]) -> None:
        for run in runs:
            self.store.request_cancel(run.run_id)

    # Budget and parent

    def _may_begin(self) -> bool:
        return self._has_budget() and len(self._under_way()) < self.plan.at_once

    def _has_budget(self) -> bool:
        state = self._state()
        in_time = not self.plan.hours or state.get("seconds", 0.0) < 3600 * self.plan.hours
        begun = len(counted(self.study))
        stopped = file_of(self.store.settings, self.name, "stop").exists()
        refused = state.get("refused", 0) >= REFUSALS
        return in_time and not stopped and not refused and begun < self.plan.most

    def _under_way(self) -> list[optuna.trial.FrozenTrial]:
        from optuna.trial import TrialState

        return self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    def _begin(self) -> str:
        """Return the parent of all runs of the search; creates it, or opens it again."""
        parent = self._state().get("parent")
        if parent is not None and self._is_deleted(parent):  # with its runs; it takes no tag any more
            parent = None
        self._size = self._whole()
        self._keep(refused=0)  # whoever begins it again has perhaps mended what was refused
        if parent is None:
            tags = {schema.SEARCH: self.name, schema.SWEEP: ", ".join(self.plan.space)[:500]}
            parent = self.store.create_group(f"search {self.name}", self._size, tags)
            self._keep(parent=parent)
        else:
            self.store.own(parent)
            # Before it is opened: with the number of an earlier budget it would end between two trials.
            self.store.set_tags(parent, {schema.GROUP: str(self._size)})
            if not self.store.state(parent).active:
                self.store.set_status(parent, schema.RUNNING)
        return parent

    def _is_deleted(self, run_id: str) -> bool:
        try:
            return self.store.run(run_id).info.lifecycle_stage != "active"
        except UnknownRun:
            return True

    def _end(self) -> None:
        """Let the worker end the parent: it has no more runs than it has now."""
        self._size_is(sum(len(runs) for runs in by_trial(self.store, self.name).values()))

    def _whole(self) -> int:
        """How many runs the whole budget makes."""
        return self.plan.most * self.plan.seeds

    def _size_is(self, runs: int) -> None:
        """Note at the parent how many runs it will have: the worker ends it once so many have ended."""
        self.store.set_tags(self.parent, {schema.GROUP: str(runs)})
        self._size = runs

    def _tags(self, number: int) -> dict[str, str]:
        return {
            schema.SEARCH: self.name,
            schema.TRIAL: str(number),
            schema.PARENT: self.parent,
            schema.SWEEP: ", ".join(self.plan.space)[:500],
        }

    def _count_time(self) -> None:
        now = time.monotonic()
        self._keep(seconds=self._state().get("seconds", 0.0) + now - self._since)
        self._since = now

    def _state(self) -> dict[str, Any]:
        return state_of(self.store.settings, self.name)

    def _keep(self, **values: Any) -> None:
        keep(self.store.settings, self.name, **values)
