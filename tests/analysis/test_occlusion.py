"""Occlusion finds the pixels that an answer hangs on, whatever gives the answer."""

from __future__ import annotations

import numpy as np
import pytest

from core.analysis.occlusion import AT_ONCE, occlusion_map, places


def looking_at(top: int, left: int, size: int):
    """A model of two classes: the second is as probable as one square of the image is bright."""

    def answer(images: np.ndarray) -> np.ndarray:
        bright = images[:, top : top + size, left : left + size].mean(axis=(1, 2, 3)) / 255
        return np.stack([1 - bright, bright], axis=1)

    return answer


def test_the_map_is_high_where_the_model_looks_and_zero_elsewhere() -> None:
    image = np.zeros((28, 28, 1), "uint8")
    image[4:10, 16:22] = 255
    image[20:26, 4:10] = 255  # as bright, and the model does not look there
    found = occlusion_map(looking_at(4, 16, 6), image, 1)
    assert found.shape == (28, 28)
    assert found.dtype == np.float32
    assert np.unravel_index(found.argmax(), found.shape)[0] in range(4, 10)
    assert found[4:10, 16:22].mean() > 5 * np.abs(found[20:26, 4:10]).max()
    assert not found[14:, :10].any()


def test_what_speaks_against_the_class_is_negative() -> None:
    image = np.zeros((28, 28, 1), "uint8")
    image[4:10, 16:22] = 255
    of_first = occlusion_map(looking_at(4, 16, 6), image, 0)
    np.testing.assert_allclose(of_first, -occlusion_map(looking_at(4, 16, 6), image, 1), atol=1e-6)
    assert of_first.min() < 0


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (28, 28), (32, 200), (96, 96), (224, 224), (299, 299)])
def test_every_pixel_is_covered_and_the_passes_are_few(shape: tuple[int, int]) -> None:
    where = places(*shape)
    count = np.zeros(shape, int)
    for top, left in where.corners:
        inside = np.s_[max(0, top) : top + where.size[0], max(0, left) : left + where.size[1]]
        assert count[inside].size  # no place lies outside of the image
        count[inside] += 1
    assert count.min() >= 1
    assert len(where.corners) <= (144 if max(shape) <= 64 else 64)


def test_few_covered_images_are_made_at_once() -> None:
    numbers = []

    def answer(images: np.ndarray) -> np.ndarray:
        numbers.append(len(images))
        return np.full((len(images), 2), 0.5)

    assert not occlusion_map(answer, np.zeros((300, 300, 3), "uint8"), 0).any()
    assert sum(numbers) == 1 + len(places(300, 300).corners)
    assert max(numbers) * 300 * 300 <= 8 * 224 * 224
    occlusion_map(answer, np.zeros((28, 28, 1), "uint8"), 0)
    assert max(numbers) <= AT_ONCE
