"""The Overview: the best run of each dataset, and the latest runs."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.analysis.basis import Basis
from core.analysis.comparable import Comparison, Competitor
from core.tracking import schema
from core.tracking.run import Run, runs_of
from core.ui.common import guard, stored_datasets, stored_runs, words
from core.ui.overview.equals import equals
from core.ui.run.live import AGE_S, run_link, state_badge, trouble_badges

LATEST = 8
SHOWN_BASES = 3  # of a dataset, the newest; a dataset that is edited often has one for each version


def best_runs() -> None:
    """Draw the best run of each dataset among those that `core.analysis.comparable` lets compete."""
    st.subheader("Best run of each dataset")
    runs, comparison = stored_runs.compared()
    by_dataset: dict[str, list[Basis]] = {}
    rankings = comparison.rankings()
    for basis in rankings:
        by_dataset.setdefault(basis.dataset, []).append(basis)
    if rankings:
        st.caption(
            "Ranked by validation accuracy among runs on the same images; repeats of one experiment count by "
            "their mean. The test accuracy chooses nothing."
        )
    elif not comparison.excluded:
        st.caption("No run has finished yet.")
    for dataset, bases in sorted(by_dataset.items()):
        with st.container(border=True):
            st.markdown(f"**{words.plain(dataset)}**")
            for basis, images in zip(
                bases[:SHOWN_BASES], stored_datasets.words_of_bases(bases), strict=False
            ):
                _best(runs, rankings[basis], None if len(bases) == 1 else images)
            if len(bases) > SHOWN_BASES:
                hidden = len(bases) - SHOWN_BASES
                kind = "versions or splits are" if hidden > 1 else "version or split is"
                st.caption(f"{hidden} older {kind} not shown.")
    _excluded(runs, comparison)


def _best(runs: pd.DataFrame, ranked: list[Competitor], images: str | None) -> None:
    """Draw the best of one basis. images: the basis in words, where the dataset has several."""
    best = ranked[0]
    if images is not None:
        st.caption(words.plain(images))
    validation, test = st.columns(2)
    validation.metric("validation", words.spread(best.validation, best.validation_std))
    test.metric("test", words.spread(best.test, best.test_std))
    if len(best.run_ids) == 1:
        run_link(*runs_of(runs[runs["run_id"] == best.run_ids[0]]))
    else:
        st.page_link(
            "pages/3_Compare.py",
            label=words.plain(best.name),
            icon=":material/query_stats:",
            query_params={"runs": list(best.run_ids)},
        )
    st.caption(_standing(best, len(ranked)))
    if len(ranked) > 1:
        equals(ranked)


def _standing(best: Competitor, competitors: int) -> str:
    """Say of how many experiments it is the best, and of how many runs its accuracy is the mean."""
    told = [f"best of {competitors}" if competitors > 1 else "nothing to compare it with yet"]
    if len(best.run_ids) > 1:
        nothing = f", {best.learned_nothing} of which learned nothing" if best.learned_nothing else ""
        told.append(f"mean ± standard deviation of {len(best.run_ids)} runs{nothing}")
    if best.waiting:
        finished = len(best.run_ids) + best.unranked
        told.append(f"{finished} of {finished + best.unfinished + best.waiting} runs finished so far")
    if best.unfinished:
        told.append(f"{best.unfinished} more of this experiment did not finish")
    if best.unranked:
        told.append(f"{best.unranked} more of it not ranked")
    return " · ".join(told)


def _excluded(runs: pd.DataFrame, comparison: Comparison) -> None:
    """Draw the finished runs that are not ranked, and why."""
    if not comparison.excluded:
        return
    table = runs.loc[runs["run_id"].isin(comparison.excluded), ["run_id", "name"]]
    with st.expander(f"Not ranked: {words.count(table)}", icon=":material/info:"):
        st.dataframe(
            pd.DataFrame(
                {
                    "run": list(words.run_labels(table).values()),
                    "why": [comparison.excluded[run_id] for run_id in table["run_id"]],
                }
            ),
            hide_index=True,
            height="content" if len(table) < 10 else 400,
        )


@guard.fragment(run_every=AGE_S)
def latest_runs() -> None:
    """Draw the newest runs with their state and accuracy; renewed every 20 s."""
    st.subheader("Latest runs")
    newest = stored_runs.columns()["run_id"].head(LATEST)
    for run in stored_runs.of_ids(newest.tolist()):
        name, state, accuracy, when = st.columns([4, 2, 3, 2], vertical_alignment="center")
        with name:
            run_link(run)
        with state, st.container(horizontal=True, gap="small"):
            state_badge(run.status)
            trouble_badges(run)
        accuracy.markdown(accuracy_words(run))
        when.caption(words.ago(run.started))


def accuracy_words(run: Run) -> str:
    """Name a run's test accuracy; while it trains, and without one, its last validation accuracy."""
    test, validation = run.metrics.get("test_accuracy"), run.metrics.get("val_accuracy")
    if run.status == schema.FINISHED or not (run.active or test is None):
        return f"test accuracy {words.percent(test)}"
    if validation is None:
        return "nothing measured yet" if run.active else "nothing measured"
    when = "so far" if run.active else "when it ended"
    return f"validation accuracy {when} {words.percent(validation)}"
