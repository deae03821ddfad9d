"""The stakeholder view: one or two models, large, with nothing that can be broken or leads elsewhere."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import streamlit as st

from core.inference.messages import ModelImages
from core.system.settings import SettingsError, get_settings
from core.tracking.store import RunStore
from core.ui.common import stored_predictions, words
from core.ui.common.images import enlarged
from core.ui.common.uploads import camera
from core.ui.predict import changes
from core.ui.predict.loaded import models_of
from core.ui.predict.models import SHOWN_TO_OTHERS, wanted_models
from core.ui.predict.picture import Picture
from core.ui.predict.rule import rule_of_address
from core.ui.predict.samples import choose_sample
from core.ui.predict.side_by_side import Answer, Model, answers_of, badges, bars, disagreement
from core.ui.predict.sources import (
    CAMERA,
    DRAW,
    MAX_UPLOAD_MB,
    SAMPLES,
    choose_source,
    drawn_for,
    sources_for,
)
from core.ui.predict.where import where_simply

STYLE = Path(__file__).with_name("demo.css")
TITLE, SUBTITLE = "Try it", "Choose an image or bring your own: the answer comes at once."
IMAGES, BARS, SEEN_PX = 8, 3, 160
OF_PICTURE = "changes of picture"


def is_demo() -> bool:
    """Whether this visitor gets the stakeholder view: asked for by `?demo=1`, and always as a viewer."""
    try:
        role = get_settings().role
    except SettingsError:  # the frame says it
        return False
    return role != "trainer" or st.query_params.get("demo") == "1"


def demo(store: RunStore) -> None:
    """Draw the images to choose from and, beside them or on a phone below, what the models say."""
    st.html(STYLE)
    runs = stored_predictions.predicting_runs()
    models = models_of(store, wanted_models(runs, SHOWN_TO_OTHERS))
    if not models:
        st.info("There is no model to show yet.", icon=":material/info:")
        return
    first = models[0]
    with st.container(key="demo"):
        left, right = st.columns(2, gap="large")
        with left:
            picture = _picture(first)
        if picture is None:
            return
        _forget_changes(picture)
        with right, st.container(key="demo-answers"):
            _answers(answers_of(models, picture, changes.chosen_changes(), rule_of_address()), picture)


def _picture(model: Model) -> Picture | None:
    source = choose_source(_sources(model.images))
    if source == CAMERA:
        photo = camera(st, "Photo", MAX_UPLOAD_MB, key="photo", label_visibility="collapsed")
        return None if photo is None else Picture(photo.getvalue())
    if source == DRAW:
        return drawn_for(model.images)
    return choose_sample(model.run, model.images, IMAGES, only_random=True)


def _sources(images: ModelImages) -> list[str]:
    return [one for one in sources_for(images) if one in (SAMPLES, CAMERA, DRAW)]


def _answers(answers: list[Answer], picture: Picture) -> None:
    """Draw each answer as large as there is room."""
    pixels = next((one.prediction.pixels for one in answers if one.prediction is not None), None)
    if pixels is not None:
        with st.container(key="demo-seen"):
            st.image(enlarged(pixels, SEEN_PX), width=SEEN_PX)
    for column, answer in zip(st.columns(len(answers), gap="large"), answers, strict=True):
        with column:
            if len(answers) > 1:
                st.caption(words.plain(answer.model.name))
            if answer.said is None:
                st.error(words.plain(answer.error), icon=":material/error:")
                continue
            st.markdown(f"## {words.plain(answer.said.words)}")
            badges(answer, picture)
            bars(answer, BARS)
            if answer.promised is not None and answer.promised.thresholds:
                st.caption(words.plain(answer.promised.words))
    if sentence := disagreement(answers):
        st.markdown(words.plain(sentence))
    where_simply(answers, picture, changes.chosen_changes())
    changes.warnings(answers, changes.chosen_changes())


def _forget_changes(picture: Picture) -> None:
    """Make no change to the next image that was made to the one before: here nothing takes it back."""
    digest = sha256(picture.blob).hexdigest()
    if st.session_state.get(OF_PICTURE) != digest:
        st.session_state[OF_PICTURE] = digest
        st.session_state.pop(changes.KEY, None)
