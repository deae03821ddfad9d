"""Where models look in an image: asked for by the visitor, computed for all models that answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import streamlit as st

from core.figures.heat import VIRIDIS, overlay
from core.inference.client import InferenceError
from core.inference.explain import Explained, explain
from core.inference.messages import Changes, Method
from core.system.settings import get_settings
from core.ui.common import words
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL
from core.ui.common.visitor import visitor
from core.ui.predict.picture import Picture
from core.ui.predict.side_by_side import Answer

OFF, GRAD_CAM, OCCLUSION = METHODS = ("Off", "Grad-CAM", "Occlusion")
OWN = "the model's own answer"  # instead of a class
NAMED = 5  # most probable classes of a model that are offered
STRENGTH = 60  # per cent, at first
KEPT, MAPS = 12, "maps"  # of a visitor: the slider computes none anew
ALONE_PX, BESIDE_PX = 300, 220
MEANING = {
    GRAD_CAM: "Bright is where the last feature maps speak for the class: what the model used, coarsely, and "
    "not why, nor whether it was right to.",
    OCCLUSION: "Bright is where a patch of the image's mean colour over it takes most of the class's "
    "probability; parts that can stand in for each other stay dark though the model uses them.",
}
SIMPLY = "Bright: what in the image speaks for the answer, roughly; not why, nor whether it is right."
LEGEND = (
    '<div style="display:flex;gap:.5rem;align-items:center;max-width:20rem;font-size:.875rem">'
    '<span>{low}</span><span style="flex:1;height:.75rem;border-radius:.25rem;'
    'background:linear-gradient(to right,{colours})"></span><span>{high}</span></div>'
)


@dataclass(frozen=True)
class Seen:
    """Where one model looks for a class, or why that is not known."""

    of: str
    found: Explained | None = None
    error: str = ""


def where(answers: Sequence[Answer], picture: Picture, changes: Changes) -> None:
    """Draw the one control for all models, and each one's map where a method is chosen."""
    told = [one for one in answers if one.said is not None]
    if not told:
        return
    method, of, strength = _choose(told)
    if method == OFF:
        return
    with st.spinner("Looking where the model looks" if len(told) == 1 else "Looking where the models look"):
        seen = [look(answer, picture, changes, method, of) for answer in told]
    draw(told, seen, method, strength, ALONE_PX if len(told) == 1 else BESIDE_PX)


def where_simply(answers: Sequence[Answer], picture: Picture, changes: Changes) -> None:
    """Draw one switch, in the address as `looks`, and where it is on Grad-CAM of each model's answer."""
    told = [one for one in answers if one.said is not None]
    if told and st.toggle("Show where it looks", key="looks", bind=URL):
        with st.spinner("Looking"):
            seen = [look(answer, picture, changes, GRAD_CAM, OWN) for answer in told]
        draw(told, seen, GRAD_CAM, STRENGTH / 100, BESIDE_PX, simply=True)


def _choose(answers: Sequence[Answer]) -> tuple[str, str, float]:
    """Draw method, class and strength, which stand in the address as `look`, `of` and `strength`."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        say_unknown("look", METHODS, "Where does it look")
        method = st.segmented_control(
            "Where does it look", METHODS, default=OFF, required=True, key="look", bind=URL, wrap=True,
            help="Grad-CAM asks the model's gradients, occlusion covers the image part by part. Nothing is "
            "computed before you ask.",
        )  # fmt: skip
        if method == OFF:
            return OFF, OWN, 0.0
        options = classes_of(answers)
        if st.session_state.get("of", OWN) not in options:
            del st.session_state["of"]
        say_unknown("of", options, "For the class")
        of = st.selectbox("For the class", options, key="of", bind=URL, width=240)
        percent = st.slider(
            "Strength of the colours, %", 0, 100, STRENGTH, 5, key="strength", bind=URL, width=240
        )
    return method, of, percent / 100


def classes_of(answers: Sequence[Answer]) -> list[str]:
    """Return what can be asked for: each one's answer, the classes that are probable, and the chosen one."""
    likely = [
        one.prediction.classes[place]
        for place in range(NAMED)
        for one in answers
        if one.prediction is not None and place < len(one.prediction.classes)
    ]
    every = {name for one in answers for name in one.model.images.classes}
    chosen = [one for one in (st.session_state.get("of"), *st.query_params.get_all("of")) if one in every]
    return [*dict.fromkeys([OWN, *likely, *chosen])]


