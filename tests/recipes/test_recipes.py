"""Recipes: what was published stands in them exactly, and a wrong file is refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from core import recipes
from core.config import ExperimentConfig
from core.recipes import RecipeError, saved
from core.recipes.recipe import of_text
from core.registry import UnknownName
from core.system.settings import NotAllowed, Settings

# Recipe and run, with every published figure: metric, value, upper end. He et al., arXiv:1512.03385, table
# 6 (errors of 8.75, 7.51, 7.17, 6.97 and 6.43 %); Jordan, arXiv:2404.00498, title; Keras' example
# cifar10_resnet (92.16 % with 20 layers); all others as they were reported for the study or example itself.
PUBLISHED = {
    ("lenet5-mnist", "lenet5"): [("test_accuracy", 0.9857), ("test_loss", 0.0557)],
    ("mnist-cnn", "mnist_cnn"): [("test_accuracy", 0.99)],
    ("cifar-cnn", "cifar_cnn"): [("test_accuracy", 0.71, 0.73)],
    ("cifar10-fast", "fast_cifar"): [("test_accuracy", 0.94)],
    ("cuda-convnet-3k", "cuda_convnet"): [("test_accuracy", 0.73), ("images_per_second", 1800)],
    ("cuda-convnet-100k", "cuda_convnet"): [("test_accuracy", 0.86)],
    ("augmentation-study", "without"): [("test_error", 0.17)],
    ("augmentation-study", "with"): [("test_error", 0.11)],
    ("optimizer-study", "Adam"): [("val_loss", 0.5382), ("val_accuracy", 0.757)],
    ("optimizer-study", "SGD"): [("val_loss", 6.428), ("val_accuracy", 0.599)],
    ("optimizer-study", "SGD, 10 epochs"): [("val_loss", 6.428), ("val_accuracy", 0.599)],
    ("depth-study", "conv3"): [("val_loss", 0.4845), ("val_accuracy", 0.787)],
    ("depth-study", "conv4"): [("val_loss", 0.6723), ("val_accuracy", 0.602)],
    ("depth-study", "conv6"): [("val_loss", 0.6723), ("val_accuracy", 0.602)],
    ("depth-study", "conv6 at rate 0.001"): [("val_loss", 0.3976), ("val_accuracy", 0.825)],
    ("depth-study", "conv9"): [("val_loss", 0.4177), ("val_accuracy", 0.824)],
    ("transfer-study", "all trained, Adam"): [("val_loss", 0.3844), ("val_accuracy", 0.840)],
    ("transfer-study", "all trained, SGD"): [("val_loss", 0.3565), ("val_accuracy", 0.858)],
    ("transfer-study", "all but the last 8 layers frozen, SGD"): [
        ("val_loss", 0.2541),
        ("val_accuracy", 0.902),
    ],
    ("transfer-study", "then unfrozen, SGD"): [("val_loss", 0.4288), ("val_accuracy", 0.909)],
    ("retinopathy-folds", "folds"): [
        *(
            ("val_accuracy", 0.793),
            ("test_accuracy", 0.782),
            ("val_accuracy", 0.737),
            ("test_accuracy", 0.724),
        ),
        *(
            ("val_accuracy", 0.769),
            ("test_accuracy", 0.638),
            ("val_accuracy", 0.775),
            ("test_accuracy", 0.641),
        ),
        *(("val_accuracy", 0.752), ("test_accuracy", 0.512)),
    ],
    ("retinopathy-folds", "all the data"): [("val_accuracy", 0.858, 0.863), ("test_accuracy", 0.799, 0.807)],
    ("bottleneck-retrain", "head alone"): [
        ("accuracy", 0.840),
        ("loss", 0.4336),
        ("val_accuracy", 0.830),
        ("val_accuracy", 0.737),
        ("test_accuracy", 0.691),
    ],
    ("hands", "cifar_cnn at 32×32"): [("test_accuracy", 0.53)],
    ("hands", "mnist_cnn in grey"): [("test_accuracy", 0.50)],
    ("hands", "alexnet at 227×227"): [("test_accuracy", 0.92)],
    ("flowers-alexnet", "alexnet_bn"): [("parameters", 28_096_769)],
    ("resnet-cifar", "20 layers"): [("test_error", 0.0875)],
    ("resnet-cifar", "32 layers"): [("test_error", 0.0751)],
    ("resnet-cifar", "44 layers"): [("test_error", 0.0717)],
    ("resnet-cifar", "56 layers"): [("test_error", 0.0697)],
    ("resnet-cifar", "110 layers"): [("test_error", 0.0643)],
    ("resnet-keras-schedule", "resnet_cifar 20"): [("test_accuracy", 0.9216)],
    ("degradation", "residual 20"): [("test_error", 0.0875)],
    ("degradation", "residual 56"): [("test_error", 0.0697)],
}
WITHOUT_FIGURES = {"quickstart", "cats-dogs", "cifar100-resnet50", "vgg-warm-start"}
SUPPLIED = {
    "optimizer-study", "depth-study", "transfer-study", "retinopathy-folds", "bottleneck-retrain", "hands",
    "cats-dogs", "flowers-alexnet",
}  # fmt: skip

SMALL = {"title": "Mine", "description": "A small one.", "runs": [{"training.epochs": 1}]}


@pytest.mark.parametrize("name", recipes.shipped())
def test_every_recipe_is_a_whole_notebook(name: str) -> None:
    recipe = recipes.get(name)
    assert recipe.title
    assert recipe.description
    assert recipe.data.words
    assert recipe.data.classes is not None
    assert recipe.data.shape is not None
    assert recipe.waits_for_data == recipe.data.supplied
    assert recipe.variant_of == (name.removesuffix("-cpu") if name.endswith("-cpu") else "")
    if name != "quickstart":
        assert recipe.paper
        assert recipe.hardware


def test_the_figures_are_the_published_ones() -> None:
    found = {
        (name, run.title): [
            (one.metric, one.value) if one.to is None else (one.metric, one.value, one.to)
            for one in run.published
        ]
        for name in recipes.shipped()
        if not (recipe := recipes.get(name)).variant_of
        for run in recipe.runs
        if run.published
    }
    assert found == PUBLISHED
    every = {name for name in recipes.shipped() if not recipes.get(name).variant_of}
    assert every == {name for name, _ in PUBLISHED} | WITHOUT_FIGURES
    assert {name for name in every if recipes.get(name).waits_for_data} == SUPPLIED
    folds = recipes.get("retinopathy-folds").runs[0]
    assert [one.fold for one in folds.published] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert (folds.folds, recipes.get("retinopathy-folds").size) == (5, 7)


def test_figures_of_one_epoch_are_compared_with_those_of_one_epoch() -> None:
    """A loss is of the last epoch, so an accuracy beside it is of the last one too."""
    for name in recipes.shipped():
        for run in recipes.get(name).runs:
            metrics = {one.metric for one in run.published}
            if "val_accuracy" in metrics and metrics & {"loss", "val_loss"}:
                assert run.config.training.keep == "last", (name, run.title)
    (augmented, *_), (same,) = (
        recipes.get("augmentation-study").configs,
        recipes.get("cuda-convnet-100k").configs,
    )
    assert (augmented.optimizer, augmented.schedule, augmented.training) == (
        same.optimizer, same.schedule, same.training,
    )  # fmt: skip


def test_a_figure_has_the_digits_it_is_written_with() -> None:
    (head,) = recipes.get("bottleneck-retrain").runs
    assert [(one.decimals, one.images) for one in head.published] == [
        (3, None), (4, None), (3, 100), (3, 988), (3, 958),
    ]  # fmt: skip
    assert [one.decimals for run in recipes.get("hands").runs for one in run.published] == [2, 2, 2]


def test_a_variant_for_cpus_is_shorter_and_says_so() -> None:
    whole, smaller = recipes.get("degradation"), recipes.get("degradation-cpu")
    assert [run.title for run in smaller.runs] == [run.title for run in whole.runs]
    assert {run.config.training.steps for run in smaller.runs} == {1500}
    assert smaller.differs[1:] == whole.differs
    assert smaller.differs[0].startswith("1,500 steps")


def test_data_of_a_user_fits_by_its_shape_and_classes() -> None:
    exact, larger = recipes.get("depth-study").data, recipes.get("hands").data
    assert exact.matches((96, 96, 3), 2)
    assert not exact.matches((96, 96, 3), 3)
    assert not exact.matches((96, 96, 1), 2)
    assert not exact.matches((128, 128, 3), 2)
    assert larger.matches((300, 240, 3), 2)
    assert not larger.matches((300, 200, 3), 2)
    mine = recipes.get("depth-study").changed({"data.name": "mine"})
    assert {config.data.name for config in mine.configs} == {"mine"}
    assert not mine.waits_for_data


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"title": None}, "The recipe 'x': title must be text. Received: None."),
        ({"author": "me"}, "The recipe 'x': Unknown setting 'author'."),
        ({"runs": []}, "The recipe 'x': runs is wrong (Tuple should have at least 1 item"),
        ({"runs": [{"model.nam": "lenet5"}]}, "The recipe 'x': Unknown setting 'model.nam'."),
        ({"runs": [{"training.epochs": 0}]}, "training.epochs must be at least 1. Received: 0."),
        (
            {"runs": [{"title": "a", "published": [{"metric": "f1", "value": 1, "where": "t"}]}]},
            "runs.0.published.0.metric must be 'test_accuracy'",
        ),
        (
            {"runs": [{"title": "a"}, {"title": "a"}]},
            "The recipe 'x': each run must have a title of its own. Received: 'a' twice.",
        ),
        (
            {"claims": [{"metric": "loss", "better": "b", "worse": "c", "words": "w"}]},
            "The recipe 'x': it must name one of its runs, lenet5 on digits. Received: 'b'.",
        ),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence(change: dict, sentence: str) -> None:
    with pytest.raises(RecipeError) as error:
        of_text("x", yaml.safe_dump(SMALL | change))
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "[1]", "title: [", "title: x", "a: &a [*a]"])
def test_what_is_no_recipe_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(RecipeError) as error:
        of_text("x", text)
    assert str(error.value).startswith("The recipe 'x' ")


def test_experiments_are_saved_and_come_back_as_they_were(empty_home: Settings) -> None:
    first = ExperimentConfig().with_values({"model.name": "conv3", "training.epochs": 2, "seed": 4})
    second = first.with_values({"optimizer.learning_rate": 0.01, "name": "faster"})
    saved.save("mine", saved.written("Mine", "Two rates.", [first, second]), recipes.shipped())
    assert "mine" in recipes.names()
    recipe = recipes.get("mine")
    assert recipe.own
    assert [run.title for run in recipe.runs] == ["conv3 on digits", "faster"]
    assert [config.with_values({"name": ""}) for config in recipe.configs] == [
        first,
        second.with_values({"name": ""}),
    ]
    # what is exported is imported elsewhere
    saved.save("theirs", saved.text("mine"))
    assert recipes.get("theirs").configs == recipe.configs
    saved.delete("theirs")
    with pytest.raises(UnknownName):
        recipes.get("theirs")


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".", "A", "x" * 65, "mine.yaml", "a\n"])
def test_no_name_leaves_the_folder(empty_home: Settings, name: str) -> None:
    with pytest.raises(RecipeError, match="The name of a recipe must be"):
        saved.save(name, yaml.safe_dump(SMALL))
    assert not (empty_home.home / "recipes").exists()


def test_what_is_refused_leaves_nothing_behind(empty_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecipeError):
        saved.save("mine", "title: x")
    with pytest.raises(RecipeError, match="ships with the program"):
        saved.save("quickstart", yaml.safe_dump(SMALL), recipes.shipped())
    assert not (empty_home.home / "recipes").exists()
    saved.save("mine", yaml.safe_dump(SMALL))
    with pytest.raises(RecipeError, match="You have a recipe of this name already"):
        saved.save("mine", yaml.safe_dump(SMALL | {"title": "Other"}))
    assert recipes.get("mine").title == "Mine"
    assert [path.name for path in (empty_home.home / "recipes").iterdir()] == ["mine.yaml"]
    with pytest.raises(RecipeError, match="UTF-8"):
        saved.readable(b"\xff\xfe")
    monkeypatch.setattr(
        "core.recipes.saved.get_settings",
        lambda: Settings(empty_home.home, empty_home.tracking_uri, role="viewer"),
    )
    with pytest.raises(NotAllowed):
        saved.save("other", yaml.safe_dump(SMALL))


def test_a_damaged_file_of_a_user_is_named_and_the_others_stay(empty_home: Settings) -> None:
    folder = Path(empty_home.home) / "recipes"
    folder.mkdir(parents=True)
    (folder / "broken.yaml").write_text("title: [")
    assert {"broken", "quickstart"} <= {*recipes.names()}
    with pytest.raises(RecipeError, match="The recipe 'broken' is not valid YAML"):
        recipes.get("broken")
