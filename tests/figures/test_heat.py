"""Colours of a map over an image."""

from __future__ import annotations

import numpy as np

from core.figures.heat import VIRIDIS, coloured, overlay


def test_each_step_of_the_colours_is_lighter_than_the_one_before() -> None:
    lightness = coloured(np.linspace(0, 1, 40)) @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(lightness) > 0).all()
    assert coloured(np.array([0.0, 1.0])).astype(int).tolist() == [
        list(bytes.fromhex(VIRIDIS[0][1:])),
        list(bytes.fromhex(VIRIDIS[-1][1:])),
    ]


def test_the_strength_goes_from_the_image_alone_to_the_map_alone() -> None:
    image = np.full((4, 8, 3), 90, "uint8")
    values = np.zeros((4, 8), "float32")
    values[:, 4:] = 2
    assert np.unique(overlay(image, values, 2, 0, 80)).tolist() == [90]
    whole = overlay(image, values, 2, 1, 80)
    assert whole.shape == (40, 80, 3)
    assert whole[:, 79].tolist() == [list(bytes.fromhex(VIRIDIS[-1][1:]))] * 40
    assert whole[:, 0].tolist() == [list(bytes.fromhex(VIRIDIS[0][1:]))] * 40


def test_a_map_without_a_value_above_zero_has_the_darkest_colour_everywhere() -> None:
    found = overlay(np.zeros((2, 2, 1), "uint8"), np.full((2, 2), -1.0), 0.0, 1, 2)
    assert np.unique(found.reshape(-1, 3), axis=0).tolist() == [list(bytes.fromhex(VIRIDIS[0][1:]))]