def look(answer: Answer, picture: Picture, changes: Changes, method: str, of: str) -> Seen:
    """Return where a model looks for a class; kept for the visitor."""
    assert answer.prediction is not None
    name = answer.prediction.classes[0] if of == OWN else of
    if name not in answer.model.images.classes:
        return Seen(name, error=f"{answer.model.name} does not know the class {name}.")
    maps: dict[object, Explained] = st.session_state.setdefault(MAPS, {})
    run = answer.model.run
    key = run.run_id, run.ended, sha256(picture.blob).hexdigest(), changes, method, name
    if key not in maps:
        way: Method = "gradcam" if method == GRAD_CAM else "occlusion"
        try:
            found = explain(
                get_settings(), run.run_id, picture.blob, name, method=way, changes=changes, caller=visitor()
            )
        except InferenceError as error:
            return Seen(name, error=str(error))
        keep(maps, key, found)
    return Seen(name, maps[key])


def keep(maps: dict[object, Explained], key: object, found: Explained) -> None:
    """Add a map, and forget the oldest ones of more than `KEPT`."""
    maps[key] = found
    for old in list(maps)[:-KEPT]:
        del maps[old]


def draw(
    answers: Sequence[Answer],
    seen: Sequence[Seen],
    method: str,
    strength: float,
    side: int,
    *,
    simply: bool = False,
) -> None:
    """Draw the maps beside each other, what they mean, and the scale of the colours.

    Args:
        strength: Of the colours, from 0 to 1.
        side: Of each picture, in pixels.
        simply: Leave out how the maps were made.
    """
    tops = [float(one.found.map.max()) for one in seen if one.found is not None]
    common = max(tops, default=0.0)  # falls of a probability can be compared between models, gradients cannot
    for column, answer, one in zip(st.columns(len(seen), gap="medium"), answers, seen, strict=True):
        with column:
            if one.found is None:
                st.error(words.plain(one.error), icon=":material/error:")
                continue
            most = common if method == OCCLUSION else float(one.found.map.max())
            image = overlay(one.found.pixels, one.found.map, most, strength, side)
            st.image(image, width=side, alt=f"{method}: where {answer.model.name} looks for {one.of}")
            of = f"{answer.model.name}: {one.of}" if len(seen) > 1 else one.of
            st.caption(words.plain(of if simply else f"{of}, {_how(one.found)}"))
            if not one.found.map.max() > 0:
                st.caption(NOTHING[method])
    if tops:
        fall = f"−{points(max(common, 0))} points"
        low, high = ("0", fall) if method == OCCLUSION else ("little", "most")
        st.html(LEGEND.format(low=low, high=high, colours=",".join(VIRIDIS)))
    st.caption(SIMPLY if simply else MEANING[method])


def points(fall: float) -> str:
    """Write a difference of probabilities in hundredths, with two digits at least. fall: from 0 to 1."""
    return f"{100 * fall:.0f}" if 100 * fall >= 9.95 else f"{100 * fall:.2g}"


NOTHING = {
    GRAD_CAM: "No place of these feature maps speaks for the class.",
    OCCLUSION: "Covering no part of the image makes the class less probable.",
}


def _how(found: Explained) -> str:
    rows, columns = found.grain
    made_of = f"feature maps of {found.layer}, {rows}×{columns}"
    by = made_of if found.layer else f"{rows}×{columns} places of the patch"
    return f"{found.probability:.1%} before calibration; {by}"
