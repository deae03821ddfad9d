"""One training image eight times, exactly as the model will get it."""

from __future__ import annotations

import streamlit as st

from core import datasets
from core.config import DEFAULT_PREPROCESSING, ExperimentConfig
from core.datasets import DatasetInfo
from core.experiment.pretrained import check_weights
from core.inference import client
from core.inference.client import Caller, InferenceError
from core.system.settings import Settings, get_settings
from core.tracking.store import get_store
from core.ui.common import words
from core.ui.common.images import image_grid_png
from core.ui.common.visitor import visitor

COUNT = 8


def preview(info: DatasetInfo, config: ExperimentConfig) -> None:
    """The grid, and buttons for another image or other draws; the prediction process computes it."""
    try:
        chosen = check_weights(config, get_store())
    except ValueError as error:
        st.error(words.plain(str(error)), icon=":material/block:")
        return
    with st.container(horizontal=True):
        image = _counted("Another image", ":material/image:")
        draws = _counted("Draw again", ":material/casino:")
    rows = datasets.sample(info.name, count=1, subset="train", seed=image)
    try:
        with st.spinner("Asking the prediction process", show_time=True):
            images = _images(get_settings(), config, chosen, info.fingerprint, int(rows[0]), draws, visitor())
    except InferenceError as error:
        st.error(words.plain(str(error)), icon=":material/error:")
        return
    image_grid_png(images)
    if config.model.weights != "none":
        by_weights = config.data.preprocessing == "auto" and chosen != DEFAULT_PREPROCESSING
        why = ": as the starting weights expect it" if by_weights else ""
        st.caption(f"{words.plain(config.model.name)}, preprocessing {words.plain(chosen)}{why}.")


@st.cache_data(max_entries=64, show_spinner=False)
def _images(
    settings: Settings,
    config: ExperimentConfig,
    chosen: str,
    fingerprint: str,
    row: int,
    seed: int,
    _caller: Caller,
) -> list[bytes]:
    """chosen: the preprocessing that a weights file asks for, which may be another file tomorrow."""
    return client.preview(settings, config, row, count=COUNT, seed=seed, caller=_caller)


def _counted(label: str, icon: str) -> int:
    """A button that counts how often it was pressed."""
    key = f"preview {label}"
    pressed = st.button(label, icon=icon)
    st.session_state[key] = st.session_state.get(key, 0) + pressed
    return int(st.session_state[key])
