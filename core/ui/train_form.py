"""The form of the Train page: from widgets to configs. What is chosen stands in the URL."""

from __future__ import annotations

from typing import Any, Final

import streamlit as st

from core.architectures import Architecture, Option, architectures
from core.config import OPTIMIZERS, SCHEDULES, ConfigError, ExperimentConfig
from core.datasets import DatasetInfo
from core.jobs.launch import check
from core.ui.transfer_form import layer_lists, transfer_settings

URL: Final = "query-params"  # a widget bound to the URL can be sent to a colleague


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
    options = {name: _net_options(architectures.get(name)) for name in names}
    settings = {"data.name": info.name, **_optimization(), **_training()}
    settings |= transfer_settings()
    configs, wrong = [], []
    for name in names:
        model = {"model.name": name} | {f"model.options.{key}": value for key, value in options[name].items()}
        try:
            config = ExperimentConfig().with_values(settings | model)
            check(config)
            configs.append(config)
        except ConfigError as error:
            wrong.append(str(error))
    if not names:
        wrong.append("Choose at least one architecture.")
    for sentence in dict.fromkeys(wrong):
        st.error(sentence, icon=":material/block:")
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


def _net_options(entry: Architecture) -> dict[str, Any]:
    """The net's own options; drawn folded, because the defaults are the paper's."""
    if not entry.options:
        return {}
    with st.expander(f"Options of {entry.name}"):
        columns = st.columns(3)
        return {
            option.name: _option_widget(option, entry.name, columns[position % 3])
            for position, option in enumerate(entry.options)
        }


def _option_widget(option: Option, net: str, column: Any) -> Any:
    label, key = option.name.replace("_", " "), f"{net}.{option.name}"
    if isinstance(option.default, bool):
        return column.toggle(label, option.default, key=key, help=option.help, bind=URL)
    if isinstance(option.default, str):
        position = option.choices.index(option.default)
        return column.selectbox(label, option.choices, index=position, key=key, help=option.help, bind=URL)
    kind = type(option.default)
    low, high = (None if bound is None else kind(bound) for bound in (option.minimum, option.maximum))
    step = kind(getattr(option, "step", None) or (1 if kind is int else 0.05))
    return column.number_input(label, low, high, option.default, step, key=key, help=option.help, bind=URL)


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
    with st.expander("More about data, augmentation and the run"):
        first, second, third = st.columns(3)
        settings |= {
            "data.validation_fraction": first.number_input(
                "Validation fraction", value=default.data.validation_fraction, step=0.05,
                key="validation_fraction", bind=URL,
                help="Of the training images; it chooses the epoch that is kept. Unused when the dataset "
                "brings a validation part.",
            ),
            "augmentation.horizontal_flip": second.toggle(
                "Flip left and right at random", key="flip", bind=URL
            ),
            "augmentation.pad_and_crop": third.number_input(
                "Pad and crop, pixels", value=0, step=1, key="pad_and_crop", bind=URL,
                help="Zero padding on every side, then a crop of the old size at a random place.",
            ),
            "training.keep": first.selectbox(
                "Weights to keep", ("best", "last"), key="keep", bind=URL,
                help="Best: the epoch with the highest validation accuracy.",
            ),
            "name": second.text_input(
                "Name of the runs", key="name", max_chars=200, placeholder="net on dataset"
            ),
        }  # fmt: skip
    return settings
