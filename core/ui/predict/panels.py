"""The panels of the Predict page."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import streamlit as st

from core.datasets import ImageDataset
from core.figures import top_classes
from core.images.pixels import to_png
from core.inference.client import InferenceError, Prediction, predict
from core.inference.logged_images import logged_images
from core.inference.messages import ModelImages
from core.inference.notes import crop_note
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run
from core.tracking.store import RunStore
from core.ui.common import stored_datasets, stored_predictions, stored_runs, words
from core.ui.common.chart import chart
from core.ui.common.images import enlarged
from core.ui.common.uploads import uploader
from core.ui.common.visitor import visitor

SHOWN_PX = 240
MAX_UPLOAD_MB = 32
INVERT = "invert"  # key of the toggle


def demo(store: RunStore, run_id: str) -> None:
    """Draw an image, uploaded or sampled, as the model gets it, and the prediction beside it."""
    try:
        logged = logged_images(store, run_id)
        images = stored_predictions.taken_images(run_id) if logged is None else logged
    except FileNotFoundError:
        st.error("This run did not log which images its model takes.", icon=":material/error:")
        return
    except (DamagedArtifact, InferenceError) as error:
        st.error(words.plain(str(error)), icon=":material/error:")
        return
    source = "Upload"
    if logged is not None:  # the test images of another program's run are not known
        source = st.segmented_control(
            "Image", ("Upload", "Sample of the test set"), default="Upload", required=True, key="source"
        )
    blob, truth = _uploaded() if source == "Upload" else _sampled(stored_runs.run(run_id), images)
    if blob is None:
        return
    invert = (images.shape[2] == 1 or st.session_state.get(INVERT, False)) and st.toggle(
        "Invert",
        key=INVERT,
        help="For dark strokes on a light background, when the model learned light on dark.",
    )
    try:
        with st.spinner("Asking the model"):
            top_k = min(5, len(images.classes))
            (prediction,) = predict(
                store.settings, run_id, [blob], top_k=top_k, invert=invert, caller=visitor()
            )
    except InferenceError as error:
        st.error(words.plain(str(error)), icon=":material/error:")
        return
    left, right = st.columns([1, 2], gap="large")
    with left:
        _image(prediction, {} if logged is None else store.run(run_id).data.params)
        if truth is not None:
            st.markdown(f"Its true class: **{words.plain(truth)}**")
    with right:
        _answer(prediction, invert)


def _image(prediction: Prediction, params: Mapping[str, str]) -> None:
    """Draw the image as the model gets it. params: of the run; empty for a run of another program."""
    assert prediction.pixels is not None
    st.image(enlarged(prediction.pixels, SHOWN_PX), width=SHOWN_PX)
    height, width, channels = prediction.shape
    kind = "grey" if channels == 1 else "colour"
    seen = crop_note(
        int(params.get("augmentation.random_crop", 0)), params.get("augmentation.test_time", "none")
    )
    st.caption("; ".join(filter(None, (f"as the model gets it: {height}×{width}, {kind}", seen))))


def _answer(prediction: Prediction, invert: bool) -> None:
    for note in prediction.notes:
        st.warning(words.plain(note), icon=":material/info:")
    if prediction.inversion:
        st.warning(words.plain(prediction.inversion), icon=":material/invert_colors:")
        label = "Undo the inversion" if invert else "Invert"
        st.button(label, key="offer-inversion", on_click=_set_inverted, args=(not invert,))
    if prediction.preprocessing:
        st.caption(prediction.preprocessing)
    best, probability = prediction.classes[0], prediction.probabilities[0]
    st.markdown(f"### {words.plain(best)} · {probability:.1%}")
    chart(top_classes.draw(prediction.classes, prediction.probabilities), "top-classes")
    for note in filter(None, (prediction.views, prediction.engine)):
        st.caption(words.plain(note))


def _set_inverted(value: bool) -> None:
    st.session_state[INVERT] = value


def _uploaded() -> tuple[bytes | None, str | None]:
    file = uploader(st, "An image file", MAX_UPLOAD_MB, help="PNG, JPEG, WebP, GIF, BMP or TIFF.")
    return (None, None) if file is None else (file.getvalue(), None)


def _sampled(run: Run, images: ModelImages) -> tuple[bytes | None, str | None]:
    """Draw a button for another sample; return a random image of the run's test set and its true class."""
    dataset = stored_datasets.same_images(images.name, images.fingerprint)
    rows = () if dataset is None else _test_rows(run, images, dataset)
    if dataset is None or not len(rows):
        st.warning(
            f"The dataset '{words.plain(images.name)}' was replaced or removed since, or has none of the "
            "run's test images any more; upload an image instead.",
            icon=":material/image_not_supported:",
        )
        return None, None
    seed = st.session_state.setdefault("sample", 0)
    if st.button("Another sample", icon=":material/casino:"):
        seed = st.session_state["sample"] = seed + 1
    row = int(np.random.default_rng(seed).choice(rows))
    return to_png(dataset.images[row]), dataset.info.classes[dataset.labels[row]]


def _test_rows(run: Run, images: ModelImages, dataset: ImageDataset) -> np.ndarray:
    """Return the rows of a dataset that the run was tested on and that are still test images.

    Where its test predictions are missing, that is known of the version alone that the run had.
    """
    now = dataset.indices("test")
    try:
        return np.intersect1d(now, stored_predictions.answers(run).images)
    except (FileNotFoundError, DamagedArtifact, ValueError):
        return now if dataset.info.fingerprint == images.fingerprint else now[:0]
