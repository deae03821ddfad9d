"""Experiments that were repeated over seeds and folds."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.analysis.repeats import repeats
from core.ui.common import words


def groups(runs: pd.DataFrame) -> None:
    """Draw a table of the experiments repeated over seeds and folds; nothing where there are none."""
    found = repeats(runs)
    if found.empty:
        return
    st.subheader("Repeated over seeds and folds")
    shown = {
        "experiment": found["name"],
        "finished": [f"{row.finished} of {row.runs}" for row in found.itertuples()],
    }
    for score, label in (("val_accuracy", "val accuracy"), ("test_accuracy", "test accuracy")):
        pairs = zip(found[score], found[f"{score}_std"], strict=True)
        shown[label] = [words.spread(mean, deviation) for mean, deviation in pairs]
    shown["group"] = found["group"].str[:8]
    st.dataframe(pd.DataFrame(shown), hide_index=True, height="content" if len(found) < 10 else 400)
    st.caption("Mean and sample standard deviation of the runs that finished.")
