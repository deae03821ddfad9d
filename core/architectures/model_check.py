"""Checks a user-defined model before it trains: its outputs, its initial weights, whether it loads again.

`core.architectures.classifier_output` has checked its shapes and its last activation when it was built.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.architectures import architectures, inference_model
from core.architectures.classifier_output import ModelError, output_activation
from core.lazy import LazyModule
from core.system.plugin_files import PACKAGE, imports_of
from core.tracking.model_files import layer_sources, registered_in

if TYPE_CHECKING:
    import keras
else:
    keras = LazyModule("keras")

IMAGES = 4
SUM_TOLERANCE = 0.01  # of the probabilities of an image, which half precision rounds
# Range of an image's values by preprocessing; 1 for all others.
RANGES = {"caffe": 255.0, "tf": 2.0, "standardize": 3.5, "torch": 4.4}
KERNEL_INITIALIZERS = ("kernel_initializer", "depthwise_initializer", "pointwise_initializer")
PROBABILITIES = ("softmax", "sigmoid")
RANDOM_LAYERS = ("Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout")
LEAST_RANGE = 0.05  # of the input of the first weights; 1/255 of the smallest range above is 0.004


def check_own_model(name: str, model: keras.Model, preprocessing: str) -> None:
    """Raise ModelError when a user-defined model must not be trained.

    Args:
        name: of its registered architecture; those of the program pass unchecked.
        model: built, with weights.
        preprocessing: as `data.preprocessing`, applied to the model's images first.
    """
    if architectures.origin(name) is not None:
        check_model(name, inference_model(model), preprocessing)


def check_model(name: str, model: keras.Model, preprocessing: str) -> None:
    """Run all checks; raises ModelError with one sentence for the first that fails."""
    images = np.random.default_rng(0).uniform(size=(IMAGES, *model.input_shape[1:])).astype("float32")
    images = images * RANGES.get(preprocessing, 1.0)
    _check_scale(name, model, images, preprocessing)
    _check_end(name, model)
    answers = _answers(model, images)
    _check_probabilities(name, answers)
    _check_probabilities(name, _answers_in_training(model, images), "in training")
    _check_starts(name, model)
    _check_loads(name, model, images, answers)
    _check_sources(name, model)


def _answers(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(model(images, training=False)), "float32")


def _answers_in_training(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the outputs of a training step without changing moving averages and seeds of the model."""
    answers, _ = model.stateless_call(
        model.trainable_variables, model.non_trainable_variables, images, training=True
    )
    return np.asarray(keras.ops.convert_to_numpy(answers), "float32")


def _check_end(name: str, model: keras.Model) -> None:
    """Check that nothing changes the probabilities after the last activation, and that it reads logits."""
    ending = output_activation(model.outputs[0])
    if ending.activation not in PROBABILITIES:
        return
    for operation in ending.passed:
        if type(operation).__name__ in RANDOM_LAYERS:
            raise ModelError(
                f"{name} changes its probabilities at random while it trains, in the layer "
                f"'{operation.name}' ({type(operation).__name__}) after {ending.label}. Put it before the "
                "last layer with weights."
            )
    if ending.before is not None:
        before = output_activation(ending.before)
        if before.activation in PROBABILITIES:
            raise ModelError(
                f"{name} applies {ending.activation} in {ending.label} to values that {before.activation} in "
                f"{before.label} brought between 0 and 1, so no class can become certain. Remove the first."
            )


def _check_probabilities(name: str, answers: np.ndarray, when: str = "") -> None:
    if not np.isfinite(answers).all():
        raise ModelError(
            f"{name} outputs NaN or infinite values for random images{when or ' before any training'}."
        )
    sums = answers.sum(axis=1)
    fits = answers.shape[1] == 1 or np.abs(sums - 1).max() < SUM_TOLERANCE
    if answers.min() < 0 or answers.max() > 1 + SUM_TOLERANCE or not fits:
        raise ModelError(
            f"{name} must output probabilities that sum to 1: end it with softmax, or with a layer without "
            f"activation for logits. Received {when}: values of {answers.min():.3g} to {answers.max():.3g} "
            f"that sum to {sums.min():.3g} and more."
        )


