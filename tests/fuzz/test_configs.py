"""Whatever stands in a config, a `--set` or a list of layers, it is read or refused in one sentence."""

from __future__ import annotations

import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from core.architectures import architectures, checked_choice
from core.architectures.layer_list import check_layers, read_layers
from core.config import ConfigError, ExperimentConfig, from_mapping, from_yaml, parse_assignments
from core.config.parts import Part
from core.schedules import Length, curve
from tests.fuzz import texts
from tests.fuzz.conftest import tries

pytestmark = pytest.mark.slow


def is_one_sentence(error: BaseException) -> bool:
    """Whether a refusal can be read on one screen: one paragraph, not endless, no exception's own words."""
    text = str(error)
    return 0 < len(text) < 3000 and "Traceback" not in text and "integer string conversion" not in text


@given(texts.documents)
@example("training: {epochs: !!int ''}")
@example("x: !!bool foo")
@example("training: {epochs: 0x" + "f" * 9000 + "}")
@example("model: {options: &a {b: *a}}")
@example("[" * 3000)
@example(texts.bomb(9, 9))
@tries(60)
def test_a_config_is_read_or_refused_in_a_sentence(text: str) -> None:
    try:
        config = from_yaml(text)
    except ConfigError as error:
        assert is_one_sentence(error)
    else:
        assert from_yaml(config.to_yaml()) == config


@given(st.lists(texts.assignments, min_size=1, max_size=3))
@example(["training.epochs=1e999"])
@example(["schedule.warmup_epochs=1e308"])
@example(["x" * 5000 + "=[["])
@example(["model.options." + "x" * 5000 + "=[1]"])
@example(["model.options." + "x" * 5000 + "=1"])
@example(["model.options.depth=" + "9" * 400])
@tries(60)
def test_a_setting_is_taken_or_refused_in_a_sentence(assignments: list[str]) -> None:
    try:
        config = ExperimentConfig().with_values(parse_assignments(assignments))
        assert from_yaml(config.to_yaml()) == config
        checked_choice(config.model.name, (32, 32, 3), 10, config.model.options)
    except ValueError as error:
        assert is_one_sentence(error)


@given(texts.values)
@tries(60)
def test_a_tree_of_settings_is_taken_or_refused_in_a_sentence(tree: object) -> None:
    with suppress(ConfigError):
        from_mapping(tree)
    for name in ("data", "model", "schedule"):
        with suppress(ConfigError):
            from_mapping({name: tree})
    with suppress(ConfigError):
        from_mapping({"model": {"options": {"layers": tree}}})


@given(texts.layer_lists, st.integers(2, 1000))
@example("- conv: !!int ''", 10)
@example("- dropout: !!bool x", 10)
@example("- " * 3000 + "flatten", 10)
@example("- conv: {filters: 0x" + "9" * 5000 + "}", 10)
@tries(60)
def test_a_list_of_layers_is_read_or_refused_in_a_sentence(text: str, classes: int) -> None:
    try:
        check_layers(read_layers(text), (28, 28, 1), classes)
    except ValueError as error:
        assert is_one_sentence(error)


@given(
    st.sampled_from([(entry.name, option) for entry in architectures for option in entry.options]),
    st.one_of(texts.scalars, st.sampled_from([10**400, -(10**400), math.nan, math.inf, 1e308])),
)
@tries(60)
def test_an_option_of_a_model_is_taken_or_refused_in_a_sentence(named: tuple, value: object) -> None:
    name, option = named
    try:
        checked_choice(name, (224, 224, 3), 10, {option.name: value})
    except ValueError as error:
        assert is_one_sentence(error)


@given(
    st.dictionaries(
        st.sampled_from([name for name in texts.SETTINGS if name.startswith("schedule.")]),
        st.one_of(
            st.floats(allow_nan=False),
            st.integers(0, 200_000),
            texts.words,
            st.sampled_from(["cosine", "step"]),
        ),
        max_size=5,
    ),
    st.sampled_from(["constant", "step", "piecewise", "exponential", "cosine", "one_cycle", "range_test"]),
    st.integers(1, 10**8),
)
@tries(60)
def test_a_schedule_that_is_taken_has_a_rate_at_every_step(changes: dict, name: str, total: int) -> None:
    try:
        config = ExperimentConfig().with_values({**changes, "schedule.name": name})
    except ConfigError:
        return
    with np.errstate(all="ignore"):
        steps, rates = curve(config, Length(min(total, 500), total))
    assert len(steps) == len(rates)
    assert np.isfinite(rates).all()
    assert (rates >= 0).all()


def _numbers(part: type[Part], prefix: str = "") -> list[tuple[str, FieldInfo]]:
    found = []
    for name, field in part.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Part):
            found += _numbers(field.annotation, f"{prefix}{name}.")
        elif field.annotation in (int, float, float | None):
            found.append((f"{prefix}{name}", field))
    return found


@pytest.mark.parametrize(("name", "field"), _numbers(ExperimentConfig))
def test_every_number_of_a_config_has_bounds(name: str, field: FieldInfo) -> None:
    """A number without them goes on to arithmetic that it overflows."""
    rules = {rule for one in field.metadata for rule in ("ge", "gt", "le", "lt") if hasattr(one, rule)}
    assert rules & {"ge", "gt"}, name
    assert rules & {"le", "lt"}, name
