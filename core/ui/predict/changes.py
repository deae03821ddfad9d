"""What is done to an image before the models get it: chosen, or offered where an image is unlike theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import streamlit as st

from core.datasets.typical import Typical, typical, unlike
from core.inference.messages import Changes, ModelImages
from core.ui.common import stored_datasets, words
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL
from core.ui.common.kept import kept
from core.ui.predict.side_by_side import Answer

KEY = "change"
WORDS = {  # by the field of `Changes`: as it is chosen, and as it is offered
    "invert": ("dark and light exchanged", "Invert"),
    "brightness": ("brightness as in training", "Match the brightness"),
    "middle": ("middle cut out", "Cut out the middle"),
    "grey": ("colours taken away", "Take the colours away"),
}
UNDO = "Undo the inversion"


def choose_changes(taken: Sequence[ModelImages]) -> Changes:
    """Draw which changes are made, in the address as `change`. taken: by the models that answer."""
    colour = any(images.shape[2] == 3 for images in taken)
    options = [chosen for name, (chosen, _) in WORDS.items() if colour or name != "grey"]
    if set(st.session_state.get(KEY) or ()) - {*options}:
        del st.session_state[KEY]
    say_unknown(KEY, options, "Changes of the image")
    st.pills("Changes of the image", options, selection_mode="multi", key=KEY, bind=URL, wrap=True)
    return chosen_changes()


def chosen_changes() -> Changes:
    """Return the changes that were chosen or accepted."""
    chosen = st.session_state.get(KEY) or ()
    return Changes(**{one.name: WORDS[one.name][0] in chosen for one in fields(Changes)})


def warnings(answers: Sequence[Answer], changes: Changes) -> None:
    """Warn where the image is unlike the training images of a model, and offer what makes it like them."""
    told: dict[tuple[str, str], list[str]] = {}
    for answer in answers:
        for one in _unlike(answer, changes):
            told.setdefault(one, []).append(answer.model.name)
    asked = sum(answer.prediction is not None for answer in answers)
    offered: set[str] = set()
    for (sentence, change), names in told.items():
        of = "" if len(names) == asked else f"{', '.join(names)}: "
        st.warning(words.plain(f"{of}{sentence}"), icon=":material/compare:")
        if change and change not in offered:
            offered.add(change)
            undo = change == "invert" and changes.invert
            st.button(
                UNDO if undo else WORDS[change][1],
                key=f"offer {change}",
                on_click=_toggle,
                args=(WORDS[change][0],),
            )


def _unlike(answer: Answer, changes: Changes) -> list[tuple[str, str]]:
    prediction = answer.prediction
    if prediction is None or prediction.pixels is None:
        return []
    found = [(prediction.inversion, "invert")] if prediction.inversion else []
    if prediction.brightness:
        found.append((prediction.brightness, "" if changes.brightness else "brightness"))
    usual = _typical(answer.model.images)
    if usual is not None:
        policy = "crop" if changes.middle else answer.model.images.policy
        found += [
            (one.sentence, one.change) for one in unlike(usual, prediction.pixels, prediction.size, policy)
        ]
    return found


def _typical(images: ModelImages) -> Typical | None:
    """What is usual for the training images of a model; None where its dataset is gone."""
    dataset = stored_datasets.same_images(images.name, images.fingerprint)
    if dataset is None or dataset.info.shape[2] != images.shape[2]:
        return None
    return kept(
        lambda: typical(dataset), "typical", images.name, images.fingerprint, dataset.info.fingerprint
    )


def _toggle(name: str) -> None:
    chosen = list(st.session_state.get(KEY) or [])
    st.session_state[KEY] = [one for one in chosen if one != name] if name in chosen else [*chosen, name]
