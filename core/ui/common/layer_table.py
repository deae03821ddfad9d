"""What a net costs, in all and layer by layer. `facts`: as `core.architectures.describe` gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from core.figures.block_diagram import compact
from core.inference.descriptions import PROCESS_MEMORY
from core.system.units import byte_size

NUMBERS = ("parameters", "MACs", "activation bytes")


def totals(facts: Mapping[str, Any]) -> None:
    """The counts of the whole net, in one row."""
    memory = facts["memory"]
    parts = ("weights", "gradients", "optimizer", "activations", "workspace", "graph")
    shares = ", ".join(f"{part} {byte_size(memory[part])}" for part in parts)
    row = {
        "Parameters": (compact(facts["total_parameters"]), f"{facts['total_parameters']:,}"),
        "Trainable": (compact(facts["trainable_parameters"]), f"{facts['trainable_parameters']:,}"),
        "MACs": (compact(facts["macs"]), f"{facts['macs']:,} multiply-accumulates for one image."),
        "Depth": (f"{facts['depth']}", "Layers with multiply-accumulates on the longest path."),
        "Receptive field": (f"{facts['receptive_field']} px", "Of one position of the last map."),
        "Memory": (
            byte_size(memory["total"]),
            f"To train with Adam at batch size {memory['batch_size']}: {shares}. {PROCESS_MEMORY}",
        ),
    }
    for column, (label, (value, explanation)) in zip(st.columns(len(row)), row.items(), strict=True):
        column.metric(label, value, help=explanation)


def summary(facts: Mapping[str, Any]) -> None:
    """The counts of the whole net in one line, for a narrow column."""
    st.caption(
        f"{facts['total_parameters']:,} parameters · {facts['macs']:,} multiply-accumulates · "
        f"receptive field {facts['receptive_field']} px"
    )


def layers(facts: Mapping[str, Any], height: int = 420) -> None:
    """One row a layer, in the order in which they compute."""
    table = pd.DataFrame(
        {
            "layer": [layer["name"] for layer in facts["layers"]],
            "output": [times(layer["output_shape"]) for layer in facts["layers"]],
            "parameters": [layer["parameters"] for layer in facts["layers"]],
            "MACs": [layer["macs"] for layer in facts["layers"]],
            "type": [layer["type"] for layer in facts["layers"]],
            "window": [_window(layer) for layer in facts["layers"]],
            "activation bytes": [layer["activation_bytes"] for layer in facts["layers"]],
        }
    )
    numbers = {name: st.column_config.NumberColumn(format="localized") for name in NUMBERS}
    st.dataframe(table, hide_index=True, column_config=numbers, height=min(38 + 35 * len(table), height))


def _window(layer: Mapping[str, Any]) -> str:
    """`7×7 / 2` for a window of seven that moves by two."""
    if not layer["window"]:
        return ""
    moves = max(layer["strides"])
    return times(layer["window"]) + (f" / {moves}" if moves > 1 else "")


def times(shape: Any) -> str:
    return "×".join(map(str, shape))
