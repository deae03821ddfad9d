"""Files beside a saved model, by which it can be loaded without this program: packages, layers, a README.

MLflow's Keras flavor can add no code to a model. The source of layers that Keras lacks is therefore copied
into the model's folder `code`, as a package that registers them when it is imported.
"""

from __future__ import annotations

import inspect
import json
import shutil
from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.system.plugin_files import with_imports

if TYPE_CHECKING:
    import keras

PACKAGE = "archlab_layers"  # with a hash of its files after it: one process may load several models
README = "README.md"
ONNX = "model.onnx"
DEEP = 200  # layers from which loading may pass Python's limit of recursion, a frame or more for each

START = '''"""Layers of the saved model beside this folder; an import registers them with Keras."""

import sys

# Keras walks a functional model by recursion when it is loaded; Python's own limit is too low for deep ones.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 20_000))
'''

TEXT = """# {name}

A classifier in Keras' format. It takes a batch of images `(N, {shape})` with pixels of 0 to 255 and answers
{answer}. Preprocessing is part of the model. {images}`requirements.txt` lists the packages it was saved with.

```python
{code}```
"""

IN_ONNX = (
    f"`data/{ONNX}` is the same model for onnxruntime: it takes `images`, uint8 of the same shape, and "
    "answers `probabilities` of all classes."
)

PLAIN = """import mlflow.keras

model = mlflow.keras.load_model("PATH")  # this folder, or the model's URI
probabilities = model.predict(images)
"""

WITH_LAYERS = """import sys

sys.path.insert(0, "PATH/code")  # PATH: this folder, downloaded
import archlab_layers  # registers the layers that Keras lacks

import mlflow.keras

model = mlflow.keras.load_model("PATH")
probabilities = model.predict(images)
"""


NAMES = """
# The class of each probability, in order
classes = [
{names}]
"""
NAMES_OF_TWO = """
# The class below 0.5 and the class from there on
classes = [
{names}]
"""


def requirements() -> list[str]:
    """Return the pinned packages that a saved model needs; MLflow adds itself."""
    import keras

    return [f"{package}=={version(package)}" for package in ("keras", keras.backend.backend(), "numpy")]


def save_model(
    path: str,
    model: keras.Model,
    classes: Sequence[str] = (),
    images: str = "",
    onnx: Path | None = None,
    **given: Any,
) -> None:
    """Save a model as `mlflow.keras.save_model` does, with the files that it needs beside it.

    classes: their names, in the order of the probabilities. images: sentences on how its images are
    made. onnx: the same model as an ONNX file.
    """
    import mlflow.keras

    mlflow.keras.save_model(model, path=path, **given)
    if onnx is not None:
        shutil.copyfile(onnx, Path(path) / "data" / ONNX)
        images = f"{images} {IN_ONNX}".strip()
    write_beside(Path(path), model, classes, images)


def write_beside(folder: Path, model: keras.Model, classes: Sequence[str] = (), images: str = "") -> None:
    """Write the README, and the package of layers where the model has some that Keras lacks."""
    sources = layer_sources(model)
    needs_code = bool(sources) or len(list(model._flatten_layers())) > DEEP
    package = _write_package(folder / "code", sources) if needs_code else ""
    shape = ", ".join(str(side) for side in model.input_shape[1:])
    units = model.output_shape[-1]
    answer = "the probability of the second class" if units == 1 else f"probabilities of {units} classes"
    code = WITH_LAYERS.replace(PACKAGE, package) if needs_code else PLAIN
    if classes:
        names = "".join(f"    {_quoted(name)},\n" for name in classes)
        code += (NAMES_OF_TWO if units == 1 else NAMES).format(names=names)
    images = f"{images}\n\n" if images else ""
    text = TEXT.format(name=model.name, shape=shape, answer=answer, images=images, code=code)
    (folder / README).write_text(text, encoding="utf-8")


def _quoted(name: str) -> str:
    """A class's name as Python writes it, without the sign that would end the README's block of code."""
    return repr(name).replace("`", "\\x60")


def _write_package(folder: Path, sources: Sequence[Path]) -> str:
    """Write the package that registers the layers which some files define; returns its name."""
    contents = {source.name: source.read_bytes() for source in sources}
    digest = sha256(repr(sorted(contents.items())).encode()).hexdigest()
    name = f"{PACKAGE}_{digest[:12]}"
    (folder / name).mkdir(parents=True)
    for file, content in contents.items():
        (folder / name / file).write_bytes(content)
    imports = "".join(f"from {name} import {source.stem}  # noqa\n" for source in sources)
    (folder / name / "__init__.py").write_text(f"{START}\n{imports}", encoding="utf-8")
    return name


def layer_sources(model: keras.Model) -> list[Path]:
    """Return the files that define what the model has registered, and what they import beside them."""
    files = {Path(inspect.getsourcefile(found) or "") for _, found in registered_in(model)}
    return sorted({found for file in files for found in with_imports(file)})


def registered_in(model: keras.Model) -> Iterator[tuple[str, Any]]:
    """The registered classes and functions that the model's config names, with these names, each once.

    Keras writes the name of a function where the settings of a class stand, or alone: every text counts but
    the names of layers.
    """
    import keras

    registered = keras.saving.get_custom_objects()
    for text in dict.fromkeys(_texts(json.loads(model.to_json()))):
        if text in registered:
            yield text, registered[text]


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict):
        for key, branch in tree.items():
            if key != "name":
                yield from _texts(branch)
    elif isinstance(tree, list):
        for branch in tree:
            yield from _texts(branch)
