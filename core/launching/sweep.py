"""Sweeps: one experiment with every combination of some settings' values, all runs under one parent."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.config import ConfigError, ExperimentConfig, yaml_text
from core.jobs.groups import LIMIT, MAX_NAME, Group, repeated
from core.system.text import as_number, shortened
from core.tracking import schema

RANGE = ("from", "to")  # what a range must have; `steps` and `scale` may be there
SCALES = ("linear", "log")
MOST_VALUES = 100  # of one setting
MOST_CELLS = 10**9  # of a grid that is sampled: a draw counts them all in a machine's integer
REPEATED = ("seed", "data.fold", "data.folds", "name")  # settings that are repeated, not swept


@dataclass(frozen=True)
class Sweep:
    """Which settings take which values, by dotted name.

    sample: how many cells are drawn at random, without any twice; 0: the whole grid. seed: of that draw.
    """

    values: Mapping[str, tuple[Any, ...]]
    sample: int = 0
    seed: int = 0

    @property
    def grid(self) -> int:
        """How many cells the whole grid has."""
        return math.prod(len(values) for values in self.values.values())

    def cells(self) -> list[dict[str, Any]]:
        """Return the settings of each cell, in the order of the grid."""
        names = list(self.values)
        numbers = range(self.grid)
        chosen = sorted(random.Random(self.seed).sample(numbers, self.sample)) if self._samples else numbers
        return [self._cell(names, number) for number in chosen]

    @property
    def size(self) -> int:
        """How many cells are trained."""
        return self.sample if self._samples else self.grid

    @property
    def _samples(self) -> bool:
        return 0 < self.sample < self.grid

    def _cell(self, names: Sequence[str], number: int) -> dict[str, Any]:
        """Return the cell of a number: the last setting changes first. No list of a large grid is made."""
        found = {}
        for name in reversed(names):
            number, place = divmod(number, len(self.values[name]))
            found[name] = self.values[name][place]
        return {name: found[name] for name in names}


def of_mapping(tree: Any, sample: int = 0, seed: int = 0) -> Sweep:
    """Check the section `sweep` of a config: a list or a range for each setting, and perhaps `sample`.

    A range is `{from: 0.001, to: 0.1, steps: 3, scale: log}`. Raises ConfigError in one sentence.
    """
    if not isinstance(tree, Mapping) or not tree:
        raise ConfigError(
            f"A sweep must be a mapping of settings to lists or ranges. Received: {shortened(tree)}."
        )
    tree = dict(tree)
    sample, seed = tree.pop("sample", sample), tree.pop("sample_seed", seed)
    for name, number in (("sample", sample), ("sample_seed", seed)):
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise ConfigError(
                f"sweep.{name} must be a whole number of at least 0. Received: {shortened(number)}."
            )
    found = {str(name): _values(str(name), value) for name, value in tree.items()}
    if not found:
        raise ConfigError("A sweep must have at least one setting. Received: none.")
    grid = math.prod(len(values) for values in found.values())
    if grid > MOST_CELLS:
        raise ConfigError(
            f"A sweep must have at most {MOST_CELLS:,} combinations. Received: 10^{math.log10(grid):.0f}."
        )
    return Sweep(found, sample, seed)


def parse(texts: Sequence[str], sample: int = 0) -> Sweep:
    """Read `["optimizer.learning_rate=0.1,0.01"]`; a range is `NAME=0.001..0.1/3` or, by factors, `...log`.

    Raises ConfigError in one sentence.
    """
    tree: dict[str, Any] = {}
    for text in texts:
        name, sign, written = text.partition("=")
        name = name.strip()
        if not sign or not name or not written.strip():
            raise ConfigError(f"A sweep must be written name=value,value. Received: {shortened(text)}.")
        if name in tree:
            raise ConfigError(f"A setting can be swept once. Received: {shortened(name)} twice.")
        tree[name] = range_of(written) or [value_of(one) for one in split(written)]
    return of_mapping(tree, sample)


def lines(text: str) -> list[str]:
    """Return the lines of a form's text in which something stands."""
    return [line for line in text.split("\n") if line.strip()]


def range_of(text: str) -> dict[str, Any] | None:
    """Read `0.001..0.1/3log` as a range; None where the text is a list."""
    low, dots, rest = text.strip().partition("..")
    if not dots:
        return None
    high, _, steps = rest.partition("/")
    scale = "log" if steps.endswith("log") else "linear"
    return {
        "from": value_of(low),
        "to": value_of(high),
        "steps": value_of(steps.removesuffix("log") or "3"),
        "scale": scale,
    }


