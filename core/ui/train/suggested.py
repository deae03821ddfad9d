"""Settings that would suit the chosen images, said with their reasons and taken with one click."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.config import ExperimentConfig
from core.datasets import DatasetInfo
from core.launching.suggestions import Suggestion, suggestions
from core.ui.common import words
from core.ui.train.door import setting_words
from core.ui.train.form_url import NAMES


def suggested(config: ExperimentConfig, info: DatasetInfo) -> None:
    """Draw what would suit these images; nothing where all of it is set, or set otherwise by the person."""
    found = suggestions(config, info)
    if not found:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f":material/lightbulb: For these images: {words.plain('; '.join(map(_sentence, found)))}.")
        st.button("Use", key="use suggestions", on_click=_take, args=(found,))


def _sentence(one: Suggestion) -> str:
    label = setting_words(one.name)
    value = "" if one.value is True else f" {one.value}"
    return f"{label}{value} ({one.why})"


def _take(found: list[Suggestion]) -> None:
    for one in found:
        key: Any = NAMES.get(one.name, one.name.rpartition(".")[2])
        st.session_state[key] = one.value
