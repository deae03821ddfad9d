"""Where a model looks in an image, asked of the real prediction process."""

from __future__ import annotations

import numpy as np
import pytest

from core.analysis.occlusion import places
from core.datasets import load
from core.images.decode import decode_image
from core.images.limited import Gone
from core.inference import explaining
from core.inference.answers import Opened
from core.inference.client import InferenceError, predict
from core.inference.explain import explain
from core.inference.logged_images import logged_images
from core.inference.messages import Changes, Explain
from core.inference.server import Server
from core.tracking.store import get_store
from tests.support.homes import Trained, run_with_the_same_model
from tests.support.images import png

pytestmark = pytest.mark.slow


def a_digit(place: int = 0) -> np.ndarray:
    digits = load("digits")
    return digits.images[digits.indices("test")[place]]


def test_occlusion_is_computed_by_onnxruntime_and_says_what_it_took(trained: Trained) -> None:
    pixels = a_digit()
    (answer,) = predict(trained.settings, trained.run_id, [png(pixels)], top_k=10)
    found = explain(trained.settings, trained.run_id, png(pixels), answer.classes[0])
    assert found.map.shape == pixels.shape[:2] == found.shape
    assert np.isfinite(found.map).all()
    assert np.array_equal(found.pixels, pixels)
    assert found.probability == pytest.approx(answer.probabilities[0], abs=1e-5)
    assert found.passes == 1 + len(places(*found.shape).corners)
    assert found.grain[0] * found.grain[1] == found.passes - 1
    assert found.engine == ""


def test_each_class_and_each_change_of_the_image_has_a_map_of_its_own(trained: Trained) -> None:
    image = png(a_digit())
    (answer,) = predict(trained.settings, trained.run_id, [image], top_k=10)
    first, second = (explain(trained.settings, trained.run_id, image, of) for of in answer.classes[:2])
    assert not np.allclose(first.map, second.map, atol=1e-4)
    inverted = explain(
        trained.settings,
        trained.run_id,
        png(255 - a_digit()),
        answer.classes[0],
        changes=Changes(invert=True),
    )
    np.testing.assert_allclose(inverted.map, first.map, atol=1e-6)


def test_keras_gives_the_same_map_where_a_run_has_no_onnx_file(own: Trained) -> None:
    image = png(a_digit())
    run_id = run_with_the_same_model(own, "without an ONNX file")
    theirs = explain(own.settings, run_id, image, "3")
    ours = explain(own.settings, own.run_id, image, "3")
    assert "has no ONNX file" in theirs.engine
    np.testing.assert_allclose(theirs.map, ours.map, atol=1e-4)


def test_grad_cam_of_each_class_is_computed_by_keras_from_the_last_feature_maps(trained: Trained) -> None:
    image = png(a_digit())
    (answer,) = predict(trained.settings, trained.run_id, [image], top_k=10)
    found = explain(trained.settings, trained.run_id, image, answer.classes[0], method="gradcam")
    assert found.map.shape == (28, 28)
    assert found.map.max() > 0 == found.map.min()
    assert (found.grain, found.layer) == ((4, 4), "s4")  # of LeNet-5, after its second pooling
    assert found.probability == pytest.approx(answer.probabilities[0], abs=1e-4)
    other = explain(trained.settings, trained.run_id, image, answer.classes[1], method="gradcam")
    assert not np.allclose(other.map, found.map)


def test_what_cannot_be_explained_is_one_sentence(trained: Trained) -> None:
    with pytest.raises(
        InferenceError, match=r"^The class must be one of the model's 10\. Received: 'cat'\.$"
    ):
        explain(trained.settings, trained.run_id, png(a_digit()), "cat")
    with pytest.raises(InferenceError, match=r"^The image .*\.$"):
        explain(trained.settings, trained.run_id, b"no image", "3")


def test_others_are_answered_between_the_passes_and_none_is_made_for_who_has_left(trained: Trained) -> None:
    images = logged_images(get_store(), trained.run_id)
    assert images is not None
    server, calls = Server(b"", lambda *_: opened, False), []

    def answer(pixels: np.ndarray) -> np.ndarray:
        calls.append(len(pixels))
        assert server._working.locked()
        return np.full((len(pixels), 10), 0.1)

    opened = Opened(answer, images, "none", False)
    request = Explain(trained.run_id, "occlusion", "3")
    decoded = decode_image(png(a_digit()), images.target)

    explaining.explained(opened, decoded, request, lambda: server._turn(server._working, lambda: False))
    assert len(calls) >= 2
    asked = len(calls)
    with pytest.raises(Gone):
        explaining.explained(
            opened, decoded, request, lambda: server._turn(server._working, lambda: len(calls) > asked)
        )
    assert len(calls) == asked + 1  # of the image itself; nothing for its covered copies


def test_a_model_that_is_too_slow_is_given_up(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explaining, "MOST_S", -1.0)
    images = logged_images(get_store(), trained.run_id)
    assert images is not None
    server = Server(b"", lambda *_: opened, False)
    opened = Opened(lambda pixels: np.full((len(pixels), 10), 0.1), images, "none", False)
    with pytest.raises(ValueError, match="too slow for occlusion"):
        explaining.explained(
            opened,
            decode_image(png(a_digit()), images.target),
            Explain(trained.run_id, "occlusion", "3"),
            lambda: server._turn(server._working, lambda: False),
        )
