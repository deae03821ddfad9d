"""The export as a script: a Python file that repeats a run without this program, and its images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from pprint import pformat
from typing import Any

import keras
import numpy as np

from core import schedules
from core.config import AugmentationConfig, ExperimentConfig, RegularizationConfig
from core.datasets.versions import split_fingerprint
from core.exporting.messages import Report
from core.exporting.original import Refused, require_finished
from core.tracking import schema
from core.tracking.store import RunStore
from core.training.batch_statistics import limit_momentum
from core.training.experiment import Data, load_data, prepare_experiment
from core.training.losses import make_loss
from core.training.portable import foreign_layers, portable

TEMPLATE = Path(__file__).with_name("script_files") / "train.py"
MOST_STEPS = 50_000  # whose rates are written into the script
MOST_BYTES = 1 << 30  # of images that are written beside it
SAID = (
    "The script starts from the weights that this version of the program draws for the run's seed, and takes "
    "the images in the same order. It computes in float32; rounding makes both differ more from epoch to "
    "epoch."
)
PLAIN = {  # a setting that the script cannot say, with the value that it has there
    "data.imbalance": "as_is",
    "model.weights": "none",
    "model.freeze": "none",
    "model.bottleneck": False,
    "optimizer.ema": 0.0,
    "schedule.plateau_patience": 0,
    "training.early_stopping": 0,
    "training.steps": 0,
    "training.devices": 1,
    "training.label_smoothing": 0.0,
    "training.loss": "cross_entropy",
}


def write(store: RunStore, run_id: str, path: Path) -> Report:
    """Write `train.py` and `data.npz` into a folder.

    The script starts from the weights that this program draws for the run's seed, which is checked here; that
    they were the same when the run started is not. Raises Refused.
    """
    config = _config(store, run_id)
    config = config.with_values({"training.images_on_device": "off"})
    keras.config.set_dtype_policy("float32")
    keras.utils.set_random_seed(config.seed)
    data = load_data(config)
    logged = store.run(run_id).data.params
    now = {schema.FINGERPRINT: data.dataset.info.fingerprint, schema.SPLIT: split_fingerprint(data.split)}
    if any(logged.get(name) != value for name, value in now.items()):
        raise Refused("The dataset of the run was replaced or edited since, or how it is split.")
    sets = {"train": data.split.train, "validation": data.split.validation, "test": data.split.test}
    rows = np.unique(np.concatenate([*sets.values()]))  # others of the dataset were left out
    if len(rows) * data.dataset.images[0].nbytes > MOST_BYTES:
        raise Refused(
            f"The images take more than {MOST_BYTES >> 30} GiB, too much to write beside the script."
        )
    experiment = prepare_experiment(config, data, store)
    model = experiment.task.model
    limit_momentum(model, data.length, config.training.images_per_step)
    if not type(model).__module__.startswith("keras."):
        raise Refused("The model trains several outputs at once, which the script does not say.")
    plain = portable(model)
    if foreign := foreign_layers(plain):
        names = ", ".join(kind.__name__ for kind in foreign)
        raise Refused(f"The model has layers that Keras lacks: {names}.")
    text = model_text(plain, model)
    _check_start(model, text)
    path.mkdir()
    (path / "train.py").write_text(_script(config, experiment.config, data, model, text), encoding="utf-8")
    among: dict[str, Any] = {name: np.searchsorted(rows, one) for name, one in sets.items()}
    images, labels = np.asarray(data.dataset.images[rows]), data.dataset.labels[rows]
    np.savez_compressed(path / "data.npz", images=images, labels=labels, **among)
    return Report(said=(SAID,))


def _config(store: RunStore, run_id: str) -> ExperimentConfig:
    """The config of a run that the script can say. Raises Refused."""
    require_finished(store, run_id)
    if schema.EXTENDS in store.state(run_id).tags:
        raise Refused(
            "The run continues the training of another run, from weights that the script does not have."
        )
    config = store.config(run_id)
    for sentence in refusals(config):
        raise Refused(sentence)
    return config


def refusals(config: ExperimentConfig) -> Iterator[str]:
    """Say what of a config the script cannot say."""
    flat = config.flat()
    for name, plain in PLAIN.items():
        if flat[name] != plain:
            yield f"The script can only have {name} {plain}, and the run has {flat[name]}."
    if config.augmentation != AugmentationConfig():
        changed = ", ".join(config.augmentation.model_dump(exclude_defaults=True))
        yield f"The run augments its images ({changed}), which the script does not do."
    factors = config.regularization.model_copy(update={"dropout": 0.0})
    if factors != RegularizationConfig():
        yield "The run has L2 penalties, which the script does not have."
    if config.schedule.component.tests_rates:
        yield "The run only tried learning rates: there is no training to repeat."


def model_text(plain: keras.Model, model: keras.Model) -> str:
    """Return a model as JSON, with the seeds by which the model that trains starts and drops out.

    plain: the model in Keras' own layers, by the same names.
    """
    tree = json.loads(plain.to_json())
    layers = {layer.name: layer for layer in model._flatten_layers(include_self=False)}
    for config in _configs(tree):
        layer = layers.get(config.get("name"))
        for key, value in config.items():
            if key.endswith("_initializer") and isinstance(value, dict) and "seed" in value.get("config", {}):
                value["config"]["seed"] = getattr(getattr(layer, key, None), "seed", None)
        generator = getattr(layer, "seed_generator", None)
        if "seed" in config and generator is not None:
            config["seed"] = int(generator._initial_seed)
    return json.dumps(tree)


def _configs(tree: Any) -> Iterator[dict[str, Any]]:
    """The configs of all layers in a model's JSON."""
    if isinstance(tree, dict):
        if "class_name" in tree and isinstance(tree.get("config"), dict) and "name" in tree["config"]:
            yield tree["config"]
        for branch in tree.values():
            yield from _configs(branch)
    elif isinstance(tree, list):
        for branch in tree:
            yield from _configs(branch)


