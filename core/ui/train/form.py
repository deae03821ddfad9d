"""The form of the Train page: from widgets to configs. What is chosen stands in the URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.architectures import Architecture, architectures
from core.config import ConfigError, ExperimentConfig
from core.datasets import DatasetInfo
from core.jobs.groups import Group, repeated
from core.launching.checks import check, check_overlap, overlap_warnings
from core.ui.common import stored_datasets, words
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL, field, number_or_off
from core.ui.train import learning
from core.ui.train.augmentation import augmentation_form
from core.ui.train.data_choices import data_choices
from core.ui.train.door import door
from core.ui.train.forecast import memory_forecast, rate_curve
from core.ui.train.model_options import folded_options, is_written, written_options
from core.ui.train.picker import choose_models, remedies, shape_of
from core.ui.train.start_from import start_from
from core.ui.train.suggested import suggested
from core.ui.train.transfer import layer_lists, transfer_settings

Values = dict[str, Any]  # by dotted name
SECTIONS = ("Model", "Images", "Augmentation", "Schedule", "Optimizer", "Stopping", "Transfer", "Device")


def experiment_form(infos: list[DatasetInfo]) -> list[Group]:
    """Draw the form; returns a group for each chosen model, or none while something is wrong.

    What every launch decides comes first, all else is behind one door. What cannot work is said between
    them, before anything is launched.
    """
    data, start = st.columns(2)
    with start:
        start_from()
    with data:
        info = _dataset(infos)
    if info is None:
        return []
    names = choose_models(info)
    settings = learning.common()
    said, forecast = st.container(), st.container()  # filled once all is known
    entries = [architectures.get(name) for name in names]
    options = {entry.name: written_options(entry, info) for entry in entries if is_written(entry)}
    with door():
        seeds, folds, of_run = _repeats()
        tabs = dict(zip(SECTIONS, st.tabs(SECTIONS), strict=True))
        more, models = _more(tabs, info, entries, options, settings["optimizer.name"], said)
    settings |= of_run | more
    settings["name"] = st.text_input(
        "Name of the runs", key="name", bind=URL, max_chars=200, placeholder="model on dataset"
    )
    with said:
        groups, configs = _groups(settings, models, seeds, folds)
        remedies(names, shape_of(info))
    if configs:
        with tabs["Schedule"]:
            rate_curve(configs[0], info)
        with forecast:
            suggested(configs[0], info)
            memory_forecast(configs, info)
    with tabs["Model"]:
        layer_lists(configs, info)
    return groups


def _more(
    tabs: Mapping[str, DeltaGenerator], info: DatasetInfo, entries: list[Architecture],
    options: dict[str, Values], optimizer: str, said: DeltaGenerator,
) -> tuple[Values, dict[str, Values]]:  # fmt: skip
    """Draw all that has a default for most; returns the shared settings, and those of each model.

    Args:
        tabs: Where each of the `SECTIONS` is drawn.
        info: The dataset.
        entries: The chosen models.
        options: Those of the models that are written.
        optimizer: The chosen one.
        said: Where warnings are drawn.
    """
    with tabs["Model"]:
        options = options | folded_options([entry for entry in entries if entry.name not in options])
    with tabs["Images"]:
        data = {"data.name": info.name, **data_choices(info, said)}
    with tabs["Schedule"]:
        settings = data | learning.schedule()
    with tabs["Optimizer"]:
        settings |= learning.regularization(optimizer)
    with tabs["Stopping"]:
        settings |= learning.stopping()
    with tabs["Device"]:
        settings |= learning.computing()
    with tabs["Transfer"]:
        start = transfer_settings()
    models = {
        entry.name: {
            "model.name": entry.name,
            **start,
            **{f"model.options.{key}": value for key, value in options[entry.name].items()},
        }
        for entry in entries
    }
    with tabs["Augmentation"]:
        settings |= augmentation_form(info, data, models)
    return settings, models


def _groups(
    settings: Values, models: dict[str, Values], seeds: int, folds: int
) -> tuple[list[Group], list[ExperimentConfig]]:
    """Check what was chosen and say what is wrong.

    Returns:
        A group for each model, none while something is wrong; and a config for each model that could be
        launched.
    """
    configs, groups, wrong = [], [], []
    for model in models.values():
        try:
            group = repeated(ExperimentConfig().with_values(settings | model), seeds, folds)
            for config in group.configs[::seeds]:  # seeds change nothing that is checked
                check(config)
                check_overlap(config)
            configs.append(group.configs[0])
            groups.append(group)
        except ConfigError as error:
            wrong.append(str(error))
    for sentence in dict.fromkeys(one for config in configs for one in overlap_warnings(config)):
        st.warning(words.plain(sentence), icon=":material/warning:")
    if not models:
        wrong.append("Choose at least one architecture.")
    for sentence in dict.fromkeys(wrong):
        st.error(words.plain(sentence), icon=":material/block:")
    return ([] if wrong else groups), configs


def _repeats() -> tuple[int, int, Values]:
    """Draw how many seeds and folds each model is trained with: a single run is no comparison.

    Returns:
        The number of seeds, of folds (0: one split), and the first seed as a setting.
    """
    first, second, third = st.columns(3)
    seeds = first.number_input(
        "Repeat over seeds", 1, 100, 1, key="seeds", bind=URL,
        help="Number of seeds that each model is trained with.",
    )  # fmt: skip
    folds = number_or_off(
        second, "Repeat over folds", "all_folds", least=0, most=100,
        help="Each model is trained once for each fold; they validate in turn.",
    )  # fmt: skip
    return int(seeds), int(folds), {"seed": field(third, "seed", "Seed")}


def _dataset(infos: list[DatasetInfo]) -> DatasetInfo | None:
    for sentence in stored_datasets.damaged_datasets().values():
        st.warning(words.plain(sentence), icon=":material/broken_image:")
    if not infos:
        st.info("There is no dataset that can be read.", icon=":material/info:")
        return None
    by_name = {info.name: info for info in infos}
    say_unknown("dataset", by_name, "Dataset")
    name = st.selectbox("Dataset", list(by_name), key="dataset", bind=URL)
    info = by_name[name]
    height, width, channels = info.shape
    sizes = ", ".join(f"{sum(counts):,} {subset}" for subset, counts in info.counts.items() if sum(counts))
    st.caption(f"{height}×{width}×{channels} pixels · {info.num_classes} classes · {sizes}")
    return info
