"""The table of many classified images: filter, accuracy, confusion, and the same as CSV."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core.analysis.agreement import Said
from core.analysis.export import Table, to_csv
from core.analysis.intervals import wilson
from core.figures import confusion
from core.inference.batch import THUMBNAIL, Row
from core.inference.batch_items import label_of
from core.inference.messages import PredictionResult
from core.ui.common import words
from core.ui.common.chart import chart
from core.ui.common.fields import URL
from core.ui.predict.loaded import ERROR, IMAGE, TRUTH
from core.ui.predict.rule import Rule, promised_for, told
from core.ui.predict.side_by_side import Model
from core.ui.run.confusion_view import numbers_choice, order_choice

ALL, WRONG, UNSURE, UNREADABLE, DISAGREE = "All", "Wrong", "Not sure", "Unreadable", "Models disagree"


def batch_table(rows: Sequence[Row], models: Sequence[Model], rule: Rule) -> None:
    """Draw what models say of many images.

    Args:
        rows: What became of each image.
        models: Those that were asked.
        rule: When they answer.
    """
    table = tabulated(rows, models, rule)
    for model in models:
        st.markdown(words.plain(summary(table, model)))
        if rule.mistakes is not None:
            st.caption(words.plain(promised_for(model.run, model.images.classes, rule.mistakes).words))
    kinds = _kinds(table, models)
    shown = table
    if len(kinds) > 1:
        kind = st.segmented_control(
            "Show", list(kinds), default=ALL, required=True, key="rows", bind=URL, wrap=True
        )
        shown = table[kinds.get(kind, kinds[ALL])]
    urls = [rows[place].thumbnail or None for place in shown.index]
    of_answers = {f"{model.name}: class" for model in models}  # the file has them too
    columns = [name for name in shown if name not in of_answers]
    numbers = [f"{model.name}: confidence" for model in models]
    st.dataframe(
        shown.assign(**{" ": urls})[[" ", *columns]],
        hide_index=True,
        row_height=THUMBNAIL + 8,
        height=min(520, 40 + (THUMBNAIL + 8) * max(1, len(shown))),
        column_config={
            " ": st.column_config.ImageColumn(" ", width="small"),
            **{name: st.column_config.NumberColumn(name, format="percent") for name in numbers},
        },
        placeholder="–",
        alt="What the models say of each image",
    )
    _download(shown)
    _confusion(table, models)


def _download(shown: pd.DataFrame) -> None:
    st.download_button(
        "Download as CSV",
        lambda: to_csv(Table(shown, pd.DataFrame(index=shown.index), {}, {})).encode("utf-8-sig"),
        file_name="predictions.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def tabulated(rows: Sequence[Row], models: Sequence[Model], rule: Rule) -> pd.DataFrame:
    """Return a row for each image: its name, true class where its folder names one, and of each model the
    answer, its confidence and whether it is sure; and why an image could not be read.

    Columns that would be empty are left out.
    """
    classes = [*dict.fromkeys(name for model in models for name in model.images.classes)]
    table = pd.DataFrame({IMAGE: [row.name for row in rows]})
    table[TRUTH] = [label_of(row.name, classes) for row in rows]
    for model in models:
        found = [row.found.get(model.run.run_id) for row in rows]
        answers = [None if one is None else _said(rule, model, one) for one in found]
        table[model.name] = [None if one is None else one.words for one in answers]
        table[f"{model.name}: class"] = [None if one is None else one.classes[0] for one in answers]
        table[f"{model.name}: confidence"] = [np.nan if one is None else one.confidence for one in answers]
    table[ERROR] = [row.error or None for row in rows]
    return table.drop(columns=[name for name in (TRUTH, ERROR) if table[name].isna().all()])


def _said(rule: Rule, model: Model, found: PredictionResult) -> Said:
    return told(rule, model.run, model.images, found.classes, found.probabilities).said


def summary(table: pd.DataFrame, model: Model) -> str:
    """Say how many images a model classified, and how often it is right where folders name classes of it."""
    name = model.name
    answered = table[table[f"{name}: class"].notna()]
    told = f"{name}: {len(answered):,} of {len(table):,} images classified"
    unsure = int((answered[name] != answered[f"{name}: class"]).sum())
    if unsure:
        told += f", {unsure:,} not surely"
    if TRUTH not in table or not len(known := answered[answered[TRUTH].isin(model.images.classes)]):
        return f"{told}."
    share = float((known[TRUTH] == known[f"{name}: class"]).mean())
    low, high = wilson(share, len(known))
    return (
        f"{told}. Of the {len(known):,} whose folder is named after a class of it, it is right on "
        f"{share:.1%} (95% interval {low:.1%} to {high:.1%})."
    )


def _kinds(table: pd.DataFrame, models: Sequence[Model]) -> dict[str, pd.Series]:
    """Return which rows each choice of the filter shows; choices that show none are left out."""
    classes = table[[f"{model.name}: class" for model in models]]
    answered = classes.notna().any(axis=1)
    found = {ALL: pd.Series(True, table.index)}
    if TRUTH in table:
        wrong = [
            table[TRUTH].isin(model.images.classes) & (told := table[f"{model.name}: class"]).notna()
            & told.ne(table[TRUTH])
            for model in models
        ]  # fmt: skip
        found[WRONG] = pd.concat(wrong, axis=1).any(axis=1)
    unsure = [table[model.name] != table[f"{model.name}: class"] for model in models]
    found[UNSURE] = pd.concat(unsure, axis=1).any(axis=1) & answered
    if len(models) > 1:
        found[DISAGREE] = classes.nunique(axis=1) > 1
    found[UNREADABLE] = ~answered
    return {name: rows for name, rows in found.items() if rows.any()}


def _confusion(table: pd.DataFrame, models: Sequence[Model]) -> None:
    """Draw the confusion matrix of a model, where folders name classes."""
    if TRUTH not in table:
        return
    names = {model.name: model for model in models}
    name = models[0].name
    if len(models) > 1:
        name = st.segmented_control(
            "Confusion matrix of",
            list(names),
            default=name,
            required=True,
            key="matrix of",
            format_func=words.plain,
            wrap=True,
        )
    model = names.get(name, models[0])
    classes = list(model.images.classes)
    known = table[table[TRUTH].isin(classes) & table[f"{model.name}: class"].notna()]
    if known.empty:
        return
    place = {one: number for number, one in enumerate(classes)}
    matrix = np.zeros((len(classes), len(classes)), "int64")
    np.add.at(matrix, (known[TRUTH].map(place), known[f"{model.name}: class"].map(place)), 1)
    with st.container(horizontal=True):
        shares, order = numbers_choice("numbers of batch"), order_choice(matrix, "order of batch")
    chart(confusion.draw(matrix, classes, order, shares=shares), "confusion of batch")
