"""The table of models and the remedies for images that are too small."""

from __future__ import annotations

import json
from collections.abc import Callable

import pandas as pd
import pytest

from core.analysis.comparable import compare
from core.architectures import Architecture, architectures
from core.architectures.description import Description
from core.architectures.fitting import takes, variant_for
from core.inference.descriptions import ModelRequest, cache_file
from core.system import devices
from core.system.settings import Settings
from core.tracking.store import get_store
from core.ui.train.model_table import Place, best_accuracies, matching, missing, model_table
from core.ui.train.picker import TAKEN
from tests.support.pages import launch_button, opened
from tests.support.runs import FINGERPRINT, run

pytestmark = pytest.mark.slow

DIGITS = Place((28, 28, 1), 10, 64, 8 << 30)


@pytest.mark.parametrize("entry", architectures, ids=lambda entry: entry.name)
def test_what_is_offered_in_place_of_a_model_takes_the_images(entry: Architecture) -> None:
    for side in (8, 28, 96, 224):
        other = variant_for(entry, (side, side, 3))
        if other is None:
            family = [one for one in architectures if one.family == entry.family]
            assert not any(takes(one, (side, side, 3)) for one in family)
        else:
            assert takes(other, (side, side, 3))
            assert other.family == entry.family


def test_conv9_is_replaced_by_the_largest_of_its_family_that_fits() -> None:
    found = variant_for(architectures.get("conv9"), (28, 28, 1))
    assert found is not None
    assert found.name == "conv4"  # from 26 pixels; conv6 needs 36


def test_the_table_counts_nothing_and_says_why_a_model_does_not_fit(settings: Settings) -> None:
    table = model_table(settings, DIGITS, {"lenet5": 0.97}).set_index("model")
    assert set(table.index) == set(architectures.names())
    assert table.loc["conv9", "fits"] == "needs 50×50 pixels"
    assert table.loc["lenet5", "fits"] == "not counted yet"
    assert pd.isna(table.loc["lenet5", "parameters"])
    assert table.loc["lenet5", "accuracy"] == 0.97
    assert table.index.get_loc("lenet5") < table.index.get_loc("conv9")
    assert {request.name for request in missing(settings, DIGITS)} == {
        entry.name for entry in architectures if takes(entry, (28, 28, 1))
    }


def test_the_table_has_what_was_counted_before(
    settings: Settings, described: Callable[..., Description]
) -> None:
    description = described("lenet5")
    path = cache_file(settings, ModelRequest("lenet5", (28, 28, 1), 10))
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(description.to_dict()))
    row = model_table(settings, DIGITS, {}).set_index("model").loc["lenet5"]
    assert (row["parameters"], row["fits"]) == (44_426, "yes")  # LeNet-5 of 28×28 grey pixels, ten classes
    assert row["macs"] == description.macs
    little = Place((28, 28, 1), 10, 64, 1 << 20)
    row = model_table(settings, little, {}).set_index("model").loc["lenet5"]
    assert row["fits"].startswith("takes ")


def test_words_of_a_search_may_stand_in_model_family_or_year(settings: Settings) -> None:
    table = model_table(settings, DIGITS, {})
    assert set(matching(table, "2014 vgg 1x1")["model"]) == {"vgg16_1x1"}
    assert set(matching(table, "LeNet")["family"]) == {"LeNet", "Inception"}  # of which one is GoogLeNet
    assert matching(table, "resnet nothing").empty
    assert len(matching(table, " ")) == len(table)


def test_the_accuracy_of_a_model_is_that_of_its_best_comparable_experiment() -> None:
    rows = [
        run("better", 0.9, 0.80, **{"model.name": "lenet5"}),
        run("worse", 0.8, 0.85, **{"model.name": "lenet5", "optimizer.learning_rate": 0.1}),
        run("other", 0.7, 0.70, **{"model.name": "conv3"}),
        run("before", 0.99, 0.99, **{"model.name": "vgg16", FINGERPRINT: "v0"}),
    ]
    models = {row["run_id"]: row["params.model.name"] for row in rows}
    found = best_accuracies(compare(pd.DataFrame(rows)), models, "digits", "v1")
    assert found == {"lenet5": 0.80, "conv3": 0.70}


def test_a_click_makes_a_model_fit(settings: Settings) -> None:
    page: dict[str, str | list[str]] = {"architectures": ["lenet5", "conv9"], "epochs": "1"}
    app = opened("pages/2_Train.py", **page)
    assert launch_button(app).disabled
    app.button(key="remedy conv9").click().run()
    assert app.multiselect(key="architectures").value == ["lenet5", "conv4"]
    assert not launch_button(app).disabled

    app = opened("pages/2_Train.py", **page)
    app.button(key="remedy resize").click().run()
    assert app.number_input(key="resize").value == 50
    assert not app.error
    launch_button(app).click().run()
    resized = {get_store().config(run.run_id).model.resize for run in get_store().active()}
    assert resized == {50}


def test_the_table_opens_with_every_model_and_takes_what_is_ticked(settings: Settings) -> None:
    app = opened("pages/2_Train.py", architectures="conv3")
    (browse,) = [one for one in app.button if one.label == "Browse"]
    browse.click().run()
    assert not app.exception
    (table,) = [one.value for one in app.dataframe if "family" in one.value]
    assert len(table) == len(architectures.names())
    assert app.button(key="take models").label == "Take 1 model"  # what was chosen is ticked
    app.session_state[TAKEN] = [
        "conv3",
        "cifar_cnn",
    ]  # as the dialog leaves them, which no AppTest runs alone
    app.run()
    assert app.multiselect(key="architectures").value == ["conv3", "cifar_cnn"]
    assert not launch_button(app).disabled
    assert not [one for one in app.dataframe if "family" in one.value]


def test_the_form_asks_no_device_for_the_shape_of_the_images(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def free_memory(*_: object) -> int:
        raise AssertionError("This starts nvidia-smi at each change of the form.")

    monkeypatch.setattr(devices, "free_memory", free_memory)
    app = opened("pages/2_Train.py", architectures="conv9")
    assert not app.exception
    assert [one for one in app.button if one.key == "remedy resize"]
