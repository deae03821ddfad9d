"""Recipes of one's own: made of runs, imported, exported, deleted."""

from __future__ import annotations

import streamlit as st

from core import recipes
from core.launching.continuing import config_of
from core.recipes import Recipe, saved
from core.tracking import schema
from core.tracking.store import RunStore
from core.ui.common import guard, stored_runs, words
from core.ui.common.actions import action_button, may_change

MOST = 300  # runs that can be chosen: the newest
DONE = "recipe kept"  # what is said after the page has run again


def own_recipes(store: RunStore, recipe: Recipe) -> None:
    """Draw the export of the shown recipe, and the ways to recipes of one's own."""
    st.subheader("Recipes of your own")
    if (done := st.session_state.pop(DONE, None)) is not None:
        st.success(words.plain(done), icon=":material/check:")
    with st.container(horizontal=True):
        st.download_button(
            "Export this recipe",
            recipes.text(recipe.name),
            file_name=f"{recipe.variant_of or recipe.name}.yaml",
            mime="application/yaml",
            icon=":material/download:",
            on_click="ignore",
            help=f"The file of {recipe.variant_of} holds this variant too." if recipe.variant_of else None,
        )
        if recipe.own and may_change():
            _delete(recipe.variant_of or recipe.name)
    if may_change():
        _save_runs(store)
        _import()


def _delete(name: str) -> None:
    """Draw the button that deletes a recipe after a confirmation."""
    with st.popover("Delete this recipe", icon=":material/delete:"):
        st.markdown(f"Delete the recipe **{words.plain(name)}** for good? Its runs stay.")
        if action_button("Delete it", type="primary", key=f"delete recipe {name}"):
            with guard.show_errors():
                saved.delete(name)
                _done(f"The recipe '{name}' is deleted.", "quickstart")


def _save_runs(store: RunStore) -> None:
    with st.expander("Save experiments as a recipe", icon=":material/save:"):
        runs = stored_runs.columns(schema.NUMBER).head(MOST)
        labels = words.run_labels(runs[stored_runs.are_ours(runs)])
        chosen = st.multiselect(
            "Experiments",
            list(labels),
            format_func=labels.__getitem__,
            placeholder="Choose runs",
            key="own runs",
        )
        title = st.text_input("Title", max_chars=200, key="own title")
        description = st.text_area("What is asked", max_chars=2000, key="own description")
        stem = saved.suggested(title) if title else ""
        name = st.text_input("Name", stem, max_chars=64, key=f"own name {stem}")
        if action_button("Save the recipe", icon=":material/save:", disabled=not (chosen and title and name)):
            with guard.show_errors():
                configs = [config_of(store, run_id) for run_id in chosen]
                text = saved.written(title, description or title, configs)
                saved.save(name, text, recipes.shipped())
                _done(f"The recipe '{name}' is saved.", name)


def _import() -> None:
    with st.expander("Import a recipe", icon=":material/upload:"):
        file = st.file_uploader("A YAML file", type=["yaml", "yml"], key="recipe file")
        stem = saved.suggested(file.name.rpartition(".")[0]) if file else ""
        name = st.text_input("Name", stem, max_chars=64, key=f"imported name {stem}")
        if (
            action_button("Import the recipe", icon=":material/upload:", disabled=not (file and name))
            and file
        ):
            with guard.show_errors():
                saved.save(name, saved.readable(file.getvalue()), recipes.shipped())
                _done(f"The recipe '{name}' is imported.", name)


def _done(sentence: str, shown: str) -> None:
    """Show a recipe and say what was done."""
    st.session_state[DONE] = sentence
    st.query_params["recipe"] = shown
    st.rerun()
