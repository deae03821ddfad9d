"""What a model starts from: ImageNet's weights, a file of the weights folder, or a finished run.

Importing this module does not import Keras: a launch checks with it what the training will need.
"""

from __future__ import annotations

import http.client
import importlib
import json
import os
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.architectures.imagenet import KERAS_APPLICATIONS, NamedWeights, imagenet_weights
from core.architectures.transfer import backbone_layers, backbone_of, named_layers
from core.components.preprocessing import preprocessings
from core.config import DEFAULT_PREPROCESSING, ExperimentConfig, ModelConfig
from core.datasets.keras_source import keras_home
from core.lazy import LazyModule
from core.system.settings import Settings, absolute
from core.tracking import schema
from core.tracking.store import RunStore

if TYPE_CHECKING:
    import keras
else:
    keras = LazyModule("keras")

RUN = "run:"
SUFFIXES = (".keras", ".weights.h5")
REACH_S = 10.0  # how long a launch waits for the server that has ImageNet's weights


class WeightsError(ValueError):
    """Weights that cannot be had or do not fit; the message says which, why and what to do."""


@dataclass(frozen=True)
class Pretrained:
    """Weights by layer. preprocessing: of the images they were trained with; None: not said."""

    source: str
    weights: NamedWeights
    preprocessing: str | None


def check_weights(config: ExperimentConfig, store: RunStore) -> str:
    """Return the preprocessing that images will go through; never `auto`.

    Raises WeightsError, or UnknownRun, when `model.weights` names nothing that could be loaded.
    """
    model = config.model
    if model.weights == "none":
        return expected_preprocessing(config, None)
    if model.weights == "imagenet":
        if model.name not in KERAS_APPLICATIONS:
            known = ", ".join(KERAS_APPLICATIONS)
            raise WeightsError(f"ImageNet weights exist for {known}. Received: model.name {model.name}.")
        return expected_preprocessing(config, KERAS_APPLICATIONS[model.name].preprocessing)
    if model.weights.startswith(RUN):
        state = store.state(run_of(model, store))
        if state.status != schema.FINISHED:
            raise WeightsError(f"'{state.name}' is {state.status}; only a finished run has weights to take.")
        if schema.NUMBER not in state.tags:
            raise WeightsError(f"'{state.name}' was logged by another program; it has no model to take from.")
        brought = logged_preprocessing(store, state.run_id)
        if store.config(state.run_id).schedule.component.tests_rates:
            raise WeightsError(f"'{state.name}' only tried learning rates; it has no model to take from.")
        return expected_preprocessing(config, brought)
    path = weights_file(model.weights, store.settings)
    expected = saved_preprocessing(path, f"the file {path.name}") if path.suffix == ".keras" else None
    return expected_preprocessing(config, expected)


def require_obtainable(model: ModelConfig) -> None:
    """Raise WeightsError when ImageNet's weights are neither in Keras' cache nor within reach."""
    if model.weights != "imagenet":
        return
    twin = KERAS_APPLICATIONS[model.name]
    if (keras_home() / "models" / twin.file).exists():
        return
    try:
        urllib.request.urlopen(urllib.request.Request(twin.address, method="HEAD"), timeout=REACH_S).close()
    except (OSError, http.client.HTTPException) as error:
        raise unobtainable(model.name, error) from None


def unobtainable(name: str, error: Exception) -> WeightsError:
    twin = KERAS_APPLICATIONS[name]
    reason = " ".join(str(error).split()) or type(error).__name__
    return WeightsError(
        f"The ImageNet weights of {name} could not be loaded ({reason}): put {twin.address} into "
        f"{keras_home() / 'models'}, or choose another model.weights."
    )


def run_of(model: ModelConfig, store: RunStore) -> str:
    """The id of the run in `model.weights`, of which the beginning is enough. Raises UnknownRun."""
    return store.resolve(model.weights.removeprefix(RUN))


def weights_file(name: str, settings: Settings) -> Path:
    """The file of the weights folder that a name means; never one outside. Raises WeightsError."""
    folder = absolute(settings.weights)
    if not name.endswith(SUFFIXES):
        raise WeightsError(
            "model.weights must be none, imagenet, run:ID, or a file of the weights folder that ends in "
            f".keras or .weights.h5. Received: {name!r}."
        )
    path = absolute(folder / name)
    if not path.is_relative_to(folder):
        raise WeightsError(f"A weights file must lie in {folder}. Received: {name!r}.")
    if not os.path.isfile(path):  # unlike Path.is_file it takes a name of any length
        raise WeightsError(f"There is no weights file {path}: put it there.")
    return path


def start_from(net: keras.Model, config: ExperimentConfig, store: RunStore) -> ExperimentConfig:
    """Give the model the weights that its config names; returns the config with the preprocessing chosen.

    Raises WeightsError when they cannot be had, or a layer has other shapes there than here.
    """
    if config.model.weights == "none":
        return config.with_values({"data.preprocessing": expected_preprocessing(config, None)})
    found = load(net, config, store)
    taken = take_weights(net, found, config.model.weights_layers)
    preprocessing = expected_preprocessing(config, found.preprocessing)
    print(
        f"weights of {found.source}: {len(taken)} layers, {taken[0]} to {taken[-1]}; "
        f"preprocessing {preprocessing}"
    )
    return config.with_values({"data.preprocessing": preprocessing})


