"""The form of the Train page: from widgets to configs. What is chosen stands in the URL."""

from __future__ import annotations

import streamlit as st

from core.architectures import architectures
from core.config import ConfigError, ExperimentConfig
from core.datasets import DatasetInfo
from core.jobs.groups import Group, repeated
from core.launching.checks import check, check_overlap, overlap_warnings
from core.ui.common import stored_datasets, words
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL
from core.ui.train.augmentation import augmentation_form
from core.ui.train.data_choices import data_choices
from core.ui.train.forecast import memory_forecast, rate_curve
from core.ui.train.learning import learning_settings
from core.ui.train.model_options import broken_files, net_options
from core.ui.train.transfer import layer_lists, transfer_settings


def experiment_form(infos: list[DatasetInfo]) -> list[Group]:
    """Draw the form; returns a group for each chosen model, or none while something is wrong.

    What cannot work is said under the form, before anything is launched.
    """
    info = _dataset(infos)
    if info is None:
        return []
    say_unknown("architectures", architectures.names(), "Architectures")
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
    settings = data | learning_settings()
    transfer = transfer_settings()
    models = {
        name: {
            "model.name": name,
            **transfer,
            **{f"model.options.{key}": value for key, value in options[name].items()},
        }
        for name in names
    }
    settings |= augmentation_form(info, data, models)
    settings["name"] = st.text_input(
        "Name of the runs", key="name", bind=URL, max_chars=200, placeholder="model on dataset"
    )
    seeds, folds = repeats()
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
    if not names:
        wrong.append("Choose at least one architecture.")
    for sentence in dict.fromkeys(wrong):
        st.error(words.plain(sentence), icon=":material/block:")
    if configs:
        rate_curve(configs[0], info)
        memory_forecast(configs, info)
    layer_lists(configs, info)
    return [] if wrong else groups


def repeats() -> tuple[int, int]:
    """How many seeds and folds each model is trained with; a single run is no comparison."""
    with st.expander("Repeat over seeds and folds", icon=":material/repeat:"):
        first, second, _ = st.columns(3)
        seeds = first.number_input(
            "Seeds", 1, 100, 1, key="seeds", bind=URL, help="Number of seeds that each model is trained with."
        )
        folds = second.number_input(
            "Folds", 0, 100, 0, key="all_folds", bind=URL,
            help="Each model is trained once for each fold; they validate in turn. 0: one split.",
        )  # fmt: skip
    return int(seeds), int(folds)


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
