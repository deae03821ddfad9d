"""An ONNX graph that is being written, and the tensors in it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from core.onnx_form.session import INPUT, OUTPUT

OPSET = 20
IR = 10  # version of the file format, as old as the opset allows

TO_CHANNELS_FIRST, TO_CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
Shape = tuple[int | None, ...]


class NotConvertible(ValueError):
    """A model has no ONNX form; the message is a sentence that says why."""


@dataclass
class Tensor:
    """A tensor of the graph. shape: as Keras has it, channels last.

    Of a tensor of rank 4, `last` names it with channels last and `first` with channels first, as ONNX
    computes convolutions; one of both is made from the other when it is asked for. Other tensors have
    `last` alone.
    """

    graph: Graph
    shape: Shape
    last: str = ""
    first: str = ""

    @property
    def is_first(self) -> bool:
        return bool(self.first)

    def channels_first(self) -> str:
        if not self.first:
            self.first = self.graph.node("Transpose", [self.last], perm=TO_CHANNELS_FIRST)
        return self.first

    def channels_last(self) -> str:
        if not self.last:
            self.last = self.graph.node("Transpose", [self.first], perm=TO_CHANNELS_LAST)
        return self.last

    def in_layout(self, first: bool) -> str:
        return self.channels_first() if first else self.channels_last()


class Graph:
    """Collects nodes and constants; equal constants are kept once."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[Hashable, onnx.TensorProto] = {}
        self._count = 0

    def node(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node with one output; returns the name of that."""
        self._count += 1
        name = f"{kind.lower()}_{self._count}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, value: Any, key: Hashable = None, dtype: str = "float32") -> str:
        """Add a constant; returns its name. key: says that it is the same as an earlier one with this key."""
        array = np.ascontiguousarray(value, dtype)
        key = (array.dtype.str, array.shape, array.tobytes()) if key is None else key
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._constants[key] = numpy_helper.from_array(array, name)
        return self._constants[key].name

    def integers(self, *values: int) -> str:
        return self.constant(values, dtype="int64")

    def model(self, image_shape: Shape, output: Tensor, metadata: dict[str, str]) -> onnx.ModelProto:
        """Return the finished model. image_shape: `(H, W, C)` of its uint8 input."""
        self._nodes.append(helper.make_node("Identity", [output.channels_last()], [OUTPUT], name=OUTPUT))
        graph = helper.make_graph(
            self._nodes,
            "model",
            [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", *image_shape])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", *output.shape[1:]])],
            list(self._constants.values()),
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="archlab"
        )
        helper.set_model_props(model, metadata)
        return model
