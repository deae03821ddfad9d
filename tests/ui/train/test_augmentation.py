"""The form of augmentation shows every config that can be."""

from __future__ import annotations

import pytest

from core.config import AugmentationConfig, ConfigError, ExperimentConfig
from core.ui.train.augmentation import GROUPS, limits

SLIDERS = [slider.name for sliders in GROUPS.values() for slider in sliders]


@pytest.mark.parametrize("name", SLIDERS)
def test_a_slider_reaches_what_the_config_takes_and_no_more(name: str) -> None:
    for value, step in zip(limits(name), (-1, 1), strict=True):
        assert getattr(AugmentationConfig(**{name: value}), name) == value
        with pytest.raises(ConfigError):
            ExperimentConfig().with_values({f"augmentation.{name}": value + step})
