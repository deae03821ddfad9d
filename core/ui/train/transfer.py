"""The part of the Train form about transfer learning, and the layers of the model that it makes."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.architectures.description import Description
from core.config import FREEZES, HEADS, ExperimentConfig, ModelConfig
from core.datasets import DatasetInfo, choices
from core.experiment.pretrained import RUN, SUFFIXES
from core.inference import client
from core.inference.client import Caller
from core.system.settings import Settings, get_settings
from core.ui.common import layer_table, stored_predictions, words
from core.ui.common.fields import URL, number_or_off
from core.ui.common.visitor import visitor
from core.ui.common.words import run_labels

SOURCES = ("none", "imagenet", "run", "file")


def transfer_settings() -> dict[str, Any]:
    """Draw the widgets; returns settings by their dotted names."""
    first, second, third = st.columns(3)
    source = first.selectbox(
        "Weights to start from", SOURCES, key="weights", bind=URL,
        help="none: random; imagenet: Keras downloads them, once, for the models that it has; run: those "
        "of a finished run; file: of the folder for weights.",
    )  # fmt: skip
    settings: dict[str, Any] = {
        "model.weights": _weights(source, second),
        "model.head": third.selectbox(
            "Head", HEADS, key="head", bind=URL,
            help="What follows the last feature maps; everything before is the backbone. "
            "own: the architecture's; "
            "gap: global average pooling; dense: a hidden layer of 256.",
        ),
    }  # fmt: skip
    if source != "none":
        settings["model.weights_layers"] = third.text_input(
            "Layers that take the weights", key="weights_layers", bind=URL,
            placeholder="the whole backbone",
            help="Names separated by commas, * for any letters. VGG's warm start from vgg11: conv1_1, "
            "conv2_1, conv3_1, conv3_2, fc1, fc2, predictions.",
        )  # fmt: skip
    if source in ("run", "file"):
        settings["model.allow_overlap"] = second.toggle(
            "Allow images that were trained on", key="allow_overlap", bind=URL,
            help="A launch is refused when the weights were trained on images that would validate or "
            "test it. With this it is launched all the same, marked, and never the best run.",
        )  # fmt: skip
    settings["model.freeze"] = first.selectbox(
        "Freeze", FREEZES, key="freeze", bind=URL,
        help="Layers of the backbone that keep their weights. last_n: all but the last ones.",
    )  # fmt: skip
    settings |= _freeze_details(settings["model.freeze"], second)
    settings["model.resize"] = number_or_off(
        third, "Resize images to, pixels", "resize", least=0, most=2048, step=32,
        help="Inside the model, before its first layer.",
    )  # fmt: skip
    if settings["model.freeze"] != "none":
        settings |= _unfreezing(first, second)
    if settings["model.freeze"] == "all":
        settings["model.bottleneck"] = third.toggle(
            "Run the backbone once", key="bottleneck", bind=URL,
            help="Its outputs are kept on disk and only the head is trained, also by later runs. "
            "Without augmentation.",
        )  # fmt: skip
    return settings


def _weights(source: str, column: Any) -> str:
    if source == "run":
        labels = run_labels(stored_predictions.finished_runs())
        _follow_older_address(labels)
        run_id = column.selectbox(
            "Run", list(labels), format_func=labels.__getitem__, key="weights_run", bind=URL
        )
        return f"{RUN}{run_id or ''}"
    if source == "file":
        folder = get_settings().weights
        names = sorted(
            str(path.relative_to(folder)) for path in folder.rglob("*") if path.name.endswith(SUFFIXES)
        )
        chosen = column.selectbox(
            "File", names, key="weights_file", bind=URL, help=f".keras and .weights.h5 files in {folder}."
        )
        return chosen or "a file"
    return source


def _follow_older_address(labels: dict[str, str]) -> None:
    """Let an address name a run as older versions labelled it: both labels end with the beginning of its id.

    labels: of the runs to choose from, by their ids.
    """
    asked = st.query_params.get("weights_run", "")
    if asked in ("", *labels.values()):
        return
    beginning = asked.rpartition(" · ")[2]
    for run_id in labels:
        if beginning == run_id[:6]:
            st.session_state["weights_run"] = run_id


def _freeze_details(policy: str, column: Any) -> dict[str, Any]:
    if policy in ("first_n", "last_n"):
        label = "How many frozen" if policy == "first_n" else "How many are trainable"
        count = column.number_input(label, 1, value=1, step=1, key="freeze_layers", bind=URL)
        return {"model.freeze_layers": count}
    if policy == "names":
        names = column.text_input(
            "Frozen layers", "conv1*", key="freeze_names", bind=URL,
            help="Names separated by commas, * for any letters.",
        )  # fmt: skip
        return {"model.freeze_names": names}
    return {}


def _unfreezing(first: Any, second: Any) -> dict[str, Any]:
    epoch = number_or_off(
        first, "Unfreeze after epoch", "unfreeze_epoch", least=0,
        help="Training continues from the weights kept so far; early stopping brings it forward.",
    )  # fmt: skip
    rate = second.number_input(
        "Learning rate from then on", value=ModelConfig().unfreeze_learning_rate, step=None, format="%g",
        key="unfreeze_learning_rate", bind=URL,
    )  # fmt: skip
    return {"model.unfreeze_epoch": epoch, "model.unfreeze_learning_rate": rate}


def layer_lists(configs: list[ExperimentConfig], info: DatasetInfo) -> None:
    """On request, the layers of each chosen model and what of them learns."""
    if not configs or not st.toggle("Show layers and what is frozen", key="show_layers", bind=URL):
        return
    for config in configs:
        with st.spinner(f"Building {config.model.name} …"):
            try:
                shape = choices.cropped_shape(config, info.shape)
                description = _described(get_settings(), config.model, shape, info.num_classes, visitor())
            except client.InferenceError as error:
                st.error(words.plain(str(error)), icon=":material/block:")
                continue
        st.caption(
            f"{config.model.name}: {description.trainable_parameters:,} of {description.total_parameters:,} "
            "parameters are trainable"
        )
        layer_table.layers(description, height=300, columns=layer_table.TRANSFER)


@st.cache_data(max_entries=32, show_spinner=False, hash_funcs={ModelConfig: ModelConfig.model_dump_json})
def _described(
    settings: Settings, model: ModelConfig, shape: tuple[int, int, int], num_classes: int, _caller: Caller
) -> Description:
    return client.describe_transfer(settings, model, shape, num_classes, caller=_caller)
