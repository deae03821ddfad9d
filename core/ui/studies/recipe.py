"""One recipe: what it asks, its launch, and published beside measured."""

from __future__ import annotations

import streamlit as st

from core.analysis.recipe_results import asks_words
from core.config import ConfigError
from core.datasets import DatasetInfo
from core.launching.recipes import Plan, asked_words, matching, plan
from core.recipes import Recipe
from core.tracking.store import RunStore
from core.ui.common import stored_datasets, words
from core.ui.common.actions import action_button, may_change
from core.ui.common.choose import choose
from core.ui.run.launched import launched_panel, remember
from core.ui.run.live import launch_all
from core.ui.studies.results import results
from core.ui.train.forecast import memory_forecast


def recipe_view(store: RunStore, recipe: Recipe) -> None:
    """Draw a recipe as a notebook: the experiment, what it asks, its launch and its result."""
    st.subheader(words.plain(recipe.title))
    st.write(words.plain(recipe.description))
    left, right = st.columns([3, 2], gap="large")
    with left:
        _facts(recipe)
        _runs(recipe)
    with right, st.container(border=True):
        _launch(store, recipe)
    launched_panel(store)
    results(recipe)


def _facts(recipe: Recipe) -> None:
    facts = (
        ("Images", recipe.data.words),
        ("Asks", asks_words(recipe)),
        ("Published", recipe.paper or "nowhere"),
        ("Published on", recipe.hardware),
        ("Variant", f"for machines without a GPU, of {recipe.variant_of}" if recipe.variant_of else ""),
    )
    st.markdown("  \n".join(f"**{label}:** {words.plain(text)}" for label, text in facts if text))


def _runs(recipe: Recipe) -> None:
    """Draw what each run sets, folded away."""
    with st.expander(f"What its {words.count(recipe.runs)} set", icon=":material/tune:"):
        for run in recipe.runs:
            often = [f"{run.seeds} seeds"] if run.seeds > 1 else []
            often += [f"{run.folds} folds"] if run.folds else []
            st.markdown(f"**{words.plain(run.title)}**" + (f" · {' · '.join(often)}" if often else ""))
            st.code("\n".join(f"{name}: {value}" for name, value in run.settings.items()), language="yaml")


def _launch(store: RunStore, recipe: Recipe) -> None:
    """Draw the button that launches a recipe, and what that will do or why it cannot be done."""
    info = _images(recipe)
    if info is None:
        return
    try:
        planned = plan(recipe, store, {"data.name": info.name} if recipe.data.supplied else {})
    except ConfigError as error:
        st.error(words.plain(str(error)), icon=":material/block:")
        return
    st.caption(words.plain(_will_launch(planned, info)))
    for sentence in planned.left_out:
        st.caption(words.plain(sentence))
    if not may_change():
        st.info("This server is read-only: no run can be launched.", icon=":material/visibility:")
    elif action_button(
        f"Launch {planned.size} runs" if planned.size > 1 else "Launch", type="primary",
        icon=":material/rocket_launch:",
    ) and (run_ids := launch_all(list(planned.groups), planned.tags)):  # fmt: skip
        remember(run_ids)
        st.toast(f"{len(run_ids)} in the queue.", icon=":material/check:")
    firsts = {group.configs[0].model.name: group.configs[0] for group in planned.groups}
    memory_forecast([*firsts.values()], info)


def _will_launch(planned: Plan, info: DatasetInfo) -> str:
    models = dict.fromkeys(group.configs[0].model.name for group in planned.groups)
    count = f"{planned.size} training{'' if planned.size == 1 else 's'}"
    return f"This launches {count} on {info.name}: {', '.join(models)}."


def _images(recipe: Recipe) -> DatasetInfo | None:
    """Return the dataset of a launch, chosen where it is the user's; None where it is not here yet."""
    infos = stored_datasets.dataset_infos()
    if recipe.data.supplied:
        found = {info.name: info for info in matching(recipe.data, infos)}
        if found:
            return found[choose(st, "Images", list(found), "data", next(iter(found)))]
        said = f"No dataset here matches: this recipe asks {asked_words(recipe.data)}."
    else:
        by_name = {info.name: info for info in infos}
        missing = [name for name in recipe.datasets if name not in by_name]
        if not missing:
            return by_name[recipe.datasets[0]]
        said = f"{', '.join(missing)} is not here yet: import it under this name, or let Keras download it."
    st.info(words.plain(said), icon=":material/image_not_supported:")
    st.page_link("pages/1_Data.py", label="Go to Data", icon=":material/database:")
    return None
