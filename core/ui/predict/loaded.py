"""The models of runs, with the images that they take."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.inference.client import InferenceError
from core.inference.logged_images import logged_images
from core.inference.messages import ModelImages
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run
from core.tracking.store import RunStore
from core.ui.common import stored_predictions, stored_runs, words
from core.ui.predict.side_by_side import Model

IMAGE, TRUTH, ERROR = COLUMNS = ("image", "true class", "problem")  # of a table of answers


def models_of(store: RunStore, run_ids: Sequence[str]) -> list[Model]:
    """Return the models of runs; those that take images that are not known are left out, and it is said."""
    found = []
    runs = [stored_runs.run(run_id) for run_id in run_ids]
    for run, name in zip(runs, _names(runs), strict=True):
        if (images := _images(store, run)) is not None:
            found.append(Model(run, images, name))
    return found


def _images(store: RunStore, run: Run) -> ModelImages | None:
    """What the model of a run takes; None, and a sentence, where that cannot be known."""
    try:
        logged = logged_images(store, run.run_id)
        return stored_predictions.taken_images(run.run_id) if logged is None else logged
    except FileNotFoundError:
        st.error("This run did not log which images its model takes.", icon=":material/error:")
    except (DamagedArtifact, InferenceError) as error:
        st.error(words.plain(str(error)), icon=":material/error:")
    return None


def _names(runs: Sequence[Run]) -> list[str]:
    """Names that tell runs apart, and from the columns of a table of answers; short where they can be."""
    plain = [words.run_name(run.name) for run in runs]
    return [
        words.run_label(run) if plain.count(name) > 1 or name in COLUMNS or ":" in name else name
        for run, name in zip(runs, plain, strict=True)
    ]
