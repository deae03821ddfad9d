"""What several models say of one image, beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from core.analysis.agreement import Said, agreement
from core.analysis.intervals import wilson
from core.inference.client import InferenceError, Prediction, predict
from core.inference.messages import Changes, ModelImages
from core.inference.notes import crop_note
from core.system.settings import get_settings
from core.tracking.run import Run
from core.ui.common import stored_datasets, stored_predictions, words
from core.ui.common.images import enlarged
from core.ui.common.visitor import visitor
from core.ui.predict.calibrated import Calibrated
from core.ui.predict.picture import Picture
from core.ui.predict.rule import Promised, Rule, told
from core.ui.run.live import run_link

BARS, BARS_OF_SEVERAL = 5, 3  # classes that are shown of a model, and of each of several
SEEN_PX = 200
TRUTH: dict[str, tuple[str, Literal["gray", "orange", "green", "red"]]] = {  # badges: icon and colour
    "not among its classes": (":material/help:", "gray"),
    "among these": (":material/help:", "orange"),
    "none of these": (":material/help:", "orange"),
    "right": (":material/check:", "green"),
    "wrong": (":material/close:", "red"),
}


@dataclass(frozen=True)
class Model:
    """A model that answers. name: to tell it from the others in a sentence."""

    run: Run
    images: ModelImages
    name: str


@dataclass(frozen=True)
class Answer:
    """What a model says of an image: the prediction, all its classes with corrected probabilities, and the
    answer that follows by a rule, with what the rule promises; or the error."""

    model: Model
    prediction: Prediction | None = None
    probabilities: Sequence[float] = ()
    said: Said | None = None
    calibrated: Calibrated | None = None
    error: str = ""
    promised: Promised | None = None


def answers_of(models: Sequence[Model], picture: Picture, changes: Changes, rule: Rule) -> list[Answer]:
    """Ask each model about one image."""
    return [_answer(model, picture, changes, rule) for model in models]


def _answer(model: Model, picture: Picture, changes: Changes, rule: Rule) -> Answer:
    classes = len(model.images.classes)
    try:
        (found,) = predict(
            get_settings(), model.run.run_id, [picture.blob], top_k=classes, changes=changes, caller=visitor()
        )
    except InferenceError as error:
        return Answer(model, error=str(error))
    by_rule = told(rule, model.run, model.images, found.classes, found.probabilities)
    return Answer(
        model, found, by_rule.probabilities, by_rule.said, by_rule.calibrated, promised=by_rule.promised
    )


def side_by_side(answers: Sequence[Answer], picture: Picture) -> None:
    """Draw the answers beside each other, and above them whether they agree."""
    if sentence := disagreement(answers):
        true = f" The true class is {picture.truth}." if picture.truth is not None else ""
        st.markdown(f"**{words.plain(sentence + true)}**")
    for column, answer in zip(st.columns(len(answers), gap="medium"), answers, strict=True):
        with column, st.container(border=len(answers) > 1):
            if len(answers) > 1:
                run_link(answer.model.run)
            _draw(answer, picture, alone=len(answers) == 1)


def disagreement(answers: Sequence[Answer]) -> str:
    """Say whether the models that answered agree; empty for one."""
    told = [(one.model.name, one.said) for one in answers if one.said is not None]
    return agreement([name for name, _ in told], [one for _, one in told])


def _draw(answer: Answer, picture: Picture, alone: bool) -> None:
    if answer.error or answer.prediction is None or answer.said is None or answer.calibrated is None:
        st.error(words.plain(answer.error), icon=":material/error:")
        return
    verdict(answer, picture)
    bars(answer, BARS if alone else BARS_OF_SEVERAL)
    if answer.promised is not None:
        st.caption(words.plain(answer.promised.words))
    how = answer.calibrated
    st.caption(f"{how.words}{measured(answer.model.run)}", help=words.plain(how.detail))
    for note in answer.prediction.notes:
        st.warning(words.plain(note), icon=":material/info:")
    if answer.prediction.preprocessing:
        st.caption(answer.prediction.preprocessing)
    for note in filter(None, (answer.prediction.views, answer.prediction.engine)):
        st.caption(words.plain(note))
    if not alone:
        as_seen(answer, width=96)


def verdict(answer: Answer, picture: Picture) -> None:
    """Draw the answer as a heading, and whether it is right."""
    assert answer.said is not None
    confidence = f" · {answer.said.confidence:.1%}" if answer.said.sure else ""
    st.markdown(f"### {words.plain(answer.said.words)}{confidence}")
    badges(answer, picture)


def badges(answer: Answer, picture: Picture) -> None:
    """Draw what became of a promise, and whether an answer is right where the truth is known."""
    assert answer.said is not None
    promised = answer.promised is not None and bool(answer.promised.thresholds)
    if picture.truth is None and not promised:
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        if promised:
            _state(answer.said)
        if picture.truth is None:
            return
        if (known := against_truth(answer.said, picture.truth, answer.model.images.classes)) is not None:
            icon, color = TRUTH[known]
            st.badge(known, icon=icon, color=color)
        if is_trained_on(answer.model, picture):
            st.badge(
                "may have been seen in training", icon=":material/school:", color="orange",
                help="This image is no test image of this run: it may have been trained on it.",
            )  # fmt: skip


def against_truth(told: Said, truth: str, classes: Sequence[str]) -> str | None:
    """Return how an answer lies to the truth, one of `TRUTH`; None where a person is asked: none is named.

    classes: Of the model.
    """
    if truth not in classes:
        return "not among its classes"
    if told.person:
        return None
    if not told.sure:
        return "among these" if truth in told.classes else "none of these"
    return "right" if told.classes[0] == truth else "wrong"


def _state(told: Said) -> None:
    """Draw who answers under a promise."""
    if told.sure:
        st.badge("answered", icon=":material/bolt:", color="green")
    elif told.person:
        st.badge("ask a person", icon=":material/person:", color="gray")
    else:
        st.badge("not sure", icon=":material/help:", color="orange")


def is_trained_on(model: Model, picture: Picture) -> bool:
    """Whether a test image of another run is none of this one, though both have the same images."""
    if not picture.dataset or model.images.name != picture.dataset:
        return False
    if stored_datasets.same_images(model.images.name, model.images.fingerprint) is None:
        return False  # of an earlier dataset of that name: its rows are other images
    try:
        return picture.row not in stored_predictions.answers(model.run).images
    except (FileNotFoundError, ValueError):  # a damaged file is a ValueError too
        return False


def bars(answer: Answer, most: int) -> None:
    """Draw the most probable classes as bars."""
    assert answer.prediction is not None
    for name, probability in list(zip(answer.prediction.classes, answer.probabilities, strict=True))[:most]:
        st.progress(min(1.0, max(0.0, probability)), f"{words.plain(name)} · {probability:.1%}")


def measured(run: Run) -> str:
    """Say how often a model is right on its test images, with the 95% interval; empty where not known."""
    share, images = run.metrics.get("test_accuracy"), run.metrics.get("test_images", 0.0)
    if share is None or not 0 <= share <= 1:
        return ""
    if images < 1:
        return f"; right on {share:.1%} of its test images"
    low, high = wilson(share, images)
    return f"; right on {share:.1%} of {images:,.0f} test images (95% interval {low:.1%} to {high:.1%})"


def as_seen(answer: Answer, width: int = SEEN_PX) -> None:
    """Draw the image as a model gets it."""
    assert answer.prediction is not None
    prediction = answer.prediction
    assert prediction.pixels is not None
    st.image(enlarged(prediction.pixels, width), width=width)
    height, across, channels = prediction.shape
    params = answer.model.run.params if answer.model.run.is_ours else {}
    crop = answer.model.run.whole_setting("augmentation.random_crop") if params else 0
    seen = crop_note(crop, params.get("augmentation.test_time", "none"))
    kind = "grey" if channels == 1 else "colour"
    st.caption("; ".join(filter(None, (f"as the model gets it: {height}×{across}, {kind}", seen))))
