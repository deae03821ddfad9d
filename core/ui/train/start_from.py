"""Fills the Train form like a recipe, a run or the last launch, and says what that set."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import streamlit as st

from core import recipes
from core.analysis.changed import changed_settings
from core.config import ConfigError, ExperimentConfig
from core.recipes import LATER, YOURS, Recipe, RecipeError
from core.registry import UnknownName
from core.system.settings import get_settings
from core.tracking.errors import DamagedArtifact
from core.tracking.opening import home_id
from core.tracking.store import RunStore, get_store
from core.ui.common import guard, stored_datasets, stored_runs, words
from core.ui.train.door import setting_words
from core.ui.train.form_url import filled
from core.ui.train.last_launched import LAUNCHED, Repeats, last_launched

KEY, FILLED = "start from", "filled like"
LAST = "the last launch"
NEWEST = 50  # runs to choose from
NAMED = 8  # settings that the sentence names


def start_from() -> None:
    """Draw the choice, and what the last one set."""
    st.selectbox(
        "Start from",
        _choices(),
        index=None,
        key=KEY,
        placeholder="a recipe, a run, or the last launch",
        on_change=_fill,
        help="Fills the form; everything can be changed afterwards.",
    )
    if said := st.session_state.get(FILLED):
        st.caption(words.plain(said))


def _choices() -> list[str]:
    runs = stored_runs.columns().head(NEWEST)
    last = [] if _last_launched() is None else [LAST]
    return [*last, *_of_recipes(), *words.run_labels(runs).values()]


def _of_recipes() -> dict[str, ExperimentConfig]:
    """Return the experiments of all recipes by how they are called; those of damaged files are left out."""
    found: dict[str, ExperimentConfig] = {}
    for name in recipes.names():
        with suppress(RecipeError, UnknownName):
            found |= experiments_of(recipes.get(name))
    return found


def experiments_of(recipe: Recipe) -> dict[str, ExperimentConfig]:
    """Return the experiments of a recipe by how they are called.

    Those that start from the weights of another run of the recipe are left out: there are none yet.
    """
    found: dict[str, ExperimentConfig] = {}
    for place, config in enumerate(recipe.configs, 1):
        if config.model.weights == LATER:
            continue
        called = config.name or f"{config.model.name} on images of yours"
        called = called if config.data.name == YOURS else config.title
        which = f" ({place} of {len(recipe.configs)})" if len(recipe.configs) > 1 else ""
        found[f"recipe {recipe.title}: {called}{which}"] = config
    return found


def _fill() -> None:
    """Set the widgets; called before the page is drawn, where nothing else shows errors."""
    chosen = st.session_state.get(KEY)
    if chosen is None:
        st.session_state.pop(FILLED, None)
        return
    try:
        st.session_state[FILLED], values = _filling(chosen)
    except Exception as error:
        if (sentence := guard.sentence(error)) is None:
            raise
        st.session_state[FILLED] = f"Nothing was filled. {sentence}"
        return
    for key, value in values.items():
        st.session_state[key] = value


def _filling(chosen: str) -> tuple[str, dict[str, Any]]:
    """Return what is said of a choice, and the values of the widgets by their keys."""
    config, repeats = _config(get_store(), chosen)
    if config is None:
        return f"The settings of {chosen} cannot be read.", {}
    values = filled(config, stored_runs.columns()) | {"seeds": repeats.seeds, "all_folds": None}
    if repeats.seeds > 1:
        values["seed"] = repeats.first_seed
    if repeats.folds > 1:
        values |= {"all_folds": repeats.folds, "folds": None, "fold": 0}
    return _said(chosen, config, values), values


def _config(store: RunStore, chosen: str) -> tuple[ExperimentConfig | None, Repeats]:
    if (of_recipe := _of_recipes().get(chosen)) is not None:
        return of_recipe, Repeats()
    run_id, repeats = None, Repeats()
    if chosen != LAST:
        labels = words.run_labels(stored_runs.columns())
        run_id = next((one for one, label in labels.items() if chosen == label), None)
    elif (last := _last_launched()) is not None:
        run_id, repeats = last
    with suppress(FileNotFoundError, DamagedArtifact, ConfigError):
        return None if run_id is None else store.config(run_id), repeats
    return None, repeats


def _last_launched() -> tuple[str, Repeats] | None:
    runs = stored_runs.columns(*LAUNCHED)
    return last_launched(runs[stored_runs.are_ours(runs)], home_id(get_settings()))


def _said(chosen: str, config: ExperimentConfig, values: dict[str, Any]) -> str:
    """Say what differs from the defaults now; leaves a dataset that is not here as it is in `values`."""
    changed = [name for name in changed_settings(config) if name not in ("data.name", "model.name")]
    named = ", ".join(setting_words(name) for name in changed[:NAMED])
    more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
    settings = f"{named}{more}" if changed else "all settings as they are by default"
    over = [f"over {values['seeds']} seeds"] if values["seeds"] > 1 else []
    over += [f"over {values['all_folds']} folds"] if values["all_folds"] else []
    said = f"Filled like {chosen}: {', '.join([config.model.name, *over, settings])}."
    if config.data.name not in {info.name for info in stored_datasets.dataset_infos()}:
        del values["dataset"]
        if config.data.name == YOURS:
            return f"{said} It asks images of yours, so the dataset was left as it is."
        said += f" Its dataset {config.data.name} is not here, so the dataset was left as it is."
    return said