def _check_start(model: keras.Model, text: str) -> None:
    again = keras.models.model_from_json(text)
    pairs = zip(model.get_weights(), again.get_weights(), strict=True)
    if not all(np.array_equal(one, other) for one, other in pairs):
        raise Refused(
            "The weights that the run started from are not those that Keras draws: its architecture sets "
            "them in a way of its own."
        )


def _script(
    config: ExperimentConfig, decided: ExperimentConfig, data: Data, model: keras.Model, text: str
) -> str:
    steps = data.length.total
    if config.schedule.name == "constant" and not config.schedule.warmup_epochs:
        rates = [config.optimizer.learning_rate]
    elif steps > MOST_STEPS:
        raise Refused(
            f"The learning rate of {steps:,} steps is too long to write; at most {MOST_STEPS:,} are."
        )
    else:
        every = schedules.learning_rate(decided, data.length, np.arange(steps, dtype="float32"), np)
        rates = [float(f"{rate:.8g}") for rate in np.broadcast_to(every, steps)]
    part = config.optimizer
    optimizer = part.component.build(
        part.values,
        learning_rate=rates[0],
        weight_decay=part.weight_decay or None,
        global_clipnorm=part.clip_norm or None,
        clipvalue=part.clip_value or None,
    )
    if not type(optimizer).__module__.startswith("keras."):
        raise Refused(f"The optimizer {part.name} does not come with Keras.")
    settings = {
        "name": config.title,
        "seed": config.seed,
        "epochs": config.training.epochs,
        "batch_size": config.training.images_per_step,
        "loss": make_loss(config.training, model.output_shape[-1]),
        "keep": config.training.keep,
        "optimizer": keras.optimizers.serialize(optimizer),
        "rates": rates,
    }
    filled = TEMPLATE.read_text(encoding="utf-8")
    said = pformat(settings, width=110, compact=True, sort_dicts=False)
    for empty, value in (("SETTINGS: dict[str, Any] = {}", said), ('MODEL = ""', repr(text))):
        assert filled.count(empty) == 1
        filled = filled.replace(empty, f"{empty.partition('=')[0]}= {value}")
    return filled
