"""Checkpoints: everything a training needs to go on as if it had not been interrupted.

A file of a run's folder holds, after some epoch: the model's variables (weights, statistics, random states),
the optimizer's (slots, steps, averages), the best weights so far, and what the callbacks remember. The order
of the images follows from seed and epoch. It is written beside the old one and then takes its place.
"""

from __future__ import annotations

import json
import math
import time
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from core.system.files import is_of_the_disk, replacing
from core.tracking.patience import PATIENCE_S, PAUSE_S
from core.training.optimizers import inner_optimizer

NOT_RESTORED = ("stopping",)  # what a run that is extended does not remember: why it stopped
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
        """Give everything its value back. Raises ValueError when the model is not the one that was saved."""
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

    A disk that takes no checkpoint ends no training: the one before it stays, whole. The last one of a stage
    is tried again until `patience_s` have passed, and then kept in memory alone, for the next stage.

    extends: the checkpoint of a finished run that this one begins from, when it has none of its own.
    patience_s: seconds.
    """

    def __init__(self, path: Path, extends: Path | None = None, patience_s: float = PATIENCE_S):
        super().__init__()
        self.path = path
        self.extends = extends
        self.patience_s = patience_s
        self._unwritten: dict[str, Any] | None = None
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
        """What was saved last, or None. Raises ValueError when the file is damaged."""
        if self._unwritten is not None:
            return Saved(self._unwritten)
        path = self._source
        if path is None:
            return None
        try:
            with np.load(path, allow_pickle=False) as file:
                return Saved(dict(file), forgotten=NOT_RESTORED if path == self.extends else ())
        except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            if is_of_the_disk(error):
                raise
            raise ValueError(
                f"The checkpoint {path} is damaged. Remove it to train the run from its beginning."
            ) from error

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        last = self.model.stop_training or epoch + 1 == self.end
        if not last and time.perf_counter() - self._saved_at <= self._cost_s / COST:
            return
        began = time.perf_counter()
        give_up = time.monotonic() + (self.patience_s if last else 0)
        state, said = self._state(epoch + 1), False
        while True:
            try:
                self._write(state)
            except OSError as error:
                if not said:
                    print(f"the checkpoint after epoch {epoch + 1} was not written: {error}")
                    said = True
                if time.monotonic() >= give_up:
                    self._unwritten = state if last else None
                    break
                time.sleep(PAUSE_S)
            else:
                self._unwritten = None
                if said:
                    print(f"the checkpoint after epoch {epoch + 1} was written after all")
                break
        self._saved_at = time.perf_counter()
        self._cost_s = self._saved_at - began

    def _state(self, epoch: int) -> dict[str, Any]:
        """Return all arrays of a checkpoint after `epoch` epochs."""
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
        return {"facts": np.array(json.dumps(facts)), **arrays}

    def _write(self, state: Mapping[str, Any]) -> None:
        """Put a checkpoint in the place of the one before it. Raises OSError where it is not taken."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as draft, draft.open("wb") as file:
            np.savez(file, **state)


def variables_of(model: keras.Model) -> dict[str, Sequence[Any]]:
    """Every variable that a step changes: of the model, of its optimizer, of the schedule."""
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
