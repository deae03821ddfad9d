"""Folds the layers of a model into the few blocks that a person would draw.

Layers are in the order of the graph, each with the positions of the layers that it reads. A model is cut
wherever a single tensor is the only connection to the rest: between two cuts is one layer, or a block with
branches. Neighbours that repeat become one block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from core.architectures.description import LayerDescription as Layer

MAX_BLOCKS = 32  # more cannot be read: then blocks of one map size become one
MAX_BRANCHES = 12
IMAGE = -1
SUMS = ("Add", "ScaledResidual")
WORDS = {
    "Conv2D": "conv",
    "DepthwiseConv2D": "depthwise conv",
    "SeparableConv2D": "separable conv",
    "PartiallyConnectedConv2D": "wired conv",
    "Dense": "dense",
    "MaxPooling2D": "max pool",
    "AveragePooling2D": "average pool",
    "TrainableSubsampling": "subsampling",
    "GlobalAveragePooling2D": "global average pool",
    "GlobalMaxPooling2D": "global max pool",
    "Flatten": "flatten",
    "EuclideanRBF": "radial basis",
    "BatchNormalization": "batch norm",
    "LocalResponseNormalization": "LRN",
    "ScaledTanh": "tanh",
}


@dataclass(frozen=True)
class Block:
    """One box: `times` neighbours that do the same.

    kind: `layer`, `residual`, `parallel`, `stage` or `auxiliary`. branches: the steps of each way through it,
    the longest first; an empty one is the identity. extras: what else its layers do (normalise, drop out).
    layers: positions of all its layers, last: of its last repetition. after: position of the block that an
    auxiliary classifier reads; None for what is on the way to the answer.
    """

    kind: str
    title: str
    branches: tuple[tuple[str, ...], ...]
    extras: tuple[str, ...]
    times: int
    output_shape: tuple[int, ...]
    layers: tuple[int, ...]
    last: tuple[int, ...]
    parameters: int
    macs: int
    after: int | None = None


def fold(layers: Sequence[Layer]) -> list[Block]:
    """The blocks from the image to the answer, then the auxiliary classifiers."""
    answer = main_answer(layers)
    main = sorted(ancestors(layers, answer) | {answer})
    blocks: list[Block] = []
    waiting: tuple[int, ...] = ()  # padding belongs to what it pads for
    for segment in segments(layers, main):
        here = (*waiting, *segment)
        if len(segment) > 1:
            blocks.append(_branched(layers, here))
        elif layers[segment[0]].type.startswith("ZeroPadding"):
            waiting = here
            continue
        elif blocks and not leads(layers, segment[0]):
            blocks[-1] = _extended(blocks[-1], layers, here)
        else:
            blocks.append(_single(layers, here))
        waiting = ()
    blocks = [_joined(group) for group in _repetitions(blocks)]
    if len(blocks) > MAX_BLOCKS:
        blocks = [_stage(list(group)) for _, group in groupby(blocks, key=lambda b: b.output_shape[:-1])]
    return [*blocks, *_auxiliaries(layers, set(main), blocks)]


def main_answer(layers: Sequence[Layer]) -> int:
    """The position of the answer: of all layers that nothing reads, the one behind the most layers."""
    read = {source for layer in layers for source in layer.inputs}
    ends = [position for position in range(len(layers)) if position not in read]
    return max(ends, key=lambda position: len(ancestors(layers, position)))


def ancestors(layers: Sequence[Layer], position: int) -> set[int]:
    """Positions of all layers that a layer depends on."""
    found: set[int] = set()
    waiting = list(layers[position].inputs)
    while waiting:
        source = waiting.pop()
        if source not in found:
            found.add(source)
            waiting.extend(layers[source].inputs)
    return found


def segments(layers: Sequence[Layer], main: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Runs of layers that end where one tensor alone carries on; `main` is in the order of the graph."""
    readers = {position: 0 for position in (IMAGE, *main)}
    for position in main:
        for source in set(layers[position].inputs) or {IMAGE}:
            readers[source] += 1
    alive, segment = {IMAGE}, []
    for position in main:
        segment.append(position)
        for source in set(layers[position].inputs) or {IMAGE}:
            readers[source] -= 1
            if not readers[source]:
                alive.discard(source)
        if readers[position]:
            alive.add(position)
        if alive <= {position}:
            yield tuple(segment)
            segment = []


def leads(layers: Sequence[Layer], position: int) -> bool:
    """Whether a layer is a box of its own: it weighs, slides or changes the shape; others belong to one."""
    layer = layers[position]
    before = [layers[source].output_shape for source in layer.inputs]
    reshapes = not before or layer.output_shape != before[0]
    return layer.macs > 0 or bool(layer.window) or reshapes


def step(layer: Layer) -> str:
    """A layer in a few words: "conv 3×3, 64"."""
    words: str = WORDS.get(layer.type) or layer.type
    if layer.window:
        words += f" {layer.window[0]}×{layer.window[1]}"
    return f"{words}, {layer.output_shape[-1]}" if layer.macs else words


