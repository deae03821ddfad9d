"""The choice of a registered model and of one of its versions, and the table of its versions."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from core.analysis.intervals import wilson
from core.tracking import frames
from core.tracking.registered import Registered, Version
from core.tracking.run import Run, runs_of
from core.tracking.store import RunStore
from core.ui.common import stored_predictions, words
from core.ui.common.actions import may_change, train_first
from core.ui.common.choose import say_unknown
from core.ui.common.register import register_form


def choose_version(store: RunStore) -> tuple[Registered, Version] | None:
    """Draw the choice of a model and a version, which stands in the URL; None where there is no version."""
    models = {one.name: one for one in store.read.registered()}
    if not models:
        _none_yet(store)
        return None
    model = models[_chosen("model", "Model", list(models), changed=_forget_version)]
    if not model.versions:
        st.info("This name has no version: register a run under it.", icon=":material/info:")
        return None
    _table(store, model)
    first = model.first
    assert first is not None
    numbers = [str(first.number), *(str(one.number) for one in model.versions if one != first)]
    version = model.version(int(_chosen("version", "Version", numbers, of=model.name)))
    assert version is not None
    return model, version


def _forget_version() -> None:
    """The number in the URL is that of a version of the model before."""
    st.query_params.pop("version", None)


def _chosen(
    name: str, label: str, options: list[str], *, of: str = "", changed: Callable[[], None] | None = None
) -> str:
    """Draw a choice whose value stands in the URL under a name; the first option is the default.

    Args:
        of: Whose options they are.
        changed: Called when another one is chosen.
    """
    say_unknown(name, options, label)
    wanted = st.query_params.get(name)
    start = options.index(wanted) if wanted in options else 0
    key = f"{name}-{hash((of, *options))}"  # other options are another widget
    chosen = st.selectbox(label, options, start, key=key, width=420, on_change=changed)
    st.query_params[name] = chosen
    return chosen


def _none_yet(store: RunStore) -> None:
    runs = stored_predictions.finished_runs()
    if runs.empty:
        train_first("No model is registered, and no run has finished yet")
        return
    st.info(
        "No model is registered yet. A registered model is a name under which versions of a model are kept: "
        "each was made by a run, and one of them is the champion.",
        icon=":material/info:",
    )
    if may_change():
        labels = words.run_labels(runs)
        chosen = st.selectbox("Run", list(labels), format_func=labels.__getitem__, width=420)
        with st.container(border=True, width=420):
            register_form(store, runs_of(runs[runs["run_id"] == chosen])[0])


def _table(store: RunStore, model: Registered) -> None:
    made = {one.run_id: one for one in runs_of(frames.of_runs(store, [v.run_id for v in model.versions]))}
    rows = []
    for one in model.versions:
        run = made.get(one.run_id)
        rows.append(
            {
                "version": one.number,
                "alias": ", ".join(one.aliases),
                "run": run.name if run else "not in this store",
                "test accuracy": words.percent(run.metrics.get("test_accuracy") if run else None),
                "95% interval": _interval(run),
                "registered": words.ago(one.moment),
                "description": one.description,
            }
        )
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt=f"The versions of {model.name}.")


def _interval(run: Run | None) -> str:
    value, images = (run.metrics.get(name) if run else None for name in ("test_accuracy", "test_images"))
    if value is None or not images or not 0 <= value <= 1:
        return ""
    low, high = wilson(value, images)
    return f"{low:.1%} to {high:.1%}"
