"""One experiment, prepared: what training, and the probe of its speed, make of a config."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from core import datasets
from core.architectures import inference_model
from core.architectures.classifier_output import note
from core.architectures.describe import describe_model
from core.architectures.model_check import check_own_model
from core.architectures.transfer import assemble, head_of
from core.config import ExperimentConfig
from core.datasets import ImageDataset, choices
from core.datasets.splits import Split
from core.experiment.preprocessing import needs_mean, training_mean
from core.experiment.pretrained import start_from
from core.schedules import Length, length
from core.system.memory import Memory
from core.tracking.store import RunStore
from core.training.bottleneck import bottleneck_features
from core.training.fitting import Task
from core.training.initialization import initialize
from core.training.models import wrap
from core.training.pipeline import Batches
from core.training.regularization import regularized
from core.training.resident import Resident, resident


@dataclass(frozen=True)
class Data:
    """The images of a run: its dataset, how that is split, and how many steps follow from it."""

    dataset: ImageDataset
    split: Split
    length: Length


@dataclass(frozen=True)
class Cost:
    """What the model that is saved costs, and what training it takes.

    macs: multiply-accumulates for one image.
    """

    parameters: int
    trainable_parameters: int
    macs: int
    memory: Memory


@dataclass(frozen=True)
class Experiment:
    """Everything that `fit` and the evaluation take.

    Attributes:
        config: with its preprocessing decided.
        inputs: what the model that trains takes of each image of the dataset: its pixels, or the outputs of a
            frozen backbone (bottleneck features).
        deployable: the model from pixels to probabilities; shares its weights with the one that trains.
    """

    config: ExperimentConfig
    data: Data
    task: Task
    deployable: keras.Model
    inputs: np.ndarray
    cost: Cost


def load_data(config: ExperimentConfig) -> Data:
    """Load a config's dataset and split it."""
    dataset = datasets.load(config.data.name, grey=config.data.grey)
    split = choices.split_for(dataset, config.data)
    return Data(dataset, split, length(config, len(split.train)))


def prepare_experiment(
    config: ExperimentConfig,
    data: Data,
    store: RunStore,
    initializes: bool = True,
    built: Callable[[ExperimentConfig, Cost, keras.Model], None] = lambda *_: None,
    computes_features: Callable[[], None] = lambda: None,
) -> Experiment:
    """Build the models and batches of a run, on the devices that are set up.

    Args:
        store: of the runs whose weights the config may start from.
        initializes: whether weights that start at random are fitted to the images first; not where a
            checkpoint will replace them.
        built: called with the config, the cost and the network, before images are copied to a device or
            features are computed.
        computes_features: called before the outputs of a frozen backbone are computed.

    Raises:
        ModelError, ValueError: the model cannot be trained on these images.
    """
    dataset, split = data.dataset, data.split
    network = assemble(
        config.model, choices.cropped_shape(config, dataset.info.shape), dataset.info.num_classes
    )
    network = regularized(network, config.regularization)
    config = start_from(network, config, store)
    check_own_model(config.model.name, network, config.data.preprocessing)
    if (added := note(inference_model(network))) is not None:
        print(added)
    mean = training_mean(dataset.images, split.train) if needs_mean(config.data) else None
    if config.model.weights == "none" and initializes:
        initialize(network, config, dataset.images, split.train, mean)
    cost = cost_of(network, config)
    built(config, cost, network)
    held = None
    if not config.model.bottleneck:
        held = resident(dataset.images, split, config.training, cost.memory.total)
    model, deployable = wrap(network, config, dataset.info.shape, mean, held)
    inputs, macs = dataset.images, cost.macs
    if config.model.bottleneck:
        computes_features()
        inputs = bottleneck_features(network, config, dataset, mean, store.settings)
        model = head_of(network)
        macs = describe_model(model).macs
    training, validation = batches(
        inputs, dataset.labels, split, config.training.images_per_step, config.seed, held,
        least=config.training.devices,
    )  # fmt: skip
    weights = choices.weights(dataset, split.train, config.data)
    task = Task(config, model, network, macs, training, validation, data.length, weights)
    return Experiment(config, data, task, deployable, inputs, cost)


def cost_of(network: keras.Model, config: ExperimentConfig) -> Cost:
    """Count what a network costs, and estimate the memory that training it takes on all its devices."""
    batch_size, devices = config.training.images_per_step, config.training.devices
    facts = describe_model(inference_model(network), batch_size, config.optimizer.state_per_weight)
    fixed = facts.memory.total - batch_size * facts.memory.per_image
    memory = Memory(fixed * devices, facts.memory.per_image, batch_size, devices)
    return Cost(facts.total_parameters, facts.trainable_parameters, facts.macs, memory)


def batches(
    images: np.ndarray,
    labels: np.ndarray,
    split: Split,
    batch_size: int,
    seed: int,
    held: Resident | None = None,
    least: int = 1,
) -> tuple[Batches, Batches]:
    """Those that train and those that validate: of images, or of the rows of those that the device holds.

    A last batch that trains is at least half a batch: batch normalization would learn from a single image.
    least: as `Batches` takes it.
    """
    if held is None:
        train, validation = split.train, split.validation
    else:
        images, labels = np.arange(len(held.rows), dtype="int32"), labels[held.rows]
        train, validation = held.positions(split.train), held.positions(split.validation)
    return (
        Batches(images, labels, train, batch_size, seed, least=max(least, batch_size // 2)),
        Batches(images, labels, validation, batch_size, least=least),
    )
