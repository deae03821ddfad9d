"""From a recipe to experiments that can be launched: on which images, and from which weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core import datasets
from core.datasets import DatasetInfo
from core.jobs.groups import LIMIT, Group, repeated
from core.recipes import DataAsked, Recipe, RecipeError, RecipeRun
from core.tracking import frames, schema
from core.tracking.run import runs_of
from core.tracking.store import RunStore

KEYS = (schema.RECIPE, schema.RECIPE_RUN, "data.name")  # of runs whose weights others start from


@dataclass(frozen=True)
class Plan:
    """What a launch of a recipe makes. left_out: a sentence for each run that cannot be launched yet."""

    groups: tuple[Group, ...]
    tags: dict[str, str]
    left_out: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many trainings that are."""
        return sum(len(group.configs) for group in self.groups)


def matching(asked: DataAsked, infos: list[DatasetInfo]) -> list[DatasetInfo]:
    """Return the datasets that a recipe accepts."""
    return [info for info in infos if asked.matches(info.shape, info.num_classes)]


def plan(
    recipe: Recipe,
    store: RunStore,
    changes: Mapping[str, Any] | None = None,
    seeds: int = 1,
    folds: int = 0,
) -> Plan:
    """Decide what a launch of a recipe makes.

    Args:
        changes: Dotted settings that are changed in every run; `data.name` names the user's images.
        seeds, folds: How often each run is repeated, where that is more than the recipe says.

    Raises:
        ConfigError: A setting is refused, or the recipe asks images that are not there.
    """
    size = sum(max(seeds, run.seeds) * max(1, folds or run.folds) for run in recipe.runs)
    if size > LIMIT:
        raise RecipeError(f"One launch makes at most {LIMIT:,} runs. Received: {size:,}.")
    chosen = recipe.changed(changes or {})
    _require_data(chosen)
    groups, left_out = [], []
    for run in chosen.runs:
        if run.weights_of:
            source = _trained(store, recipe, run)
            if source is None:
                left_out.append(
                    f"'{run.title}' starts from the weights of '{run.weights_of}': launch the recipe again "
                    "when that has finished."
                )
                continue
            weights = {"model.weights": f"run:{source}"}
            run = replace(run, config=run.config.with_values(weights))
        groups.append(_group(run, max(seeds, run.seeds), folds or run.folds))
    return Plan(tuple(groups), {schema.RECIPE: recipe.name}, tuple(left_out))


def _group(run: RecipeRun, seeds: int, folds: int) -> Group:
    name = run.config.name or f"{run.title} on {run.config.data.name}"[:200]
    config = run.config.with_values({"name": name})
    return replace(repeated(config, seeds, folds), tags={schema.RECIPE_RUN: run.title})


def _require_data(recipe: Recipe) -> None:
    """Raise RecipeError where a recipe whose images are supplied has none that match."""
    if not recipe.data.supplied:
        return
    if recipe.waits_for_data:
        names = [info.name for info in matching(recipe.data, datasets.catalogue().infos)]
        here = f"Here these match: {', '.join(names)}." if names else "None here matches: import one first."
        raise RecipeError(
            f"The recipe '{recipe.name}' asks images of yours ({asked_words(recipe.data)}): name the "
            f"dataset by data.name. {here}"
        )
    for name in recipe.datasets:
        info = datasets.info(name)
        if not recipe.data.matches(info.shape, info.num_classes):
            raise RecipeError(
                f"The recipe '{recipe.name}' asks {asked_words(recipe.data)}. Received: '{name}' with "
                f"{info.num_classes} classes of {'×'.join(map(str, info.shape))}."
            )


def asked_words(data: DataAsked) -> str:
    classes = f"{data.classes} classes" if data.classes else "any classes"
    if data.shape is None:
        return f"{classes} of any images"
    height, width, channels = data.shape
    least = " or larger" if data.at_least else ""
    return f"{classes} of {'colour' if channels == 3 else 'grey'} images of {height}×{width}{least}"


def _trained(store: RunStore, recipe: Recipe, run: RecipeRun) -> str | None:
    """Return the id of the newest finished run whose weights a run starts from; None where there is none."""
    for one in runs_of(frames.runs(store, KEYS)):
        is_it = one.tags.get(schema.RECIPE) == recipe.name
        is_it = is_it and one.tags.get(schema.RECIPE_RUN) == run.weights_of
        if is_it and one.status == schema.FINISHED and one.dataset == run.config.data.name:
            return one.run_id
    return None
