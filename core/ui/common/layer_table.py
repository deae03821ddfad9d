"""The cost of a model, in total and layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.architectures.description import Description, LayerDescription
from core.figures.block_diagram import compact
from core.inference.descriptions import PROCESS_MEMORY
from core.system.units import byte_size

NUMBERS = ("parameters", "MACs", "activation bytes", "trainable")
COSTS = ("layer", "output", "parameters", "MACs", "type", "window", "activation bytes")
TRANSFER = ("layer", "output", "parameters", "trainable", "frozen")


def totals(description: Description) -> None:
    """Draw the counts of the whole model, in one row."""
    memory = description.memory
    parts = ("weights", "gradients", "optimizer", "activations", "workspace", "graph")
    shares = ", ".join(f"{part} {byte_size(getattr(memory, part))}" for part in parts)
    row = {
        "Parameters": (compact(description.total_parameters), f"{description.total_parameters:,}"),
        "Trainable": (compact(description.trainable_parameters), f"{description.trainable_parameters:,}"),
        "MACs": (compact(description.macs), f"{description.macs:,} multiply-accumulates for one image."),
        "Depth": (f"{description.depth}", "Layers with multiply-accumulates on the longest path."),
        "Receptive field": (f"{description.receptive_field} px", "Of one position of the last map."),
        "Memory": (
            byte_size(memory.total),
            f"To train with Adam at batch size {memory.batch_size}: {shares}. {PROCESS_MEMORY}",
        ),
    }
    for column, (label, (value, explanation)) in zip(st.columns(len(row)), row.items(), strict=True):
        column.metric(label, value, help=explanation)


def summary(description: Description) -> None:
    """Draw the counts of the whole model in one line, for a narrow column."""
    st.caption(
        f"{description.total_parameters:,} parameters · {description.macs:,} multiply-accumulates · "
        f"receptive field {description.receptive_field} px"
    )


def layers(description: Description, height: int = 420, columns: Sequence[str] = COSTS) -> None:
    """Draw one row per layer, in the order of computation. columns: of `frame`."""
    table = frame(description)[list(columns)]
    numbers = {name: st.column_config.NumberColumn(format="localized") for name in NUMBERS if name in columns}
    st.dataframe(table, hide_index=True, column_config=numbers, height=min(38 + 35 * len(table), height))


def frame(description: Description) -> pd.DataFrame:
    """Return one row per layer; `frozen` where it has parameters and none of them is trained."""
    return pd.DataFrame(
        {
            "layer": [layer.name for layer in description.layers],
            "output": [times(layer.output_shape) for layer in description.layers],
            "parameters": [layer.parameters for layer in description.layers],
            "MACs": [layer.macs for layer in description.layers],
            "type": [layer.type for layer in description.layers],
            "window": [_window(layer) for layer in description.layers],
            "activation bytes": [layer.activation_bytes for layer in description.layers],
            "trainable": [layer.trainable_parameters for layer in description.layers],
            "frozen": [
                bool(layer.parameters) and not layer.trainable_parameters for layer in description.layers
            ],
        }
    )


def _window(layer: LayerDescription) -> str:
    """`7×7 / 2` for a window of seven that moves by two."""
    if not layer.window:
        return ""
    moves = max(layer.strides)
    return times(layer.window) + (f" / {moves}" if moves > 1 else "")


def times(shape: Any) -> str:
    return "×".join(map(str, shape))
