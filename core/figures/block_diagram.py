"""How is a model built? Its blocks from the image to the output, in Graphviz' DOT language."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from core.analysis.blocks import Block, step
from core.architectures.description import LayerDescription

FILLS = {  # tints of the palette with enough contrast to black text in either theme
    "layer": "#DCEBF5",
    "residual": "#D5EFE6",
    "parallel": "#FBEBCB",
    "stage": "#E9E2F3",
    "auxiliary": "#EEEEEE",
}
PLAIN = "#F4F4F4"  # blocks without parameters and branches


def draw(blocks: Sequence[Block], input_shape: Sequence[int]) -> str:
    """Draw a column of boxes, auxiliary classifiers beside it. A box for n equal blocks is marked ×n."""
    lines = [_header(), f"image [label={_label('image', [], input_shape)}, fillcolor={_quoted(PLAIN)}]"]
    before = "image"
    for index, block in enumerate(blocks):
        name = f"block{index}"
        fill = FILLS[block.kind] if block.parameters or block.kind != "layer" else PLAIN
        dashed = ', style="filled,rounded,dashed"' if block.after is not None else ""
        lines.append(f"{name} [label={_block_label(block)}, fillcolor={_quoted(fill)}{dashed}]")
        if block.after is None:
            lines.append(f"{before} -> {name} [weight=9]")
            before = name
        else:
            lines.append(f"block{block.after} -> {name} [style=dashed]")
    return "\n".join([*lines, "}"])


def draw_inside(layers: Sequence[LayerDescription], block: Block) -> str:
    """Draw every layer of one repetition of a block, and their connections."""
    lines = [_header(), 'in [label="", shape=point, width=0.08]']
    inside = set(block.last)
    for position in block.last:
        layer = layers[position]
        fill = FILLS["layer"] if layer.parameters else PLAIN
        label = _label(step(layer), [], layer.output_shape)
        lines.append(f"layer{position} [label={label}, fillcolor={_quoted(fill)}]")
        sources = [source for source in layer.inputs if source in inside]
        lines += [f"layer{source} -> layer{position}" for source in sources]
        if len(sources) < max(1, len(layer.inputs)):
            lines.append(f"in -> layer{position}")
    return "\n".join([*lines, "}"])


def _header() -> str:
    return (
        'digraph model { graph [rankdir=TB, nodesep=0.25, ranksep=0.22, bgcolor="transparent"]\n'
        'node [shape=box, style="filled,rounded", color="#8A939C", fontsize=11, '
        'fontname="Helvetica,Arial,sans-serif", margin="0.14,0.07"]\n'
        'edge [color="#8A939C", arrowsize=0.6]'
    )


def _block_label(block: Block) -> str:
    title = f"{block.title} ×{block.times}" if block.times > 1 else block.title
    notes = [" → ".join(branch) or "identity" for branch in block.branches]
    if block.extras:
        notes.append(f"+ {' · '.join(block.extras)}")
    return _label(title, notes, block.output_shape, block.parameters)


def _label(title: str, notes: Iterable[str], shape: Sequence[int], parameters: int = 0) -> str:
    size = "×".join(map(str, shape))
    if parameters:
        size += f" · {compact(parameters)} parameters"
    return _quoted("\n".join([title, *notes, size]))


def compact(number: float) -> str:
    """Write a number with three digits and a unit prefix: `25557032` as "25.6 M"."""
    for power, letter in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= power:
            return f"{number / power:.3g}{letter}"
    return f"{number:g}"


def _quoted(text: str) -> str:
    """A string of DOT: whoever named a layer, its name ends at its quote."""
    return json.dumps(text, ensure_ascii=False)