def _single(layers: Sequence[Layer], positions: tuple[int, ...]) -> Block:
    layer = layers[positions[-1]]
    return _block(layers, positions, "layer", step(layer), ())


def _branched(layers: Sequence[Layer], positions: tuple[int, ...]) -> Block:
    merge = layers[positions[-1]]
    paths = list(_paths(layers, positions[-1], frozenset(positions)))
    ways = dict.fromkeys(
        tuple(step(layers[one]) for one in path if layers[one].macs or layers[one].window) for path in paths
    )
    branches = tuple(sorted(ways, key=len, reverse=True))
    if len(paths) >= MAX_BRANCHES:
        branches = ((f"{len(positions)} layers",),)
    residual = merge.type in SUMS
    kind, title = ("residual", "residual block") if residual else ("parallel", "parallel branches")
    return _block(layers, positions, kind, title, branches)


def _paths(layers: Sequence[Layer], end: int, inside: frozenset[int]) -> Iterator[list[int]]:
    """Up to MAX_BRANCHES ways to the layer `end` through layers of the block, in the order of the image."""
    found = 0
    waiting: list[tuple[int, list[int]]] = [(end, [])]
    while waiting and found < MAX_BRANCHES:
        position, path = waiting.pop()
        sources = [source for source in layers[position].inputs if source in inside]
        if len(sources) < len(layers[position].inputs) or not layers[position].inputs:
            found += 1
            yield [position, *path] if position != end else path
        waiting += [(source, path if position == end else [position, *path]) for source in reversed(sources)]


def _block(
    layers: Sequence[Layer],
    positions: tuple[int, ...],
    kind: str,
    title: str,
    branches: tuple[tuple[str, ...], ...],
) -> Block:
    return Block(
        kind=kind,
        title=title,
        branches=branches,
        extras=(),
        times=1,
        output_shape=layers[positions[-1]].output_shape,
        layers=positions,
        last=positions,
        parameters=sum(layers[position].parameters for position in positions),
        macs=sum(layers[position].macs for position in positions),
    )


def _extended(block: Block, layers: Sequence[Layer], positions: tuple[int, ...]) -> Block:
    more = _block(layers, positions, "layer", "", ())
    word = WORDS.get(layers[positions[-1]].type, layers[positions[-1]].type.lower())
    return replace(
        block,
        extras=tuple(dict.fromkeys((*block.extras, word))),
        layers=(*block.layers, *positions),
        last=(*block.last, *positions),
        parameters=block.parameters + more.parameters,
        macs=block.macs + more.macs,
    )


def _repetitions(blocks: Sequence[Block]) -> list[list[Block]]:
    groups: list[list[Block]] = []
    for block in blocks:
        if groups and _repeats(groups[-1][-1], block):
            groups[-1].append(block)
        else:
            groups.append([block])
    return groups


def _repeats(before: Block, block: Block) -> bool:
    """A shortcut may project in one and not in the next, and a map may lose its margin, but not be halved."""
    ways = [one.branches[:-1] if one.kind == "residual" else one.branches for one in (before, block)]
    shapes = [one.output_shape for one in (before, block)]
    alike = before.title == block.title and ways[0] == ways[1] and shapes[0][-1] == shapes[1][-1]
    return alike and len(shapes[0]) == len(shapes[1]) and 2 * shapes[1][0] > shapes[0][0]


def _joined(blocks: list[Block]) -> Block:
    """Neighbours of one signature as one block; the branches shown are the last one's."""
    extras = [extra for block in blocks for extra in block.extras]
    if blocks[0].kind == "residual" and blocks[0].branches[-1] != blocks[-1].branches[-1]:
        extras.append(f"first shortcut: {', '.join(blocks[0].branches[-1])}")
    return replace(
        blocks[-1],
        extras=tuple(dict.fromkeys(extras)),
        times=len(blocks),
        layers=tuple(position for block in blocks for position in block.layers),
        parameters=sum(block.parameters for block in blocks),
        macs=sum(block.macs for block in blocks),
    )


def _stage(blocks: list[Block]) -> Block:
    if len(blocks) == 1:
        return blocks[0]
    titles = dict.fromkeys(block.title for block in blocks)
    whole = _joined(blocks)
    count = sum(block.times for block in blocks)
    return replace(
        whole,
        kind="stage",
        title=f"{count} blocks",
        times=1,
        branches=tuple((title,) for title in titles)[:6],
    )


def _auxiliaries(layers: Sequence[Layer], main: set[int], blocks: Sequence[Block]) -> Iterator[Block]:
    sides: dict[int, list[int]] = {}  # by the layer of the main way that they read
    roots: dict[int, int] = {}
    for position in sorted(set(range(len(layers))) - main):
        source = layers[position].inputs[0]
        roots[position] = roots.get(source, source)
        sides.setdefault(roots[position], []).append(position)
    for root, positions in sides.items():
        after = next(index for index, block in enumerate(blocks) if root in block.layers)
        side = _block(layers, tuple(positions), "auxiliary", "auxiliary classifier", ())
        yield replace(side, after=after)
