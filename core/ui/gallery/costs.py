"""The Architectures page: parameters against multiply-accumulates, counted in the background."""

from __future__ import annotations

import streamlit as st

from core.analysis.comparable import Comparison, Competitor
from core.architectures import architectures
from core.architectures.description import Description
from core.figures import cost_scatter
from core.inference import background, descriptions
from core.inference.descriptions import ModelRequest
from core.system.settings import get_settings
from core.tracking import schema
from core.ui.common import guard, stored_datasets, stored_runs, words
from core.ui.common.chart import chart
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL

OWN = "each architecture's own"
PURPOSE = "gallery"
LIVE_S = 1.0


def cost() -> None:
    """Draw the scatter plot at native inputs, or at those of a dataset with the accuracies reached on it."""
    names = [OWN, *(info.name for info in stored_datasets.dataset_infos())]
    say_unknown("at", names, "Input")
    chosen = st.selectbox(
        "Input",
        names,
        index=names.index(best_known_dataset()),
        key="at",
        bind=URL,
        help="On a dataset: counts at its size and classes, and the test accuracy of your finished runs.",
    )
    working = background.progress_of(get_settings(), PURPOSE)
    running = working is not None and working.running
    dataset = None if chosen == OWN else chosen
    guard.fragment(LIVE_S if running else None)(_scatter)(dataset, running)


def best_known_dataset() -> str:
    """Return the dataset with the most finished runs; OWN when none has finished."""
    runs = stored_runs.columns("data.name")
    if "params.data.name" not in runs:
        return OWN
    counts = runs[runs["status"] == schema.FINISHED]["params.data.name"].value_counts()
    names = [info.name for info in stored_datasets.dataset_infos() if info.name in counts.index]
    return max(names, key=lambda name: counts[name], default=OWN)


def requests(dataset: str | None) -> tuple[list[ModelRequest], int]:
    """Return a complete request per architecture that takes the input, and how many do not take it."""
    infos = {info.name: info for info in stored_datasets.dataset_infos()}
    shape, classes = (infos[dataset].shape, infos[dataset].num_classes) if dataset else (None, None)
    fitting: list[ModelRequest] = []
    for name in architectures.names():
        try:
            fitting.append(ModelRequest(name, shape, classes).complete())
        except ValueError:  # the images are too small for this architecture
            continue
    return fitting, len(architectures.names()) - len(fitting)


def _competitors(comparison: Comparison, dataset: str | None) -> list[Competitor]:
    """Return the experiments on the dataset whose accuracies are comparable."""
    if dataset is None:
        return []
    current = next(info.fingerprint for info in stored_datasets.dataset_infos() if info.name == dataset)
    return cost_scatter.comparable_on(comparison, dataset, current)


def _left_out(comparison: Comparison, dataset: str | None, competitors: list[Competitor]) -> None:
    """Say on which images the accuracies were measured, and how many runs were measured on others."""
    if not competitors:
        return
    images = words.plain(stored_datasets.basis_words(competitors[0].basis))
    st.caption(
        f"Accuracies of runs on the {images}; of each model the experiment with the best validation "
        "accuracy, repeats by their mean."
    )
    elsewhere = [
        one
        for one in comparison.competitors
        if one.basis.dataset == dataset and one.basis != competitors[0].basis
    ]
    if elsewhere:
        runs = [run_id for one in elsewhere for run_id in one.run_ids]
        st.caption(f"Left out: {words.count(runs)} on other versions or splits of this dataset.")


def _scatter(dataset: str | None, was_running: bool) -> None:
    settings = get_settings()
    working = background.progress_of(settings, PURPOSE)
    running = working is not None and working.running
    if was_running and not running:
        st.rerun()  # once: then the fragment no longer renews itself
    wanted, refusing = requests(dataset)
    known = {
        request.name: description
        for request in wanted
        if (description := descriptions.cached(settings, request)) is not None
    }
    _chart(dataset, known, running)
    if refusing:
        st.caption(f"{refusing} models need larger images than these.")
    if working is not None and running:
        text = f"building {words.plain(working.current)}: {working.done} of {working.total}"
        st.progress(working.done / max(1, working.total), text=text)
        return
    for name, reason in {} if working is None else working.problems.items():
        st.warning(f"{words.plain(name)}: {words.plain(reason)}", icon=":material/extension_off:")
    _count_button([request for request in wanted if request.name not in known], bool(known))


def _chart(dataset: str | None, known: dict[str, Description], running: bool) -> None:
    """Draw the scatter plot of the models described so far, with the runs that it leaves out."""
    where = "At each architecture's own input and classes" if dataset is None else f"On {dataset}"
    if not known:
        if not running:
            st.caption(f"{where}: parameters against multiply-accumulates, once they are counted.")
        return
    runs, comparison = stored_runs.compared()
    competitors = _competitors(comparison, dataset)
    families = {entry.name: entry.family for entry in architectures}
    chart(
        cost_scatter.draw(cost_scatter.collect(known, families, runs, competitors), where), f"cost-{dataset}"
    )
    _left_out(comparison, dataset, competitors)
    if absent := cost_scatter.without_point(runs, competitors):
        ids = [run_id for one in absent for run_id in one.run_ids]
        st.caption(f"Left out: {words.count(ids)} without a test accuracy or without logged costs.")


def _count_button(missing: list[ModelRequest], some_known: bool) -> None:
    """Offer to describe the models that are not described yet, in the background."""
    if not missing:
        return
    models = "model" if len(missing) == 1 else f"{len(missing)} models"
    if st.button(
        f"Count the other {models}" if some_known else f"Count the {models}",
        icon=":material/calculate:",
        help="The prediction process builds each once, in the background: some minutes for all.",
    ):
        background.describe_all(get_settings(), missing, PURPOSE)
        st.rerun()
