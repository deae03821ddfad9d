"""What a model costs, as data: parameters, multiply-accumulates, receptive field, depth, training memory.

Made by `core.architectures.describe`, which needs Keras; read by pages, caches and commands, which do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from core.architectures import Shape
from core.system.records import from_json_values, to_json_values


@dataclass(frozen=True)
class LayerDescription:
    """One layer applied to one image.

    output_shape: without the batch dimension. macs: multiply-accumulates of the weights, without biases and
    normalisation. connections: the same with biases, as older papers count them. activation_bytes: size of
    the output. trainable_parameters: 0 in a frozen layer. inputs: positions in `Description.layers` of the
    layers whose outputs it reads; empty for a layer that reads the image. window, strides: height and width
    of a kernel or pool; empty for other layers.
    """

    name: str
    type: str
    output_shape: tuple[int, ...]
    parameters: int
    trainable_parameters: int = 0
    macs: int = 0
    connections: int = 0
    activation_bytes: int = 0
    inputs: tuple[int, ...] = ()
    window: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that a training step adds to a process that has already trained a small model.

    activations: layer outputs that the backward pass needs. workspace: the two largest gradients of
    activations alive at once, and three intermediate results of the largest weight's update. graph: the
    traced program, in host memory on any device. per_image: bytes per further image of the batch.
    """

    batch_size: int
    weights: int = 0
    gradients: int = 0
    optimizer: int = 0
    activations: int = 0
    workspace: int = 0
    graph: int = 0
    per_image: int = 0

    @property
    def total(self) -> int:
        return sum(
            (self.weights, self.gradients, self.optimizer, self.activations, self.workspace, self.graph)
        )


@dataclass(frozen=True)
class Description:
    """What a model costs. Auxiliary classifiers count where the model was built with them.

    macs: multiply-accumulates for one image. receptive_field: side in pixels of the square of the input that
    one position of the last feature map sees, borders ignored. depth: layers with multiply-accumulates
    (convolutions, dense layers and the like, not normalisation) on the longest path from image to output.
    layers: in the order in which they compute.
    """

    name: str
    input_shape: Shape
    classes: int
    total_parameters: int
    trainable_parameters: int
    macs: int
    receptive_field: int
    depth: int
    layers: tuple[LayerDescription, ...]
    memory: MemoryEstimate

    @property
    def non_trainable_parameters(self) -> int:
        return self.total_parameters - self.trainable_parameters

    def at_batch_size(self, batch_size: int) -> Description:
        """Return the description with its memory at another batch size, computed without the model."""
        if self.memory.batch_size == batch_size:
            return self
        memory, more = self.memory, batch_size - self.memory.batch_size
        activations = memory.activations // memory.batch_size  # of one image
        changed = replace(
            memory,
            batch_size=batch_size,
            activations=memory.activations + more * activations,
            workspace=memory.workspace + more * (memory.per_image - activations),
        )
        return replace(self, memory=changed)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that `json` writes, the derived numbers included."""
        memory = {**asdict(self.memory), "total": self.memory.total}
        derived = {"non_trainable_parameters": self.non_trainable_parameters, "memory": memory}
        return {**to_json_values(Description, self), **derived}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Description:
        """Read what `to_dict` returned, in this version of the program or another one.

        Unknown keys are ignored; absent ones get their defaults. Raises ValueError where a key without a
        default is absent or a value has another type.
        """
        return from_json_values(Description, values)
