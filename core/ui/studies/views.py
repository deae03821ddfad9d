"""The parts of the Studies page, one of which is shown; which one stands in the URL."""

from __future__ import annotations

import streamlit as st

from core.tracking.store import RunStore
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL
from core.ui.studies.listing import choose_recipe
from core.ui.studies.own import own_recipes
from core.ui.studies.recipe import recipe_view
from core.ui.studies.search import search_view
from core.ui.studies.sweep import sweep_view


def recipes_view(store: RunStore) -> None:
    """Draw the recipes, one of them whole, and the ways to recipes of one's own."""
    recipe = choose_recipe()
    recipe_view(store, recipe)
    own_recipes(store, recipe)


VIEWS = {"Recipes": recipes_view, "Sweep": sweep_view, "Search": search_view}


def study_view(store: RunStore) -> None:
    """Draw the choice of a part, and the part."""
    say_unknown("study", VIEWS, "Studies")
    chosen = st.segmented_control(
        "Studies",
        VIEWS,
        default="Recipes",
        key="study",
        bind=URL,
        required=True,
        label_visibility="collapsed",
    )
    VIEWS[chosen](store)
