"""When a model answers: from a confidence on that a person sets, or so that few of its answers are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import streamlit as st

from core.analysis.agreement import Said, said, said_by_promise
from core.analysis.automation import RISK, outcome, promise, promise_sentence
from core.analysis.mistakes import probabilities
from core.inference.messages import ModelImages
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run
from core.ui.common import stored_predictions
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL
from core.ui.common.kept import kept
from core.ui.predict.calibrated import FOREIGN, Calibrated, calibrated
from core.ui.run.promise import PER_HUNDRED

SURE = 50  # per cent that a model must be sure of an answer, until a person sets another
NONE = "No promise"
PROMISES = (NONE, *(f"{one:g}" for one in PER_HUNDRED))
KEPT_BY = " It answers from the confidence set above on."


@dataclass(frozen=True)
class Rule:
    """When models answer.

    Attributes:
        least: Confidence of a sure answer, from 0 to 1.
        mistakes: The promised share of wrong answers, from 0 to 1, which replaces `least` for each model that
            it can be promised for; None: nothing is promised.
    """

    least: float = SURE / 100
    mistakes: float | None = None


@dataclass(frozen=True)
class Promised:
    """What is promised for a model. thresholds: by class, empty where nothing is; words: what, or why not."""

    words: str
    thresholds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Told:
    """What a model says by a rule. probabilities: corrected. promised: None where no promise is asked for."""

    said: Said
    probabilities: list[float]
    calibrated: Calibrated
    promised: Promised | None


def choose_rule() -> Rule:
    """Draw when models answer, in the address as `sure` and `mistakes`."""
    chosen = st.slider(
        "Sure enough to answer, %", 0, 100, SURE, 5, key="sure", bind=URL,
        help="A model whose confidence is lower is not sure, and names what comes into question.",
    )  # fmt: skip
    say_unknown("mistakes", PROMISES, "Mistakes in 100 answers")
    mistakes = st.segmented_control(
        "or: mistakes in 100 answers, at most",
        PROMISES, default=NONE, required=True, key="mistakes", bind=URL, wrap=True,
        help="A model answers where its confidence reaches a threshold of the predicted class, found on its "
        f"validation images so that with {1 - RISK:.0%} certainty no more answers to new images of their "
        "kind are wrong. It takes hundreds of validation images; a model with too few of them follows the "
        "setting above.",
    )  # fmt: skip
    return Rule(chosen / 100, None if mistakes == NONE else float(mistakes) / 100)


def rule_of_address() -> Rule:
    """Return the rule of the address, where nothing can be set."""
    sure, mistakes = st.query_params.get("sure", ""), st.query_params.get("mistakes", NONE)
    return Rule(
        int(sure) / 100 if sure in map(str, range(101)) else SURE / 100,
        float(mistakes) / 100 if mistakes in PROMISES and mistakes != NONE else None,
    )


def query_of(rule: Rule) -> dict[str, str]:
    """Return what an address says of a rule."""
    found = {"sure": f"{100 * rule.least:.0f}"}
    return found if rule.mistakes is None else {**found, "mistakes": f"{100 * rule.mistakes:g}"}


def told(rule: Rule, run: Run, images: ModelImages, classes: Sequence[str], given: Sequence[float]) -> Told:
    """Return what the model of a run says of one image.

    Args:
        images: That the model takes, with its classes.
        classes: All of them, the most probable first; given: their probabilities, as the model has them.
    """
    how = calibrated(run, len(images.classes))
    corrected = how.of(given)
    promised = None if rule.mistakes is None else promised_for(run, images.classes, rule.mistakes)
    if promised is None or not promised.thresholds:
        return Told(said(classes, corrected, rule.least), corrected, how, promised)
    least = promised.thresholds[classes[0]]  # on the probabilities as they are: so it was tested
    return Told(said_by_promise(classes, given, least, corrected[0]), corrected, how, promised)


def promised_for(run: Run, classes: Sequence[str], mistakes: float) -> Promised:
    """Return what can be promised for a run, and what became of it on its test images; kept.

    Args:
        classes: Of its model, in the order of its outputs.
    """
    if not run.is_ours:
        return Promised(f"Nothing can be promised: {FOREIGN}{KEPT_BY}")
    key = "promised", run.run_id, run.ended, tuple(classes), mistakes
    return kept(lambda: _promised(run, classes, mistakes), *key)


def _promised(run: Run, classes: Sequence[str], mistakes: float) -> Promised:
    try:
        validation = stored_predictions.validation_predictions(run)
        test = stored_predictions.predictions(run)
    except FileNotFoundError:
        return Promised(f"Nothing can be promised: this run has no validation or test predictions.{KEPT_BY}")
    except DamagedArtifact as error:
        return Promised(f"{error}{KEPT_BY}")
    given, tested = probabilities(validation), probabilities(test)
    if given.shape[1] != len(classes) or tested.shape[1] != len(classes):
        return Promised(f"Nothing can be promised: the predictions of this run have other classes.{KEPT_BY}")
    found = promise(given, validation["label"].to_numpy(), mistakes)
    became = outcome(found, tested, test["label"].to_numpy())
    sentence = promise_sentence(found, became, " before calibration")  # the answer shows it calibrated
    if not np.isfinite(found.thresholds).any():
        return Promised(f"{sentence}{KEPT_BY}")
    return Promised(sentence, dict(zip(classes, found.thresholds.tolist(), strict=True)))
