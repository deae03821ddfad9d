"""The Architectures page in the hands of a visitor, on an empty store and beside runs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core.analysis.comparable import compare
from core.architectures import architectures
from core.architectures.description import Description, LayerDescription, MemoryEstimate
from core.figures import block_diagram, cost_scatter
from core.inference import background, descriptions
from core.inference.descriptions import ModelRequest
from core.launching.launch import launch
from core.system.settings import Settings
from core.tracking import frames, schema
from core.tracking.store import get_store
from core.ui.gallery.cards import ONE, TWO
from core.ui.gallery.costs import OWN, PURPOSE
from tests.support.homes import SMALL, Trained
from tests.support.pages import opened
from tests.support.runs import run
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

PAGE = "pages/7_Architectures.py"
DIAGRAM = "graphviz_chart"


def test_every_model_has_a_card_and_a_way_to_train_it(settings: Settings) -> None:
    app = opened(PAGE)
    shown = {text.value.replace("\\", "").strip("*") for text in app.markdown}
    assert set(architectures.names()) <= shown
    assert not descriptions.cached(settings, ModelRequest("lenet5"))  # cards ask nobody


def test_cards_of_chosen_families(settings: Settings) -> None:
    app = opened(PAGE, family="LeNet")
    assert [heading.value for heading in app.subheader] == ["LeNet · 1998"]


def test_one_model_in_full(trained: Trained) -> None:
    app = opened(PAGE, view=ONE, net="lenet5")
    assert not app.exception
    assert app.metric[0].value == "44.4 k"
    (table,) = [one for one in app.dataframe if "output" in one.value]
    assert table.value["parameters"].sum() == 44_426
    assert len(app.get(DIAGRAM)) == 1
    app.selectbox(key="net-lenet5").set_value("conv3").run()
    assert app.query_params["net"] == "conv3"
    assert app.metric[0].value == "913 k"


@pytest.mark.parametrize(
    ("page", "address", "sentence"),
    [
        (PAGE, {"view": ONE, "net": "resnet9000"}, "Model: this address names 'resnet9000', which is not"),
        (PAGE, {"view": ONE, "net": "lenet5", "data": "gone"}, "Input: this address names 'gone', which"),
        (PAGE, {"view": "Nothing"}, "View: this address names 'Nothing', which is not among the choices"),
        (PAGE, {"family": "LeNets"}, "Families: this address names 'LeNets', which is not among"),
        (
            "pages/2_Train.py",
            {"architectures": ["lenet5", "nope"]},
            "Architectures: this address names 'nope'",
        ),
        ("pages/2_Train.py", {"dataset": "gone"}, "Dataset: this address names 'gone', which is not among"),
        ("pages/2_Train.py", {"optimizer": "adem"}, "Optimizer: this address names 'adem', which is not"),
        (  # what differs is written on a door, for which the page runs twice
            "pages/2_Train.py",
            {"optimizer": "adem", "schedule": "cosine", "seeds": "2"},
            "Optimizer: this address names 'adem', which is not",
        ),
        ("pages/1_Data.py", {"dataset": "gone"}, "Dataset: this address names 'gone', which is not among"),
        (
            "pages/3_Compare.py",
            {"runs": ["a", "b"]},
            "Runs: this address names 'a', 'b', which are not among",
        ),
    ],
)
def test_what_an_address_names_and_nobody_knows_is_said(
    trained: Trained, page: str, address: dict[str, Any], sentence: str
) -> None:
    app = opened(page, **address)
    assert not app.exception
    said = [one.value.replace("\\", "") for one in app.warning]
    assert len(said) == 1
    assert said[0].startswith(sentence)


def test_a_model_on_a_dataset_too_small_for_it_is_said(trained: Trained) -> None:
    app = opened(PAGE, view=ONE, net="conv9", data="digits")
    assert [error.value.replace("\\", "") for error in app.error] == [
        "conv9 needs images of at least 50×50 pixels. Received: 28×28."
    ]


def test_two_models_side_by_side(trained: Trained) -> None:
    app = opened(PAGE, view=TWO, net="conv3", other="conv4")
    assert not app.exception
    table = app.dataframe[0].value.set_index("measure")
    assert table.loc["parameters", ["conv3", "conv4", "difference"]].tolist() == [912_642, 793_922, -118_720]
    assert len(app.get(DIAGRAM)) == 2
    same = opened(PAGE, view=TWO, net="conv3", other="conv3")
    assert not same.exception
    assert same.dataframe[0].value.empty


def test_costs_are_those_of_the_dataset_with_finished_runs(trained: Trained) -> None:
    app = opened(PAGE, view="Costs")
    assert app.selectbox(key="at").value == "digits"
    refusing = sum(entry.min_size > 28 for entry in architectures)
    assert f"{refusing} models need larger images than these." in [text.value for text in app.caption]


def test_costs_are_counted_in_the_background_once(settings: Settings) -> None:
    names = architectures.names()
    for name in names:  # all but one were described before; what they cost does not matter here
        path = descriptions.cache_file(settings, ModelRequest(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        if name != "lenet5":
            path.write_text(json.dumps(costing_description(name, 1, 1).to_dict()))
    app = opened(PAGE, view="Costs")
    assert app.selectbox(key="at").value == OWN
    (count,) = counting(app)
    assert count.label == "Count the other model"
    count.click().run()
    wait_for(lambda: not background.progress_of(settings, PURPOSE).running)  # type: ignore[union-attr]
    assert descriptions.cached(settings, ModelRequest("lenet5")).macs == 281_640  # type: ignore[union-attr]
    app.run()
    assert counting(app) == []


def counting(app: AppTest) -> list[Any]:
    return [button for button in app.button if button.label.startswith("Count the")]


def costing_description(name: str, parameters: int, macs: int) -> Description:
    layer = LayerDescription("only", "Dense", (10,), parameters)
    counts = (parameters, parameters, macs, 1, 1)
    return Description(name, (28, 28, 1), 10, *counts, (layer,), MemoryEstimate(32))


def costing(name: str, validation: float, test: float, macs: float = 281_640.0, **changes: object) -> dict:
    costs = {"metrics.parameters": 44_426.0, "metrics.macs": macs}
    return run(name, validation, test, **{"model.name": "lenet5", **costs, **changes})


def test_scatter_takes_of_each_model_the_run_that_validated_best() -> None:
    runs = pd.DataFrame(
        [
            costing("a", 0.90, 0.99),
            costing("b", 0.97, 0.95, **{"optimizer.learning_rate": 0.1}),
            costing("c", 1.00, 1.00, status=schema.FAILED),
            costing("d", 0.50, 0.50, **{"model.name": "conv3", "data.name": "shapes"}),
        ]
    )
    facts = {name: costing_description(name, 7, 8) for name in ("lenet5", "conv3")}
    families = {"lenet5": "LeNet", "conv3": "Small CNN"}
    competitors = cost_scatter.comparable_on(compare(runs), "digits")
    costs = cost_scatter.collect(
        {"lenet5": facts["lenet5"], "conv3": facts["conv3"]}, families, runs, competitors
    )
    assert costs == [
        cost_scatter.Cost("lenet5", "LeNet", 44_426.0, 281_640.0, 0.95, "b"),
        cost_scatter.Cost("conv3", "Small CNN", 7, 8),
    ]
    (both,) = cost_scatter.collect(facts, families, runs)  # untrained, and of one cost: drawn once
    assert (both.accuracy, both.also) == (None, ("conv3",))
    assert cost_scatter.collect({}, families, pd.DataFrame(columns=["run_id"])) == []
    figure = cost_scatter.draw(costs, "On digits")
    assert [list(trace.text) for trace in figure.data] == [["conv3"], ["lenet5"]]
    assert len(cost_scatter.draw([], "").data) == 0


def test_a_default_that_is_said_makes_no_second_point_and_other_options_do() -> None:
    resnet = {"model.name": "resnet_cifar"}
    said = costing("said", 0.90, 0.9499, **resnet, **{"model.options.depth": 20})
    silent = costing("silent", 0.98, 0.9916, **resnet, **{"optimizer.learning_rate": 0.1})
    deep = costing("deep", 0.95, 0.94, 9e5, **resnet, **{"model.options.depth": 32})
    unlike = costing("dropped", 0.97, 0.96, **resnet, **{"regularization.dropout": 0.5, "data.grey": True})
    runs = pd.DataFrame([said, silent, deep, unlike])
    competitors = cost_scatter.comparable_on(compare(runs), "digits")
    costs = cost_scatter.collect({}, {"resnet_cifar": "ResNet"}, runs, competitors)
    assert [(cost.name, cost.accuracy, cost.run_id) for cost in costs] == [
        ("resnet_cifar grey=false, depth=20", 0.9916, "silent"),
        ("resnet_cifar grey=false, depth=32", 0.94, "deep"),
    ]
    assert costs[0].also == ("resnet_cifar grey=true, depth=20: 96.00%",)
    places = [
        (x, y) for trace in cost_scatter.draw(costs, "").data for x, y in zip(trace.x, trace.y, strict=True)
    ]
    assert len(places) == len(set(places))


def test_costs_are_of_one_version_and_split_and_of_the_mean_of_repeats() -> None:
    now = [costing(f"s{seed}", 0.9, test, seed=seed) for seed, test in enumerate((0.90, 0.80))]
    old = [
        costing(f"old{depth}", 0.99, 0.99, **{"model.name": "conv3", f"params.{schema.FINGERPRINT}": "v0"},
                **{"optimizer.learning_rate": 0.1 * depth})
        for depth in (1, 2, 3)
    ]  # fmt: skip
    runs = pd.DataFrame([*old, *now])
    (one,) = cost_scatter.comparable_on(compare(runs), "digits", "v1")
    (cost,) = cost_scatter.collect({}, {}, runs, [one])
    assert cost.accuracy == pytest.approx(0.85)
    assert (
        len(cost_scatter.comparable_on(compare(runs), "digits", "v2")) == 3
    )  # the most, of none that is current
    broken = pd.DataFrame([costing("x", 0.9, 0.9, math.inf), costing("y", 0.9, 0.9, 0.0, seed=1)])
    assert cost_scatter.collect({}, {}, broken, compare(broken).competitors) == []


def test_an_experiment_is_shown_by_any_repeat_that_logged_its_cost_and_others_are_counted() -> None:
    without = costing("without", 0.9, 0.8, math.nan)
    repeat = costing("with", 0.9, 0.6, seed=1)
    other = {"model.name": "conv3", "optimizer.learning_rate": 0.5}
    unknown, untested = (
        costing("none", 0.9, 0.8, math.nan, **other),
        costing("untested", 0.9, math.nan, seed=7),
    )
    untested |= {"params.optimizer.learning_rate": "0.7"}
    runs = pd.DataFrame([without, repeat, unknown, untested])
    competitors = compare(runs).competitors
    (cost,) = cost_scatter.collect({}, {}, runs, competitors)
    assert (cost.name, cost.accuracy, cost.run_id) == ("lenet5", pytest.approx(0.7), "without")
    absent = cost_scatter.without_point(runs, competitors)
    assert {one.run_ids for one in absent} == {("none",), ("untested",)}


def test_the_name_of_a_layer_stays_inside_its_quotes() -> None:
    layer = LayerDescription("a", 'x" -> y [label="z', (3,), 0)
    from core.analysis.blocks import fold

    blocks = fold([layer])
    dot = block_diagram.draw(blocks, (1, 1, 1))
    assert '\\"' in dot
    assert dot == block_diagram.draw(blocks, (1, 1, 1))
    assert "layer0" in block_diagram.draw_inside([layer], blocks[0])


LIST = "- conv: {filters: 4, strides: 3, activation: relu}\n- flatten\n- dropout: 0.1\n- softmax\n"


def test_a_written_model_shows_its_layers_then_trains(own: Trained) -> None:
    app = opened("pages/2_Train.py", architectures="declarative", epochs="1")
    area = app.text_area(key="declarative.layers")
    area.set_value("- conv: 0\n").run()
    sentence = "Line 1, layer 1 (conv): 'filters' must be in 1 to 8192. Received: 0."
    assert sentence in [error.value.replace("\\", "") for error in app.error]
    area.set_value(LIST).run()
    assert not app.error
    request = ModelRequest("declarative", (28, 28, 1), 10, {"layers": LIST})
    wait_for(lambda: descriptions.cached(own.settings, request))
    app.run()
    (table,) = [one for one in app.dataframe if "output" in one.value]
    assert table.value["output"].tolist() == ["9×9×4", "324", "324", "10"]
    app.number_input(key="batch_size").set_value(48).run()
    memory = [caption.value for caption in app.caption if "iB" in caption.value and "takes" in caption.value]
    assert len(memory) == 2  # one figure for the model, one for the process that trains it
    assert memory[0].endswith("of memory at batch size 48.")
    assert memory[1] == descriptions.PROCESS_MEMORY
    config = SMALL.with_values({"model.name": "declarative", "model.options.layers": LIST})
    (run_id,) = launch([config.with_values({"training.epochs": 1})])
    wait_for(lambda: not get_store().state(run_id).active)
    assert get_store().state(run_id).status == schema.FINISHED
    assert get_store().config(run_id).model.options == {"layers": LIST}
    runs = frames.runs(get_store()).set_index("run_id")
    assert runs.loc[run_id, "params.model.options.layers"] == LIST
    get_store().client.delete_run(run_id)


def test_a_broken_file_of_ones_own_is_told_where_models_are_listed(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.system import settings as settings_module

    (tmp_path / "broken.py").write_text("1 / 0")
    monkeypatch.setenv("ARCHLAB_ARCHITECTURES", str(tmp_path))
    settings_module.get_settings.cache_clear()
    for page in (PAGE, "pages/2_Train.py"):
        (warning,) = opened(page).warning
        assert warning.value.replace("\\", "") == "broken.py: ZeroDivisionError: division by zero"
