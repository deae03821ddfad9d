"""Print the progress of the runs that a command waits for on stderr: a line per phase and per epoch.

stdout has only what scripts read: the ids of the runs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any

import click

from core.analysis.values import kept_accuracy, percent
from core.jobs.worker import worker_of
from core.system.units import duration
from core.tracking import frames, schema
from core.tracking.patience import patiently
from core.tracking.progress import latest
from core.tracking.run_state import RunState

if TYPE_CHECKING:
    from core.tracking.store import RunStore

LOOK_S, LOOK_FAR_S = 0.5, 2.0  # between two reads of the store: of a database, of a server
SILENCE_S = 60.0  # progress within an epoch is printed if it takes longer
STATE_WORDS = {
    schema.SCHEDULED: "queued",
    schema.RUNNING: "running",
    schema.FINISHED: "finished",
    schema.FAILED: "failed",
    schema.KILLED: "cancelled",
}
SHOWN = ("loss", "accuracy", "val_loss", "val_accuracy")  # of an epoch


@dataclass
class _Seen:
    """What was printed of a run: its state or phase, its last epoch, and when (`time.monotonic`)."""

    said: str = ""
    epoch: int = 0
    at: float = 0.0


class Watch:
    """Print the progress of runs until they end. Epochs logged before the watch began are not printed."""

    def __init__(self, store: RunStore, run_ids: Sequence[str]) -> None:
        self.store = store
        self.run_ids = list(run_ids)
        self.states: dict[str, str] = {}  # of those that have ended
        self._seen = {
            run_id: _Seen(epoch=patiently(partial(store.read.last_step, run_id))) for run_id in run_ids
        }

    def look(self) -> bool:
        """Print what is new. Returns whether a run has not ended yet."""
        active = {state.run_id: state for state in self.store.active()}
        for run_id in self.run_ids:
            if run_id in self.states:
                continue
            state = active.get(run_id) or self.store.state(run_id)
            self._report(state)
            if not state.active:
                self.states[run_id] = state.status
        return len(self.states) < len(self.run_ids)

    def until_ended(self, keep_worker: bool = True) -> list[str]:
        """Watch until all runs have ended.

        Returns their final states. keep_worker: start a worker if none runs.
        """
        while patiently(self.look):
            if keep_worker:
                worker_of(self.store.settings).ensure()
            time.sleep(LOOK_S if self.store.read.quick else LOOK_FAR_S)
        return [self.states[run_id] for run_id in self.run_ids]

    def _report(self, state: RunState) -> None:
        seen = self._seen[state.run_id]
        progress = latest(self.store.settings, state.run_id, state.tags) if state.active else {}
        phase = progress.get("phase", "")
        training = phase == "training" and {"epoch", "epochs", "step", "steps"} <= progress.keys()
        if state.status == schema.SCHEDULED:
            self._say(state, "held in the queue" if schema.HELD in state.tags else "queued", state.name)
            return
        if training:
            self._say(state, "training")
        if not training or progress["epoch"] > seen.epoch + 1:
            self._report_epochs(state, progress)
        if training:
            if time.monotonic() - seen.at > SILENCE_S:
                share = f"{progress['step'] / progress['steps']:.0%} of all steps"
                self._print(
                    state, f"epoch {progress['epoch']} of {progress['epochs']}", share, _left(progress)
                )
        elif state.active:
            self._say(state, phase or "starting")
        else:
            self._say(state, STATE_WORDS.get(state.status, state.status), *self._result(state))

    def _say(self, state: RunState, word: str, *more: str) -> None:
        """Print a state or phase unless it was the last one printed."""
        if self._seen[state.run_id].said != word:
            self._print(state, word, *more)
            self._seen[state.run_id].said = word

    def _report_epochs(self, state: RunState, progress: dict[str, Any]) -> None:
        seen = self._seen[state.run_id]
        history = frames.histories(self.store, [state.run_id], SHOWN, after=seen.epoch)
        for epoch, values in history.groupby("step"):
            last = dict(zip(values["metric"], values["value"], strict=True))
            scores = [f"{name} {last[name]:.4f}" for name in SHOWN if name in last]
            total = f" of {progress['epochs']}" if "epochs" in progress else ""
            newest = epoch == history["step"].max()
            self._print(state, f"epoch {epoch}{total}", *scores, _left(progress) if newest else "")
            seen.epoch = int(str(epoch))

    def _result(self, state: RunState) -> list[str]:
        if state.status != schema.FINISHED:
            return [state.tags.get(schema.FAILURE, "")]
        run = self.store.run(state.run_id).data
        names = (kept_accuracy(run.params.get("training.keep")), "test_accuracy")
        return [f"{name} {percent(run.metrics[name])}" for name in names if name in run.metrics]

    def _print(self, state: RunState, *parts: str) -> None:
        click.echo(" · ".join([state.run_id[:8], *filter(None, parts)]), err=True)
        self._seen[state.run_id].at = time.monotonic()


class Background:
    """Watches a run while this thread trains it."""

    def __init__(self, store: RunStore, run_id: str) -> None:
        self._thread = Thread(target=Watch(store, [run_id]).until_ended, args=(False,), daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Wait until the end of the run was printed."""
        self._thread.join(10 * LOOK_S)


def _left(progress: dict[str, Any]) -> str:
    """Return the remaining time as text; empty where it is unknown."""
    if "remaining_s" not in progress:
        return ""
    return f"{duration(progress['remaining_s'])} left"
