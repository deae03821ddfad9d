"""Checkpoints: everything a training needs to go on as if it had not been interrupted.

A file of a run's folder holds, after some epoch: the net's variables (weights, statistics, random states),
the optimizer's (slots, steps, averages), the best weights so far, and what the callbacks remember. The order
of the images follows from seed and epoch. It is written beside the old one and then takes its place.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from core.training.optimizers import inner_optimizer

FORGOTTEN = ("stopping",)  # what a run that is extended does not remember: why it stopped
COST = 0.005  # share of the training's time that saving may take; the first and the last are always saved


class Remembers(Protocol):
    """A callback whose memory belongs into a checkpoint: JSON values, and arrays."""

    def state(self) -> dict[str, Any]: ...

    def restore(self, state: dict[str, Any]) -> None: ...


class Saved:
    """What was read from a checkpoint.

    stage: which part of the training; begun: after how many epochs its optimizer began; epoch: how many were
    done in all.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], forgotten: tuple[str, ...] = ()):
        self.facts: dict[str, Any] = json.loads(str(arrays["facts"]))
        self.stage: int = self.facts["stage"]
        self.begun: int = self.facts["begun"]
        self.epoch: int = self.facts["epoch"]
        self._arrays = arrays
        self._forgotten = forgotten

    def apply(self, model: keras.Model, callbacks: Mapping[str, Remembers]) -> None:
        """Give everything its value back. Raises ValueError when the net is not the one that was saved."""
        for name, variables in variables_of(model).items():
            if name == "schedule" and self.facts.get("schedule", schedule_of(model)) != schedule_of(model):
                continue  # what plateaus made of another rate
            values = self._list(name)
            shapes = [tuple(variable.shape) for variable in variables]
            if [value.shape for value in values] != shapes:
                raise ValueError("The checkpoint is of another model; the run cannot continue from it.")
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        for name, callback in callbacks.items():
            if name in self.facts["callbacks"] and name not in self._forgotten:
                state = self.facts["callbacks"][name]
                callback.restore({**state, "weights": self._list(name)})

    def _list(self, name: str) -> list[np.ndarray]:
        count = sum(key.startswith(f"{name}/") for key in self._arrays)
        return [self._arrays[f"{name}/{position}"] for position in range(count)]


class Checkpoint(keras.callbacks.Callback):
    """Saves after epochs, as often as costs little; the last epoch of a stage always.

    extends: the checkpoint of a finished run that this one begins from, when it has none of its own.
    """

    def __init__(self, path: Path, extends: Path | None = None):
        super().__init__()
        self.path = path
        self.extends = extends
        self.enter(0, 0, 0, {})
        self._cost_s = 0.0
        self._saved_at = -math.inf

    def enter(self, stage: int, begun: int, end: int, callbacks: Mapping[str, Remembers]) -> None:
        """A stage begins; its last epoch is `end`. callbacks: those whose memory is saved, by name."""
        self.stage, self.begun, self.end, self.callbacks = stage, begun, end, callbacks

    @property
    def exists(self) -> bool:
        """Whether `read` finds anything."""
        return self._source is not None

    @property
    def _source(self) -> Path | None:
        return self.path if self.path.exists() else self.extends

    def read(self) -> Saved | None:
        """What was saved last, or None."""
        path = self._source
        if path is None:
            return None
        with np.load(path, allow_pickle=False) as file:
            return Saved(dict(file), forgotten=FORGOTTEN if path == self.extends else ())

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        last = self.model.stop_training or epoch + 1 == self.end
        if not last and time.perf_counter() - self._saved_at <= self._cost_s / COST:
            return
        try:
            self.save(epoch + 1)
        except OSError as error:  # a disk that is full for a while ends no training; the one before is whole
            if last:
                raise
            print(f"the checkpoint after epoch {epoch + 1} was not written: {error}")

    def save(self, epoch: int) -> None:
        """Write down the state after so many epochs."""
        began = time.perf_counter()
        arrays: dict[str, Any] = {}
        for name, values in variables_of(self.model).items():
            arrays |= named(name, [keras.ops.convert_to_numpy(value) for value in values])
        states = {name: callback.state() for name, callback in self.callbacks.items()}
        for name, state in states.items():
            arrays |= named(name, state.pop("weights", []))
        facts = {
            "stage": self.stage,
            "begun": self.begun,
            "epoch": epoch,
            "callbacks": states,
            "schedule": schedule_of(self.model),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.draft")
        try:
            with draft.open("wb") as file:
                np.savez(file, facts=np.array(json.dumps(facts)), **arrays)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        finally:
            draft.unlink(missing_ok=True)
        self._saved_at = time.perf_counter()
        self._cost_s = self._saved_at - began


def variables_of(model: keras.Model) -> dict[str, Sequence[Any]]:
    """Every variable that a step changes: of the net, of its optimizer, of the schedule."""
    optimizer = model.optimizer
    return {
        "net": model.variables,
        "optimizer": optimizer.variables,
        "schedule": [inner_optimizer(model)._learning_rate.lowered],
    }


def schedule_of(model: keras.Model) -> str:
    """Which schedule a model trains with, whatever its length is."""
    config = inner_optimizer(model)._learning_rate.config
    return f"{config.schedule.name} {config.optimizer.learning_rate:g}"


def named(name: str, values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{name}/{position}": value for position, value in enumerate(values)}