def split(text: str) -> list[str]:
    """Split at commas outside of brackets, so that a list can be a value."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part.strip()]


def value_of(text: str) -> Any:
    try:
        return as_number(yaml_text.load(text))
    except yaml_text.YamlRefused as error:
        raise ConfigError(f"A value of a sweep {error.reason}. Received: {shortened(text)}.") from error


def _values(name: str, value: Any) -> tuple[Any, ...]:
    if name in REPEATED:
        raise ConfigError(f"{name} is not swept: repeat the sweep over seeds. Received: {shortened(value)}.")
    if isinstance(value, Mapping):
        return _spread(name, value)
    found = tuple(as_number(one) for one in value) if isinstance(value, list) else (as_number(value),)
    if not found or len(found) > MOST_VALUES:
        raise ConfigError(f"{name} must have 1 to {MOST_VALUES} values in a sweep. Received: {len(found)}.")
    if len({repr(one) for one in found}) < len(found):
        raise ConfigError(f"{name} must have each value once in a sweep. Received: {shortened(value)}.")
    return found


def _spread(name: str, asked: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the values of a range, both ends included; whole numbers where both ends are."""
    unknown = sorted(set(asked) - {*RANGE, "steps", "scale"})
    if unknown or not set(RANGE) <= set(asked):
        raise ConfigError(
            f"A range of {name} must have from and to, and may have steps and scale. "
            f"Received: {shortened(dict(asked))}."
        )
    low, high = as_number(asked["from"]), as_number(asked["to"])
    steps, scale = asked.get("steps", 3), asked.get("scale", "linear")
    steps = int(steps) if isinstance(steps, float) and steps.is_integer() else steps
    numbers = all(
        isinstance(one, (int, float)) and not isinstance(one, bool) and abs(one) < 1e300
        for one in (low, high, steps)
    )
    if not numbers or not isinstance(steps, int) or not 2 <= steps <= MOST_VALUES or not low < high:
        raise ConfigError(
            f"A range of {name} must go from a number to a larger one in 2 to {MOST_VALUES} steps. "
            f"Received: {shortened(dict(asked))}."
        )
    if scale not in SCALES or (scale == "log" and low <= 0):
        raise ConfigError(
            f"The scale of {name} must be linear, or log from above 0. Received: {shortened(dict(asked))}."
        )
    shares = [place / (steps - 1) for place in range(steps)]
    if scale == "log":
        found = [low * (high / low) ** share for share in shares]
    else:
        found = [low + (high - low) * share for share in shares]
    if isinstance(low, int) and isinstance(high, int):
        return tuple(dict.fromkeys(round(one) for one in found))
    return tuple(float(f"{one:.6g}") for one in found)


def group_of(config: ExperimentConfig, sweep: Sweep, seeds: int = 1, folds: int = 0) -> Group:
    """Return all trainings of a sweep as one group: every cell, in it every seed and fold.

    Raises:
        ConfigError: A setting refuses a value, or there would be more runs than one launch makes.
    """
    total = sweep.size * max(1, seeds) * max(1, folds)
    if total > LIMIT:
        raise ConfigError(
            f"One launch makes at most {LIMIT} runs. Received: {sweep.size} cells with {max(1, seeds)} seeds "
            f"on {max(1, folds)} folds, {total} runs."
        )
    found: list[ExperimentConfig] = []
    for cell in sweep.cells():
        changed = config.with_values(cell)
        named = changed.with_values({"name": _cell_name(changed, cell)})
        found += repeated(named, seeds, folds).configs
    title = f"{config.name or 'Sweep'} over {', '.join(_last(name) for name in sweep.values)}"
    return Group(title[:MAX_NAME], tuple(found), {schema.SWEEP: ", ".join(sweep.values)[:MAX_TAG]})


MAX_TAG = 500  # characters of the names of swept settings


def _cell_name(config: ExperimentConfig, cell: Mapping[str, Any]) -> str:
    shown = ", ".join(f"{_last(name)} {value}" for name, value in cell.items() if name != "model.name")
    title = config.title
    return f"{title} · {shown}"[:160] if shown else title[:160]


def _last(name: str) -> str:
    return name.rpartition(".")[2] if not name.endswith(".name") else name.partition(".")[0]


def split_config(tree: Any) -> tuple[Any, Sweep | None]:
    """Take the section `sweep` out of the tree of a config's file. Raises ConfigError."""
    if not isinstance(tree, Mapping) or "sweep" not in tree:
        return tree, None
    rest = {name: value for name, value in tree.items() if name != "sweep"}
    return rest, of_mapping(tree["sweep"])


def with_sample(sweep: Sweep, sample: int) -> Sweep:
    """Return a sweep of which only some cells are drawn; 0: as it was. Raises ConfigError below."""
    if sample < 0:
        raise ConfigError(f"The number of combinations drawn must be at least 0. Received: {sample}.")
    return replace(sweep, sample=sample) if sample else sweep
