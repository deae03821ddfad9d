"""The recipes as a list, and the choice of one, which stands in the URL."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core import recipes
from core.analysis.recipe_results import asks_words
from core.launching.recipes import asked_words
from core.recipes import Recipe, RecipeError
from core.registry import UnknownName
from core.tracking import schema
from core.tracking.tables import column
from core.ui.common import stored_runs, words
from core.ui.common.choose import choose

HEIGHT = 300  # pixels; the list scrolls, so that the chosen recipe is seen without


def choose_recipe() -> Recipe:
    """Draw all recipes with what they ask, and the choice of one; damaged ones as a sentence each."""
    found, damaged = _read()
    for sentence in damaged:
        st.warning(words.plain(sentence), icon=":material/broken_image:")
    finished = _finished()
    rows = [
        {
            "recipe": name,
            "title": recipe.title,
            "images": asked_words(recipe.data) if recipe.waits_for_data else ", ".join(recipe.datasets),
            "asks": asks_words(recipe),
            "published": sum(len(run.published) for run in recipe.runs) + len(recipe.claims),
            "finished here": finished.get(name, 0),
            "from": "you" if recipe.own else "the program",
        }
        for name, recipe in found.items()
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height=HEIGHT,
        alt="All recipes with the images and the time they ask.",
        column_config={
            "title": st.column_config.TextColumn(width="large"),
            "published": st.column_config.NumberColumn(help="Published figures and orders."),
            "finished here": st.column_config.NumberColumn(help="Finished runs of it in this store."),
        },
    )
    names = list(found)
    return found[choose(st, "Recipe", names, "recipe", "quickstart" if "quickstart" in found else names[0])]


def _read() -> tuple[dict[str, Recipe], list[str]]:
    """Read all recipes; those that are damaged as a sentence each."""
    found: dict[str, Recipe] = {}
    damaged = []
    for name in recipes.names():
        try:
            found[name] = recipes.get(name)
        except RecipeError as error:
            damaged.append(str(error))
        except UnknownName:
            continue  # another page deleted it just now
    return found, damaged


def _finished() -> dict[str, int]:
    """Count the finished runs of each recipe."""
    runs = stored_runs.columns(schema.RECIPE)
    tags = column(runs, f"tags.{schema.RECIPE}", object)
    return tags[runs["status"] == schema.FINISHED].value_counts().to_dict()
