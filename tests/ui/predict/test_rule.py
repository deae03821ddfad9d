"""The promise of few mistakes on the Predict page."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs

import numpy as np
import pandas as pd
import pytest

from core import datasets
from core.analysis.automation import outcome, promise
from core.analysis.mistakes import probabilities
from core.tracking import schema
from core.tracking.store import get_store
from core.training.logged import log_predictions
from core.ui.predict.loaded import models_of
from core.ui.predict.rule import KEPT_BY, Rule, promised_for, told
from tests.support.homes import Trained, run_with_the_same_model, using
from tests.support.pages import opened

pytestmark = pytest.mark.slow
PAGE = "pages/5_Predict.py"


@pytest.fixture(scope="module")
def promising(_trained: Trained) -> Iterator[str]:
    """A run with the same model and 4,000 validation images, of which the confident ones are right."""
    rng = np.random.default_rng(3)
    confidence = rng.uniform(0.3, 1.0, 4000)
    predicted = rng.integers(0, 10, 4000)
    given = np.repeat((1 - confidence)[:, None] / 9, 10, axis=1)
    given[np.arange(4000), predicted] = confidence
    right = rng.random(4000) < np.where(confidence > 0.6, 0.999, 0.5)
    labels = np.where(right, predicted, (predicted + 1) % 10)
    columns = {f"p{index}": given[:, index] for index in range(10)}
    table = pd.DataFrame({"index": np.arange(4000), "label": labels, **columns})
    with using(_trained.settings.home):
        store = get_store()
        run_id = run_with_the_same_model(_trained, "promising")
        log_predictions(store, run_id, table, schema.VALIDATION_PREDICTIONS)
        log_predictions(store, run_id, table.head(1000))
    yield run_id
    with using(_trained.settings.home):
        get_store().client.delete_run(run_id)


def test_each_answer_follows_the_promise_and_says_what_became_of_it(trained: Trained, promising: str) -> None:
    (model,) = models_of(get_store(), [promising])
    table = pd.read_parquet(get_store().artifact(promising, schema.VALIDATION_PREDICTIONS))
    expected = promise(probabilities(table), table["label"].to_numpy(), 0.01)
    found = promised_for(model.run, model.images.classes, 0.01)
    assert list(found.thresholds.values()) == expected.thresholds.tolist()
    test = table.head(1000)
    became = outcome(expected, probabilities(test), test["label"].to_numpy())
    assert f"{became.share:.1%} of the test images are answered" in found.words
    assert "% before calibration" in found.words  # the page shows the confidence calibrated
    assert (
        f"{became.wrong:,} of the {became.answered:,} answers ({became.error:.2%}) are wrong" in found.words
    )

    classes, least = model.images.classes, expected.thresholds[0]
    for first, rest, said in (
        (least, 1 - least, model.images.classes[0]),
        (least - 0.01, 1.01 - least, "Not sure: 0 or 1"),
    ):
        given = [first, rest, *[0.0] * 8]
        assert told(Rule(0.0, 0.01), model.run, model.images, classes, given).said.words == said
    spread = [0.2, *[0.8 / 9] * 9]
    assert told(Rule(0.0, 0.01), model.run, model.images, classes, spread).said.words == "Ask a person"


def test_where_too_little_can_be_promised_the_set_confidence_counts_and_it_is_said(trained: Trained) -> None:
    row = str(datasets.load("digits").indices("test")[0])
    app = opened(PAGE, sample=row, sure="0", mistakes="0.1")
    assert not app.exception
    assert not app.warning
    (why,) = [one.value for one in app.caption if "nothing can be promised" in one.value]
    assert why.endswith(KEPT_BY.strip())
    assert app.button_group(key="mistakes").value == "0.1"
    assert not [one.value for one in app.main.markdown if "Not sure" in one.value or "Ask" in one.value]


def test_the_page_and_what_is_shown_to_others_promise_the_same(trained: Trained, promising: str) -> None:
    app = opened(PAGE, run=promising, mistakes="1", sure="70")
    assert not app.exception
    assert any("With at most 1 in 100 answers wrong" in one.value for one in app.caption)
    states = ("answered", "not sure", "ask a person")
    assert any(state in one.value for one in app.main.markdown for state in states)
    (link,) = [one for one in app.get("page_link") if one.proto.label == "Show it to others"]
    query = parse_qs(link.proto.query_string)
    assert query == {"demo": ["1"], "run": [promising], "sure": ["70"], "mistakes": ["1"]}
    shown = opened(PAGE, **query)
    assert not shown.exception
    assert any("With at most 1 in 100 answers wrong" in one.value for one in shown.caption)


def test_a_promise_that_is_not_offered_is_ignored_and_said(trained: Trained) -> None:
    app = opened(PAGE, mistakes="0")
    assert not app.exception
    assert any("Mistakes in 100 answers: this address names '0'" in one.value for one in app.warning)
    assert not opened(PAGE, demo="1", mistakes="0").exception
