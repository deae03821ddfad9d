"""A saved model loads where this program is not: with its packages, and the layers saved beside it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from runpy import run_path

import keras
import numpy as np
import pytest

from core.architectures import architectures, build_model, inference_model
from core.architectures import layers as own_layers
from core.architectures.classifier_output import ModelError
from core.architectures.model_check import check_model
from core.images.target import Target
from core.images.value_range import FULL, IMAGE
from core.system import settings as settings_module
from core.system.settings import Settings
from core.tracking.model_files import README, requirements, save_model, write_beside
from core.tracking.store import get_store
from tests.support.homes import Trained

pytestmark = pytest.mark.slow


def registered(name: str, **options: object) -> keras.Model:
    size = max(architectures.get(name).min_size, 32)
    return inference_model(build_model(name, (size, size, 3), 10, **options))


def with_scaled_residual() -> keras.Model:
    """The layer of the large Inception-ResNets without their hundreds of others."""
    images = keras.Input((32, 32, 3))
    x = keras.layers.GlobalAveragePooling2D()(own_layers.ScaledResidual(0.17)([images, images]))
    return keras.Model(images, keras.layers.Dense(10, activation="softmax")(x))


# Together they have every layer that Keras lacks; the first has none.
MODELS = {
    "lenet5": partial(registered, "lenet5"),
    "lenet5_1998": partial(registered, "lenet5_1998"),
    "resnet_cifar": partial(registered, "resnet_cifar", depth=8),
    "cuda_convnet": partial(registered, "cuda_convnet"),
    "scaled_residual": with_scaled_residual,
}

CLASSES = [
    "cat",
    "dog's",
    'two "words"',
    "```python",
    "back\\slash",
    "Ünï",
    "猫",
    "new\nline",
    "{braces}",
    "",
]

ELSEWHERE = """
import json, re, sys
from pathlib import Path

import numpy as np

for folder in map(Path, sys.argv[1:]):
    code = re.search("```python\\n(.*)```", (folder / "README.md").read_text(), re.DOTALL).group(1)
    images = np.load(folder / "images.npy")
    known = {"images": images}
    exec(code.replace("PATH", str(folder)), known)
    np.save(folder / "answers.npy", known["probabilities"])
    (folder / "classes.json").write_text(json.dumps(known["classes"]))
assert "core" not in sys.modules
"""


def load_elsewhere(folders: list[Path], work: Path) -> None:
    """Do what each model's README says, in a process that finds nothing but installed packages."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", ELSEWHERE, *map(str, folders)], cwd=work, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_models_load_without_the_program_and_answer_the_same(tmp_path: Path) -> None:
    expected = {}
    for name, build in MODELS.items():
        model = build()
        save_model(str(tmp_path / name), model, CLASSES, pip_requirements=requirements())
        images = np.random.default_rng(0).uniform(size=(2, *model.input_shape[1:])).astype("float32")
        np.save(tmp_path / name / "images.npy", images)
        expected[name] = model.predict(images, verbose=0)
    load_elsewhere([tmp_path / name for name in MODELS], tmp_path)
    for name, answers in expected.items():
        np.testing.assert_allclose(np.load(tmp_path / name / "answers.npy"), answers, atol=1e-6)
        assert json.loads((tmp_path / name / "classes.json").read_text()) == CLASSES
    assert not (tmp_path / "lenet5" / "code").exists()


def test_every_layer_that_keras_lacks_is_in_one_of_them() -> None:
    """So the test above speaks for every model of the registry; a head for training alone is never saved."""
    found: set[str] = set()
    for build in MODELS.values():
        with keras.StatelessScope(initialize_variables=False):
            model = build()
        found |= set(re.findall(r'"archlab>(\w+)"', model.to_json()))
    assert found == set(own_layers.__all__) - {"AuxiliaryModel"}


BENT = """
import keras


@keras.saving.register_keras_serializable(package="bends")
def bent(x):
    return keras.ops.maximum(x, 0.1 * x)
"""


