"""Two descriptions of models side by side."""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher

import pandas as pd

from core.analysis.blocks import step
from core.architectures.description import Description, LayerDescription

MEASURES = {
    "parameters": "total_parameters",
    "trainable parameters": "trainable_parameters",
    "non-trainable parameters": "non_trainable_parameters",
    "multiply-accumulates": "macs",
    "depth": "depth",
    "receptive field, pixels": "receptive_field",
}


def difference(first: Description, second: Description) -> pd.DataFrame:
    """Return rows of measure, first, second, difference (second - first), ratio (second / first).

    The measures of both models, the training memory in MiB, then how many layers of each type; the ratio is
    NaN where the first has none.
    """
    rows = {measure: (getattr(first, key), getattr(second, key)) for measure, key in MEASURES.items()}
    memory = f"training memory at batch {first.memory.batch_size}, MiB"
    rows[memory] = (round(first.memory.total / 2**20), round(second.memory.total / 2**20))
    rows["layers"] = (len(first.layers), len(second.layers))
    types = [Counter(layer.type for layer in model.layers) for model in (first, second)]
    for kind, _ in (types[0] + types[1]).most_common():
        rows[f"{kind} layers"] = (types[0][kind], types[1][kind])
    frame = pd.DataFrame(
        [(measure, *pair) for measure, pair in rows.items()], columns=["measure", "first", "second"]
    )
    frame["difference"] = frame["second"] - frame["first"]
    frame["ratio"] = frame["second"] / frame["first"].where(frame["first"] != 0)
    return frame


def aligned_layers(first: Description, second: Description) -> pd.DataFrame:
    """Return the layers of both models side by side, one row per layer: first, second, same.

    Layers correspond when they do the same and give the same shape; a layer of one model alone has an empty
    cell beside it.
    """
    words = [[_words(layer) for layer in model.layers] for model in (first, second)]
    rows: list[tuple[str, str, bool]] = []
    for kind, a, b, c, d in SequenceMatcher(None, words[0], words[1], autojunk=False).get_opcodes():
        left, right = words[0][a:b], words[1][c:d]
        for index in range(max(len(left), len(right))):
            pair = (left[index : index + 1] or [""])[0], (right[index : index + 1] or [""])[0]
            rows.append((*pair, kind == "equal"))
    return pd.DataFrame(rows, columns=["first", "second", "same"])


def _words(layer: LayerDescription) -> str:
    return f"{step(layer)} → {'×'.join(map(str, layer.output_shape))}"