def expected_preprocessing(config: ExperimentConfig, expected: str | None) -> str:
    """Return the config's preprocessing; for `auto` what the weights expect, `scale` where they do not say.

    expected: what the weights expect; None: not said. Raises WeightsError when the config names another one.
    """
    chosen = config.data.preprocessing
    if chosen == "auto":
        return expected or DEFAULT_PREPROCESSING
    if chosen != (expected or chosen):
        raise WeightsError(
            f"These weights expect images with data.preprocessing {expected}. Received: {chosen}."
        )
    return chosen


def load(net: keras.Model, config: ExperimentConfig, store: RunStore) -> Pretrained:
    check_weights(config, store)
    model = config.model
    if model.weights == "imagenet":
        try:
            weights = imagenet_weights(model.name, backbone_of(net))
        except Exception as error:  # Keras raises a bare Exception when a download fails
            raise unobtainable(model.name, error) from None
        return Pretrained("ImageNet", weights, KERAS_APPLICATIONS[model.name].preprocessing)
    if model.weights.startswith(RUN):
        run_id = run_of(model, store)
        found = from_model(store.models.file(run_id), f"the run {run_id}")
        return (
            found
            if found.preprocessing
            else replace(found, preprocessing=logged_preprocessing(store, run_id))
        )
    path = weights_file(model.weights, store.settings)
    reader = from_model if path.suffix == ".keras" else from_weights_file
    return reader(path, f"the file {path.name}")


def logged_preprocessing(store: RunStore, run_id: str) -> str:
    """The preprocessing that a run had, not what its config asked for: weights may have chosen another.

    Raises WeightsError when the run's files are gone.
    """
    try:
        return store.read_json(run_id, schema.DATA)["preprocessing"]
    except (FileNotFoundError, KeyError):
        pass  # logged before runs wrote it down
    try:
        return expected_preprocessing(store.config(run_id), None)
    except FileNotFoundError as error:
        raise WeightsError(f"{error} Its files are gone, so there are no weights to take.") from None


def from_model(path: Path, source: str) -> Pretrained:
    """Read a saved model in Keras' safe mode: a file can bring weights and layers, never code."""
    importlib.import_module("core.architectures.layers")  # registers the layers that Keras lacks
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise unreadable(source, error) from None
    weights = {
        layer.name: [keras.ops.convert_to_numpy(one) for one in layer.weights]
        for layer in unfolded(model)
        if layer.weights
    }
    return Pretrained(source, weights, saved_preprocessing(path, source))


def saved_preprocessing(path: Path, source: str) -> str | None:
    """The preprocessing inside a `.keras` file, told by its list of layers; None: none of ours."""
    try:
        with zipfile.ZipFile(path) as file:
            tree = json.loads(file.read("config.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise unreadable(source, error) from None
    return next(preprocessing_layers(tree), None)


def preprocessing_layers(tree: Any) -> Iterator[str]:
    """Names of the layers of preprocessing in a model's description, those of nested models too."""
    if isinstance(tree, dict):
        config = tree.get("config")
        name = config.get("name") if isinstance(config, dict) else None
        if name in preprocessings and tree.get("class_name") == preprocessings.get(str(name)).layer:
            yield str(name)
        for branch in tree.values():
            yield from preprocessing_layers(branch)
    elif isinstance(tree, list):
        for branch in tree:
            yield from preprocessing_layers(branch)


def from_weights_file(path: Path, source: str) -> Pretrained:
    """Read what `save_weights` wrote, by the names of the layers that it notes."""
    import h5py

    weights: NamedWeights = {}

    def visit(_: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Group) and "name" in item.attrs and len(item):
            weights[str(item.attrs["name"])] = [item[key][()] for key in sorted(item, key=int)]

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except OSError as error:
        raise unreadable(source, error) from None
    return Pretrained(source, weights, None)


def unreadable(source: str, error: Exception) -> WeightsError:
    return WeightsError(f"The weights of {source} cannot be read: {' '.join(str(error).split())[:300]}")


def unfolded(model: keras.Model) -> Iterator[keras.Layer]:
    """The layers of a model and of those nested in it."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from unfolded(layer)
        else:
            yield layer


def take_weights(net: keras.Model, found: Pretrained, names: str) -> list[str]:
    """Copy weights by the layers' names: of the whole backbone, or of the layers in `names`.

    Returns the names of the layers that have them. Raises WeightsError for the first layer that does not fit.
    """
    chosen = (
        named_layers(net.layers, names, "model.weights_layers", net.name) if names else backbone_layers(net)
    )
    targets = [layer for layer in chosen if layer.weights]
    for layer in targets:
        here = [tuple(weight.shape) for weight in layer.weights]
        there = [weight.shape for weight in found.weights.get(layer.name, [])]
        if here != there:
            raise WeightsError(
                f"The weights of {found.source} do not fit {net.name}: its layer {layer.name} holds "
                f"{shapes(here)}. Received: {shapes(there) if there else 'no such layer'}."
            )
    if not targets:
        raise WeightsError(f"model.weights_layers must name layers with weights. Received: {names!r}.")
    for layer in targets:
        layer.set_weights(found.weights[layer.name])
    return [layer.name for layer in targets]


def shapes(weights: list[tuple[int, ...]]) -> str:
    return ", ".join("×".join(map(str, shape)) for shape in weights)
