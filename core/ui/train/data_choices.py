"""What a training takes of a dataset: validation or folds, grey, classes of different sizes, in counts."""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.config import IMBALANCE, KEEP_TOGETHER, ConfigError, DataConfig, ExperimentConfig
from core.datasets import DatasetInfo, split_report
from core.datasets.balance import imbalance, weights_of
from core.datasets.split_report import SplitReport
from core.ui.common import words
from core.ui.common.fields import URL, number_or_off

MAX_CLASSES_SHOWN = 100
KEEP_TOGETHER_WORDS = {"identical": "identical images", "near": "identical images and near duplicates"}
IMBALANCE_WORDS = {
    "as_is": "leave them as they are",
    "class_weights": "weigh small classes more in the loss",
    "balanced": "draw small classes more often",
    "at_most": "limit the images of each",
}


def data_choices(info: DatasetInfo, said: DeltaGenerator) -> dict[str, Any]:
    """Draw the widgets; returns the settings by their dotted names.

    said: where warnings are drawn.
    """
    default = DataConfig()
    first, second, third = st.columns(3)
    settings: dict[str, Any] = {
        "data.validation_fraction": first.number_input(
            "Validation fraction", value=default.validation_fraction, step=0.05,
            key="validation_fraction", bind=URL,
            help="Of the training images; it chooses the epoch that is kept. Unused with folds, and when "
            "the dataset brings a validation set.",
        ),
        "data.folds": number_or_off(
            second, "Folds", "folds",
            help="Number of equal folds of all images but the test set; one of them validates.",
        ),
        "data.fold": third.number_input(
            "Validation fold", value=default.fold, step=1, key="fold", bind=URL, help="From 0.",
        ),
    }  # fmt: skip
    first, second = st.columns([1, 2])
    settings["data.split_seed"] = first.number_input(
        "Seed of the split", value=default.split_seed, step=1, key="split_seed", bind=URL,
        help="Apart from the run's seed, so that repeats share their split.",
    )  # fmt: skip
    settings["data.imbalance"] = second.selectbox(
        "Class imbalance", IMBALANCE, format_func=IMBALANCE_WORDS.__getitem__,
        key="imbalance", bind=URL,
    )  # fmt: skip
    if settings["data.imbalance"] == "at_most":
        settings["data.at_most"] = second.number_input(
            "Maximum images per class", value=default.at_most, step=10, key="at_most", bind=URL
        )
    settings["data.keep_together"] = second.selectbox(
        "Copies kept in one set", KEEP_TOGETHER, format_func=KEEP_TOGETHER_WORDS.__getitem__,
        key="keep_together", bind=URL,
        help="Identical images always stay in one set. Near duplicates are looked for once, which takes "
        "about a millisecond an image; a dataset that was imported so keeps them together in any case.",
    )  # fmt: skip
    if info.shape[2] == 3:
        settings["data.grey"] = st.toggle("Read colour images as grey", key="grey", bind=URL)
    report = _effect(info, settings, said)
    if report:
        for sentence in report.notes:
            st.caption(words.plain(sentence))
        for sentence in report.warnings:
            said.warning(words.plain(sentence), icon=":material/warning:")
    return settings


def _effect(info: DatasetInfo, settings: dict[str, Any], said: DeltaGenerator) -> SplitReport | None:
    """Draw what these choices come to, in images a class; returns it, or None where they cannot be."""
    try:
        data = ExperimentConfig().with_values(settings | {"data.name": info.name}).data
        with st.spinner("Splitting the dataset"):
            report = split_report.report_of(info.name, info.fingerprint, data)
    except ConfigError:
        return None  # said under the form
    except ValueError as error:
        said.error(words.plain(str(error)), icon=":material/block:")
        return None
    counts = report.counts
    st.caption(words.plain(imbalance(info.classes, info.counts["train"])))
    table: dict[str, Any] = {"class": info.classes, "training images per epoch": counts["train"]}
    if data.imbalance == "class_weights":
        table["weight in the loss"] = weights_of(counts["train"])
    table |= {"validates": counts["validation"], "held out for testing": counts["test"]}
    totals = " · ".join(f"{sum(counts[subset]):,} {subset}" for subset in ("train", "validation", "test"))
    st.markdown(f"**An epoch:** {totals}")
    shown = {key: values[:MAX_CLASSES_SHOWN] for key, values in table.items()}
    format_weight = {"weight in the loss": st.column_config.NumberColumn(format="%.2f")}
    height = min(36 * (len(shown["class"]) + 1) + 2, 220)  # a row is 35 pixels high
    st.dataframe(shown, hide_index=True, height=height, column_config=format_weight)
    return report
