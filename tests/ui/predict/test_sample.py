"""A sample of the test set on the Predict page, also after the dataset was edited."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core import datasets
from core.datasets import curate, edits
from core.datasets import store as stored
from tests.support.homes import Trained
from tests.support.pages import in_address, opened


@pytest.fixture
def edited(trained: Trained) -> Iterator[Trained]:
    """The trained run, whose dataset the test may edit."""
    yield trained
    (stored.folder_of("digits") / edits.EDITS).unlink(missing_ok=True)


def test_the_samples_are_the_test_images_of_the_run_that_are_still_test_images(edited: Trained) -> None:
    digits = datasets.load("digits")
    kept, *others = digits.indices("test").tolist()
    train = int(digits.indices("train")[0])
    curate.relabel("digits", {train: digits.info.classes[(digits.labels[train] + 1) % 10]})
    curate.leave_out("digits", others)
    curate.put_in_one_set("digits", [train], "test")  # the model was trained on it
    app = opened("pages/5_Predict.py", run=edited.run_id)
    true = f"Its true class: **{digits.info.classes[digits.labels[kept]]}**"
    assert not app.exception
    assert true in [one.value for one in app.markdown]
    assert in_address(app, "sample") == [str(kept)]
    assert "Other images" not in [one.label for one in app.button]  # there is no other
    curate.leave_out("digits", [kept])
    app.run()
    assert any("has none of the run's test images any more" in one.value for one in app.warning)
