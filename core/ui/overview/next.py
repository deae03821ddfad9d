"""What to do next, in at most three sentences, each with a link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import streamlit as st

from core.analysis.comparable import Competitor
from core.analysis.next_steps import SEEDS, Situation, Step, next_steps
from core.architectures import architectures
from core.architectures.fitting import takes
from core.config import ConfigError
from core.datasets import DatasetInfo
from core.tracking import schema
from core.tracking.errors import DamagedArtifact
from core.tracking.run_state import UnknownRun
from core.tracking.store import RunStore
from core.ui.common import stored_datasets, stored_runs, words
from core.ui.common.actions import may_change
from core.ui.overview.equals import alike
from core.ui.train.form_url import query

TRAIN, RUN, COMPARE = "pages/2_Train.py", "pages/4_Run.py", "pages/3_Compare.py"
SMALL = ("lenet5", "conv3", "resnet_cifar", "cifar_cnn", "resnet18")  # to compare a first model with
SHIPPED = ("digits",)
MOST_RUNS = 20  # that a link ticks
Query = Mapping[str, str | Sequence[str]]


def what_next(store: RunStore) -> None:
    """Draw the next steps; nothing where there is none."""
    offered = next_steps(_situation(), may_change())
    links = [(step.sentence, link) for step in offered if (link := _link(store, step)) is not None]
    if not links:
        return
    st.subheader("What next")
    with st.container(border=True):
        for sentence, (label, icon, page, asked) in links:
            st.markdown(words.plain(sentence))
            st.page_link(page, label=label, icon=icon, query_params=asked)


def _situation() -> Situation:
    _, comparison = stored_runs.compared()
    active = stored_runs.columns()
    states = active["status"].tolist()
    own = active[stored_runs.are_ours(active)]
    ranked: list[Competitor] = next(iter(comparison.rankings().values()), [])
    failed = states[0] == schema.FAILED if states else False
    return Situation(
        running=own.loc[own["status"] == schema.RUNNING, "run_id"].tolist(),
        waiting=int((own["status"] == schema.SCHEDULED).sum()),
        failed=active["run_id"].iloc[0] if failed else None,
        ranked=ranked,
        alike=alike(ranked) if len(ranked) > 1 else None,
        own_images=any(info.name not in SHIPPED for info in stored_datasets.dataset_infos()),
    )


def _link(store: RunStore, step: Step) -> tuple[str, str, str, Query] | None:
    """Return label, icon, page and query of a step's link; None where settings that it needs are unread."""
    ids = list(step.run_ids[:MOST_RUNS])
    if step.kind == "watch" and len(ids) > 1:
        return "Watch them on Compare", ":material/query_stats:", COMPARE, {"runs": ids}
    if step.kind in ("watch", "failed"):
        label = "Watch it" if step.kind == "watch" else "See why"
        return label, ":material/monitoring:", RUN, {"run": ids[0]}
    if step.kind == "predict":
        return "Predict with it", ":material/image_search:", "pages/5_Predict.py", {"run": ids[0]}
    if step.kind == "own images":
        return "Import images of your own", ":material/photo_library:", "pages/1_Data.py", {}
    if step.kind == "other model":
        other = _other_model(store, ids[0])
        return None if other is None else ("Train another model", ":material/model_training:", TRAIN, other)
    if step.kind == "tell apart":
        return "Compare them", ":material/query_stats:", COMPARE, {"runs": ids}
    asked = _settings(store, ids[-1])
    if asked is None:
        return None
    return f"Repeat it over {SEEDS} seeds", ":material/repeat:", TRAIN, asked | {"seeds": str(SEEDS)}


def _settings(store: RunStore, run_id: str) -> dict[str, str] | None:
    """Return the address of the form with a run's settings; None where its files are gone or damaged.

    Without them the form would launch another experiment than the sentence names.
    """
    with suppress(FileNotFoundError, DamagedArtifact, ConfigError, UnknownRun):
        return query(store.config(run_id), stored_runs.columns())
    return None


def _other_model(store: RunStore, run_id: str) -> dict[str, str] | None:
    """Return the address of the form as a run was launched, with a small model that takes its images."""
    (run,) = stored_runs.of_ids([run_id])
    infos: dict[str, DatasetInfo] = {info.name: info for info in stored_datasets.dataset_infos()}
    asked = _settings(store, run_id)
    if asked is None or run.dataset not in infos:
        return None
    shape = infos[run.dataset].shape
    fitting = [name for name in SMALL if name != run.model and takes(architectures.get(name), shape)]
    own = [option.name for entry in architectures if entry.name == run.model for option in entry.options]
    # Its name would call the other model by that of this one.
    left_out = {"name", *(f"{run.model}.{name}" for name in own)}
    kept = {key: value for key, value in asked.items() if key not in left_out}
    return kept | {"dataset": run.dataset} | ({"architectures": fitting[0]} if fitting else {})
