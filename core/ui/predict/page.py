"""The Predict page from top to bottom."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.inference.messages import Changes
from core.tracking.store import RunStore
from core.ui.common import words
from core.ui.predict.batch import many
from core.ui.predict.changes import choose_changes, warnings
from core.ui.predict.loaded import models_of
from core.ui.predict.models import SHOWN_TO_OTHERS, choose_models
from core.ui.predict.picture import Picture
from core.ui.predict.rule import Rule, choose_rule, query_of
from core.ui.predict.side_by_side import Answer, Model, answers_of, as_seen, side_by_side
from core.ui.predict.sources import MANY, SAMPLES, choose_source, picture_from, sources_for
from core.ui.predict.where import where


def page(store: RunStore) -> None:
    """Draw the choice of models and of an image, and what the models say of it."""
    models = models_of(store, choose_models())
    if not models:
        return
    first = models[0]
    source = choose_source(sources_for(first.images))
    if source != SAMPLES:
        st.query_params.pop("sample", None)
    picture = None if source == MANY else picture_from(source, first.run, first.images)
    result = st.container()  # above its settings: a phone shows it without scrolling
    if picture is None and source != MANY:
        return
    with st.expander("Settings", icon=":material/tune:"):
        changes, rule = choose_changes([model.images for model in models]), choose_rule()
    st.page_link(
        "pages/5_Predict.py",
        label="Show it to others",
        icon=":material/slideshow:",
        query_params={
            "demo": "1",
            "run": [model.run.run_id for model in models[:SHOWN_TO_OTHERS]],
            **query_of(rule),
        },
        help="Large type, the first two models, and nothing that leads elsewhere: for a screen or to send.",
    )
    with result:
        if picture is None:
            many(models, changes, rule)
        else:
            _result(models, picture, changes, rule)


def _result(models: Sequence[Model], picture: Picture, changes: Changes, rule: Rule) -> None:
    """Ask the models, and draw what they say."""
    with st.spinner("Asking the models" if len(models) > 1 else "Asking the model"):
        answers = answers_of(models, picture, changes, rule)
    warnings(answers, changes)
    if len(answers) > 1:
        side_by_side(answers, picture)
    else:
        _alone(answers, picture)
    where(answers, picture, changes)


def _alone(answers: Sequence[Answer], picture: Picture) -> None:
    """Draw what the only model gets of the image, and beside it what it says."""
    left, right = st.columns([1, 2], gap="large")
    with left:
        if answers[0].prediction is not None:
            as_seen(answers[0])
        if picture.truth is not None:
            st.markdown(f"Its true class: **{words.plain(picture.truth)}**")
    with right:
        side_by_side(answers, picture)