def test_a_registered_function_is_saved_beside_its_model(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "_bends.py").write_text(BENT)
    known = run_path(str(tmp_path / "own" / "_bends.py"))
    images = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(keras.layers.Conv2D(2, 3, activation=known["bent"])(images))
    model = keras.Model(images, keras.layers.Dense(3, "softmax")(x), name="bends")
    save_model(str(tmp_path / "saved"), model, ["a", "b", "c"], pip_requirements=requirements())
    values = np.random.default_rng(0).uniform(size=(2, 8, 8, 1)).astype("float32")
    np.save(tmp_path / "saved" / "images.npy", values)
    load_elsewhere([tmp_path / "saved"], tmp_path)
    np.testing.assert_allclose(
        np.load(tmp_path / "saved" / "answers.npy"), model.predict(values, verbose=0), atol=1e-6
    )


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (Target(8, 6, 1, "pad", (100.0, 1499.0)), "made grey, and fitted into 8×6 with black around it"),
        (Target(8, 6, 1, "pad", (100.0, 1499.0)), "values of 100 to 1,499 become 0 to 255"),
        (Target(8, 6, 3, "crop", IMAGE), "made RGB, and enlarged or reduced to cover 8×6"),
        (Target(8, 6, 3, "stretch", IMAGE), "the range of its own values becomes 0 to 255"),
        (Target(8, 6, 3, "stretch", FULL), "integers are divided by 65,535, floats by 1, 255 or 65,535"),
    ],
)
def test_the_readme_says_how_an_image_becomes_what_the_model_takes(
    tmp_path: Path, target: Target, told: str
) -> None:
    model = keras.Sequential([keras.Input((8, 6, target.channels)), keras.layers.Flatten()], name="flat")
    write_beside(tmp_path, model, images=target.sentences)
    assert told in (tmp_path / README).read_text()


def test_a_run_says_what_its_model_needs(trained: Trained) -> None:
    folder = get_store().models.file(trained.run_id).parents[1]
    lines = (folder / "requirements.txt").read_text().splitlines()
    for package in ("keras", "tensorflow", "mlflow", "numpy"):
        assert f"{package}=={version(package)}" in lines
    readme = (folder / README).read_text()
    assert "(N, 28, 28, 1)" in readme
    assert "made grey, and stretched to 28×28, whatever its proportions" in readme
    assert "classes = [\n    '0',\n    '1',\n" in readme


OWN = """
from core.architectures import Architecture, Card, architectures
from core.lazy import LazyModule

keras = LazyModule("keras")


def build(input_shape, num_classes):
    from .{file} import {layer}

    images = keras.Input(input_shape)
    x = keras.layers.GlobalAveragePooling2D()({layer}()(images))
    return keras.Model(images, keras.layers.Dense(num_classes, activation="softmax")(x))


architectures.register(
    Architecture(
        name="{file}", family="Own", build=build, input_shape=(8, 8, 1), num_classes=3, min_size=3,
        card=Card(title="", authors="", year=2026, paper="", summary=""),
    )
)
"""
LAYER = """
import keras
{imports}

@keras.saving.register_keras_serializable(package="mine")
class {layer}(keras.layers.Layer):
    def call(self, x):
        return {factor} * x
"""


@pytest.fixture
def own_models(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Three models with a layer each; the folder also has a file that is none of their business."""
    files = {
        "_secret.py": "raise RuntimeError('private')\nTOKEN = 'abc'\n",
        "_factor.py": "from ._number import two\n",
        "_number.py": "two = 2\n",
        "_twice.py": LAYER.format(layer="Twice", factor="two", imports="from ._factor import two"),
        "_thrice.py": LAYER.format(layer="Thrice", factor="3", imports=""),
        "_bound.py": LAYER.format(layer="Bound", factor="1", imports="from core.lazy import LazyModule"),
    }
    for file, layer in (("_twice", "Twice"), ("_thrice", "Thrice"), ("_bound", "Bound")):
        files[f"model{file}.py"] = OWN.format(file=file, layer=layer)
    folder = tmp_path / "own"
    folder.mkdir()
    for file, text in files.items():
        (folder / file).write_text(text)
    monkeypatch.setenv("ARCHLAB_ARCHITECTURES", str(folder))
    settings_module.get_settings.cache_clear()
    yield folder
    monkeypatch.undo()
    settings_module.get_settings.cache_clear()


def test_a_model_of_ones_own_is_saved_with_the_files_of_its_layers_alone(
    own_models: Path, tmp_path: Path
) -> None:
    expected = {}
    for name, files in {
        "_twice": {"_twice.py", "_factor.py", "_number.py"},
        "_thrice": {"_thrice.py"},
    }.items():
        model = inference_model(build_model(name, (8, 8, 1), 3))
        check_model(name, model, "scale")
        save_model(str(tmp_path / name), model, ["a", "b", "c"], pip_requirements=requirements())
        (package,) = (tmp_path / name / "code").iterdir()
        assert {path.name for path in package.glob("*.py")} == files | {"__init__.py"}
        images = np.random.default_rng(0).uniform(size=(2, 8, 8, 1)).astype("float32")
        np.save(tmp_path / name / "images.npy", images)
        expected[name] = model.predict(images, verbose=0)
    load_elsewhere([tmp_path / name for name in expected], tmp_path)  # both in one process
    for name, answers in expected.items():
        np.testing.assert_allclose(np.load(tmp_path / name / "answers.npy"), answers, atol=1e-6)


def test_layers_that_import_the_program_are_refused_before_launch(own_models: Path) -> None:
    model = inference_model(build_model("_bound", (8, 8, 1), 3))
    with pytest.raises(ModelError, match=r"without this program: _bound\.py imports core\.lazy\."):
        check_model("_bound", model, "scale")