def _check_scale(name: str, model: keras.Model, images: np.ndarray, preprocessing: str) -> None:
    """Check that the model does not rescale preprocessed images, which would make all values nearly equal."""
    for operation, values in _first_weighted(model, images):
        spread = float(np.ptp(values))
        if spread < LEAST_RANGE:
            raise ModelError(
                f"{name} scales pixels a second time: values that data.preprocessing {preprocessing} spreads "
                f"over {np.ptp(images):.3g} reach the layer '{operation}' within {spread:.2g}. Remove the "
                "Rescaling, or the division, at its beginning."
            )


def _first_weighted(model: keras.Model, images: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the first layers with weights after the image, and their inputs; nested models are unfolded."""
    graph = model._functional if isinstance(model, keras.Sequential) else model
    known = {id(graph.inputs[0]): images}
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            if node.is_input or any(id(tensor) not in known for tensor in node.input_tensors):
                continue
            operation, values = node.operation, known[id(node.input_tensors[0])]
            if not getattr(operation, "weights", None):
                arguments, others = _filled(node, known)
                results = operation(*arguments, **others)
                for tensor, result in zip(node.outputs, keras.tree.flatten(results), strict=True):
                    known[id(tensor)] = keras.ops.convert_to_numpy(result)
            elif isinstance(operation, keras.Model):
                yield from _first_weighted(operation, values)
            else:
                yield operation.name, values


def _filled(node: Any, known: dict[int, np.ndarray]) -> tuple[Any, Any]:
    """Return the arguments of a call with values in place of its tensors."""

    def value(one: Any) -> Any:
        return keras.ops.convert_to_tensor(known[id(one)]) if isinstance(one, keras.KerasTensor) else one

    return keras.tree.map_structure(value, (node.arguments.args, node.arguments.kwargs))


def _check_starts(name: str, model: keras.Model) -> None:
    """Check that no layers share an initializer or seed: these are stateless and give equal weights."""
    seen: dict[int | tuple[str, int], str] = {}
    for layer in model._flatten_layers(include_self=False):
        for attribute, initializer in vars(layer).items():
            if not attribute.endswith(KERNEL_INITIALIZERS) or not hasattr(initializer, "seed"):
                continue
            seed = initializer.get_config().get("seed")
            if isinstance(seed, dict):  # a generator, which draws other numbers for each layer
                continue
            # The distribution changes the scale of the numbers, not their order.
            key = id(initializer) if seed is None else ("seed", seed)
            if key in seen and seen[key] != layer.name:
                raise ModelError(
                    f"{name}: the weights of the layers '{seen[key]}' and '{layer.name}' start with the same "
                    "random numbers, because they share an initializer or its seed. Give each layer its own."
                )
            seen[key] = layer.name


def _check_loads(name: str, model: keras.Model, images: np.ndarray, answers: np.ndarray) -> None:
    """Check that the model has the same outputs after it was saved and loaded again."""
    hint = (
        "Build it of Keras' layers and keras.ops, or put its own layers, with register_keras_serializable "
        "and get_config, into a file of the folder whose name begins with an underscore."
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        try:
            for kind in _unreachable(model):
                raise ModelError(f"its {kind} is known only where the model was built")
            model.save(path)
            loaded = keras.saving.load_model(path, compile=False, safe_mode=True)
            again = _answers(loaded, images)
        except Exception as error:  # of Keras, or of code of the model's author
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ModelError(
                f"{name} cannot be saved and loaded again ({reason}), so it could never predict. {hint}"
            ) from error
    if not np.allclose(again, answers, atol=1e-3):
        raise ModelError(
            f"{name} has other outputs after it was saved and loaded, by up to "
            f"{np.abs(again - answers).max():.2g} on random images. {hint}"
        )


def _check_sources(name: str, model: keras.Model) -> None:
    """Check the files of its layers: they are saved with the model and must load without this program."""
    for file in layer_sources(model):
        for module in sorted(imports_of(file)):
            if module.partition(".")[0] in ("core", PACKAGE):
                raise ModelError(
                    f"{name} could not be loaded without this program: {file.name} imports {module}. Files "
                    "with layers may import installed packages and files beside them (`from . import _more`)."
                )


def _unreachable(model: keras.Model) -> Iterator[str]:
    """Yield registered classes and functions that a process that loads the model would not import."""
    for named, found in registered_in(model):
        if not getattr(found, "__module__", "").startswith(("core.", f"{PACKAGE}._", "keras")):
            yield f"'{named}'"
