"""A sweep of one experiment: its settings as text, its size and time, and its launch."""

from __future__ import annotations

import streamlit as st

from core.config import ConfigError, ExperimentConfig
from core.jobs.groups import Group
from core.launching.checks import check
from core.launching.continuing import config_of
from core.launching.cost import cost, cost_words
from core.launching.sweep import group_of, lines, parse
from core.tracking import schema
from core.tracking.store import RunStore
from core.ui.common import guard, stored_datasets, stored_runs, words
from core.ui.common.actions import action_button, may_change
from core.ui.common.fields import URL
from core.ui.run.launched import launched_ids, launched_panel, remember
from core.ui.run.live import launch_all
from core.ui.train.forecast import memory_forecasts

EXAMPLE = "optimizer.learning_rate=0.0001..0.01/3log\nmodel.name=lenet5,mnist_cnn"
HELP = (
    "One setting a line: a list, `optimizer.learning_rate=0.1,0.01`, or a range with its number of steps, "
    "`optimizer.momentum=0.5..0.9/3`, by equal factors with `log` behind it, `0.0001..0.01/3log`."
)
DEFAULTS = "defaults"
MOST = 300  # runs to start from: the newest
TICKED = 50  # runs that a link ticks: an address has a limit


def sweep_view(store: RunStore) -> None:
    """Draw the form of a sweep, what it would launch, and the way to its results."""
    st.caption(
        "Every combination of some settings' values, each repeated over seeds; or some of them at random."
    )
    with guard.show_errors():
        base = base_experiment(store, "sweep")
        text = st.text_area(
            "Settings and their values", EXAMPLE, key="sweep", bind=URL, help=HELP, height=120
        )
        first, second, _ = st.columns(3)
        seeds = int(first.number_input("Seeds of each", 1, 100, 1, key="sweep_seeds", bind=URL))
        sample = int(
            second.number_input(
                "Combinations drawn", 0, 1000, 0, key="sample", bind=URL, help="At random; 0: all of them."
            )
        )
        group = _group(base, text, seeds, sample)
        if group is not None:
            _launch(store, group)
    _onwards()
    launched_panel(store)


def base_experiment(store: RunStore, what: str) -> ExperimentConfig:
    """Draw the choice of the experiment whose settings are varied, and of its dataset; returns its config.

    what: Distinguishes the widgets of several forms.
    """
    runs = stored_runs.columns(schema.NUMBER).head(MOST)
    labels = {DEFAULTS: "The defaults", **words.run_labels(runs[stored_runs.are_ours(runs)])}
    first, second = st.columns(2)
    start = first.selectbox("Start from", list(labels), format_func=labels.__getitem__, key=f"{what} start")
    base = ExperimentConfig() if start == DEFAULTS else config_of(store, start)
    names = [info.name for info in stored_datasets.dataset_infos()]
    place = names.index(base.data.name) if base.data.name in names else 0
    chosen = second.selectbox("Dataset", names, place, key=f"{what} data {start}")
    return base.with_values({"data.name": chosen, "name": ""}) if chosen else base


def _group(base: ExperimentConfig, text: str, seeds: int, sample: int) -> Group | None:
    """Return all trainings of the sweep; None, with a sentence, where something is wrong."""
    try:
        group = group_of(base, parse(lines(text), sample), seeds)
        for config in group.configs[::seeds]:
            check(config)
    except ConfigError as error:
        st.error(words.plain(str(error)), icon=":material/block:")
        return None
    return group


def _launch(store: RunStore, group: Group) -> None:
    st.markdown(f"**{words.plain(cost_words(cost(group.configs, store)))}**")
    memory_forecasts(group.configs, stored_datasets.dataset_infos())
    if not may_change():
        st.info("This server is read-only: no run can be launched.", icon=":material/visibility:")
    elif action_button(
        f"Launch {words.count(group.configs)}", type="primary", icon=":material/rocket_launch:"
    ) and (run_ids := launch_all([group])):
        remember(run_ids)
        st.toast(f"{len(run_ids)} in the queue.", icon=":material/check:")


def _onwards() -> None:
    """Draw links to what Compare shows of the runs that were launched last."""
    run_ids = launched_ids()[:TICKED]
    if len(run_ids) < 2:
        return
    with st.container(horizontal=True):
        for label, icon in (
            ("Heat map", ":material/grid_on:"),
            ("Parallel coordinates", ":material/stacked_line_chart:"),
            ("Importance", ":material/bar_chart:"),
        ):
            st.page_link(
                "pages/3_Compare.py",
                label=f"{label} on Compare",
                icon=icon,
                query_params=[("chart", label), *(("runs", run_id) for run_id in run_ids)],
            )
