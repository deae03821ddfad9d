"""The form of the Train page: from widgets to configs. What is chosen stands in the URL."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.architectures import architectures
from core.config import OPTIMIZERS, SCHEDULES, ConfigError, ExperimentConfig
from core.datasets import DatasetInfo
from core.jobs.launch import check
from core.ui import words
from core.ui.augmentation_form import augmentation_form
from core.ui.data_choices import data_choices
from core.ui.net_options import URL, broken_files, net_options
from core.ui.transfer_form import layer_lists, transfer_settings


def experiment_form(infos: list[DatasetInfo]) -> list[ExperimentConfig]:
    """Draw the form; returns one config for each chosen net, or none while something is wrong.

    What cannot work is said under the form, before anything is launched.
    """
    info = _dataset(infos)
    names = st.multiselect(
        "Architectures",
        architectures.names(),
        default=["lenet5"],
        key="architectures",
        bind=URL,
        placeholder="Choose one or several",
        help="Each becomes a run of its own, with the same settings.",
    )
    broken_files()
    options = {name: net_options(architectures.get(name), info) for name in names}
    data = {"data.name": info.name, **data_choices(info)}
    settings = data | _optimization() | _training()
    transfer = transfer_settings()
    nets = {
        name: {
            "model.name": name,
            **transfer,
            **{f"model.options.{key}": v for key, v in options[name].items()},
        }
        for name in names
    }
    settings |= augmentation_form(info, data, nets)
    configs, wrong = [], []
    for model in nets.values():
        try:
            config = ExperimentConfig().with_values(settings | model)
            check(config)
            configs.append(config)
        except ConfigError as error:
            wrong.append(str(error))
    if not names:
        wrong.append("Choose at least one architecture.")
    for sentence in dict.fromkeys(wrong):
        st.error(words.plain(sentence), icon=":material/block:")
    layer_lists(configs, info)
    return [] if wrong else configs


def _dataset(infos: list[DatasetInfo]) -> DatasetInfo:
    by_name = {info.name: info for info in infos}
    name = st.selectbox("Dataset", list(by_name), key="dataset", bind=URL)
    info = by_name[name]
    height, width, channels = info.shape
    parts = ", ".join(f"{sum(counts):,} {part}" for part, counts in info.counts.items() if sum(counts))
    st.caption(f"{height}×{width}×{channels} pixels · {info.num_classes} classes · {parts}")
    return info


def _optimization() -> dict[str, Any]:
    default = ExperimentConfig()
    first, second, third = st.columns(3)
    name = first.selectbox("Optimizer", OPTIMIZERS, key="optimizer", bind=URL)
    rate = second.number_input(
        "Learning rate",
        value=default.optimizer.learning_rate,
        step=None,
        format="%g",
        key="learning_rate",
        bind=URL,
    )
    batch_size = third.number_input(
        "Batch size", value=default.training.batch_size, step=16, key="batch_size", bind=URL
    )
    with st.expander("More about optimization"):
        first, second, third = st.columns(3)
        settings = {
            "schedule.name": first.selectbox(
                "Learning-rate schedule", SCHEDULES, key="schedule", bind=URL,
                help="Cosine lets the rate fall to zero over the run.",
            ),
            "schedule.warmup_epochs": second.number_input(
                "Warm-up epochs", value=0.0, step=0.5, key="warmup", bind=URL,
                help="The rate rises from zero over so many epochs; cosine only.",
            ),
            "optimizer.weight_decay": third.number_input(
                "Weight decay", value=0.0, step=None, format="%g", key="weight_decay", bind=URL,
                help="Decoupled from the gradient, as in AdamW.",
            ),
            "optimizer.momentum": first.number_input(
                "Momentum", value=0.9, step=0.05, key="momentum", bind=URL, help="sgd and rmsprop only."
            ),
            "optimizer.nesterov": second.toggle(
                "Nesterov momentum", key="nesterov", bind=URL, help="sgd only."
            ),
        }  # fmt: skip
    return {
        "optimizer.name": name,
        "optimizer.learning_rate": rate,
        "training.batch_size": batch_size,
        **settings,
    }


def _training() -> dict[str, Any]:
    default = ExperimentConfig()
    first, second, third = st.columns(3)
    settings: dict[str, Any] = {
        "training.epochs": first.number_input(
            "Epochs", value=default.training.epochs, step=1, key="epochs", bind=URL
        ),
        "training.early_stopping": second.number_input(
            "Early stopping", value=0, step=1, key="early_stopping", bind=URL,
            help="Stop after so many epochs without a better validation loss. 0: never.",
        ),
        "seed": third.number_input("Seed", value=0, step=1, key="seed", bind=URL),
    }  # fmt: skip
    with st.expander("More about the run"):
        first, second, _ = st.columns(3)
        settings |= {
            "training.keep": first.selectbox(
                "Weights to keep", ("best", "last"), key="keep", bind=URL,
                help="Best: the epoch with the highest validation accuracy.",
            ),
            "name": second.text_input(
                "Name of the runs", key="name", max_chars=200, placeholder="net on dataset"
            ),
        }  # fmt: skip
    return settings
