"""The form of augmentation and preprocessing, with its preview: a fragment, so that the rest stays still."""

from __future__ import annotations

from typing import Any, NamedTuple

import streamlit as st

from core.components.preprocessing import preprocessings
from core.config import FILLS, AugmentationConfig, ConfigError, ExperimentConfig
from core.datasets import DatasetInfo
from core.ui.common import words
from core.ui.common.fields import URL, number_or_off
from core.ui.train.augmentation_preview import preview
from core.ui.train.component_fields import component_fields

RANGES: dict[str, Any] = AugmentationConfig.model_json_schema()["properties"]
DRAWN = "augmentation drawn"  # how often the whole page drew it, and what differed then

TEST_TIME_WORDS = {
    "none": "one view",
    "flip": "it and its mirror",
    "ten_crops": "ten crops",
}


def preprocessing_words() -> dict[str, str]:
    """The choices of `data.preprocessing` in the words that the form and its address show."""
    return {"auto": "automatic", **{entry.name: entry.label for entry in preprocessings}}


class Slider(NamedTuple):
    """One setting of `AugmentationConfig`, its label, its step, and its help; the range is the config's."""

    name: str
    label: str
    step: float
    help: str


GROUPS: dict[str, tuple[Slider, ...]] = {
    "Geometry": (
        Slider("pad_and_crop", "Pad and crop, pixels", 1, "Zero padding, then a random crop."),
        Slider("rotation", "Rotation, degrees", 5, "Maximum, in either direction."),
        Slider("shift", "Shift", 0.05, "Maximum share of height and width, in either direction."),
        Slider("shear", "Shear, degrees", 1, "Maximum, in either direction."),
        Slider("zoom", "Zoom", 0.05, "0.2: between 0.8 and 1.2 times the size."),
    ),
    "Colour and noise": (
        Slider("brightness", "Brightness", 0.05, "Added to all pixels; of the range 0–255, not clipped."),
        Slider("contrast", "Contrast", 0.05, "0.8: differences from the mean times 0.2 to 1.8."),
        Slider("noise", "Noise", 0.01, "Standard deviation, of the range 0–255."),
        Slider("rand_augment", "RandAugment, operations", 1, "Of fourteen, for each image."),
        Slider("rand_augment_magnitude", "RandAugment, magnitude", 0.5, "Strength of each operation."),
    ),
    "Erasing and mixing": (
        Slider("erasing", "Random erasing, probability", 0.05, "Share of images that it changes."),
        Slider("erasing_area", "Maximum erased area", 0.02, "Share of the image; at least 0.02."),
        Slider("erasing_ratio", "Maximum aspect ratio", 0.1, "Of the erased rectangle."),
        Slider("mixup", "MixUp, alpha", 0.1, "Blends two images and their labels. Larger: more evenly."),
        Slider("cutmix", "CutMix, alpha", 0.1, "Pastes a rectangle of another image, and of its label."),
    ),
}  # fmt: skip


def augmentation_form(
    info: DatasetInfo, data: dict[str, Any], models: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Draw the widgets and the preview; returns the settings by their dotted names.

    data: the settings of the data part that were chosen elsewhere. models: those of the model part for each
    chosen model; its size and its weights to start from belong to what it gets.
    """
    drawn = st.session_state[DRAWN] = st.session_state.get(DRAWN, 0) + 1
    return _form(info, data, models, drawn)


@st.fragment
def _form(
    info: DatasetInfo, data: dict[str, Any], models: dict[str, dict[str, Any]], drawn: int
) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    columns = st.columns([2, 1, 1])
    first, second, third = columns
    labels = preprocessing_words()
    settings["data.preprocessing"] = first.selectbox(
        "Preprocessing", labels, format_func=labels.__getitem__, key="preprocessing", bind=URL,
        help="How pixels of 0–255 are transformed; part of the model. Automatic: what the weights to start "
        "from expect, scaled to 0–1 without. Any other choice must be the one that the weights expect.",
    )  # fmt: skip
    shorter = min(info.shape[:2])
    settings["augmentation.random_crop"] = number_or_off(
        second, "Random crop, pixels", "random_crop", least=0,
        help=f"Side of a crop, which becomes the model's input; at most {shorter}. Evaluation takes the "
        "middle.",
    )  # fmt: skip
    settings["augmentation.test_time"] = third.selectbox(
        "Test-time views", TEST_TIME_WORDS, format_func=TEST_TIME_WORDS.__getitem__, key="test_time",
        bind=URL, help="Test-time augmentation: probabilities are averaged. Ten crops need a random crop.",
    )  # fmt: skip
    if (chosen := settings["data.preprocessing"]) in preprocessings:
        settings |= component_fields(columns, "data", preprocessings.get(chosen))
    with st.container(horizontal=True, gap="medium"):
        for name, label in (
            ("horizontal_flip", "Flip left and right"),
            ("vertical_flip", "Flip top and bottom"),
            ("erasing_per_pixel", "Erase with random pixels"),
        ):
            settings[f"augmentation.{name}"] = st.toggle(label, _default(name), key=name, bind=URL)
    for column, (title, sliders) in zip(st.columns(3, gap="medium"), GROUPS.items(), strict=True):
        column.markdown(f"**{title}**")
        for slider in sliders:
            settings[f"augmentation.{slider.name}"] = _slider(slider, column)
        if title == "Geometry":
            settings["augmentation.fill"] = column.selectbox(
                "Fill",
                FILLS,
                key="fill",
                bind=URL,
                help="For pixels from outside the image. Nearest: border pixels, repeated.",
            )
    _tell_the_page(settings, drawn)
    if st.toggle("Preview: one image eight times, as the model gets it", key="preview", bind=URL):
        _preview(info, data | settings, models)
    return settings


def _tell_the_page(settings: dict[str, Any], drawn: int) -> None:
    """Run the whole page when other settings differ from the defaults than when it was drawn: it names them.

    drawn: the number of that drawing. What is seen first under a number is the drawing itself.
    """
    default = ExperimentConfig().flat()
    differing = sorted(name for name, value in settings.items() if value != default.get(name, value))
    before = st.session_state.get(f"{DRAWN} with")
    st.session_state[f"{DRAWN} with"] = (drawn, differing)
    if before and before[0] == drawn and before[1] != differing:
        st.rerun()


def _preview(info: DatasetInfo, settings: dict[str, Any], models: dict[str, dict[str, Any]]) -> None:
    names = list(models)
    name = names[0] if names else None
    if len(names) > 1:
        name = st.segmented_control("For", names, default=name, required=True, format_func=words.plain)
    model = models[name] if name else {}
    # When frozen layers learn is a matter of epochs, which are not known here, and changes no image.
    model = {key: value for key, value in model.items() if not key.startswith("model.unfreeze_")}
    try:
        preview(info, ExperimentConfig().with_values(settings | model))
    except ConfigError as error:
        st.error(words.plain(str(error)), icon=":material/block:")


def _slider(slider: Slider, column: Any) -> Any:
    default = _default(slider.name)
    kind = type(default)
    least, most = limits(slider.name)
    return column.slider(
        slider.label, kind(least), kind(most), default, kind(slider.step),
        key=slider.name, bind=URL, help=slider.help,
    )  # fmt: skip


def limits(name: str) -> tuple[float, float]:
    """Return the smallest and the largest value of a setting of `AugmentationConfig`.

    The form shows every config that can be: Streamlit raises for a value beyond the range of a slider.
    """
    return RANGES[name]["minimum"], RANGES[name]["maximum"]


def _default(name: str) -> Any:
    return AugmentationConfig.model_fields[name].default
