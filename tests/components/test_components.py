"""Every optimizer, schedule, preprocessing and loss: what follows from its registry entry."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.components import Component, Setting, table
from core.components.optimizers import optimizers
from core.config import ConfigError, ExperimentConfig, from_yaml
from core.config.part import ComponentPart
from core.system.settings import PROGRAM
from core.ui.train.form_url import query

PARTS = {part.part: part for part in ExperimentConfig().component_parts}
ENTRIES = [(part, entry) for part in PARTS for entry in PARTS[part].registry]
NAMES = [f"{part}-{entry.name}" for part, entry in ENTRIES]
# Every entry once, one of each part together: what is trained costs seconds.
ROWS = range(max(len(PARTS[part].registry.names()) for part in PARTS))
TOGETHER = [
    [(part, [*PARTS[part].registry][row % len(PARTS[part].registry.names())]) for part in PARTS]
    for row in ROWS
    for row in ROWS
]
NEEDED = {"boundaries": "3, 7"}  # a value for each setting that an entry requires
WHERE = Path(PROGRAM) / "docs" / "components.md"


def chosen(part: str, entry: Component, **settings: object) -> ExperimentConfig:
    return ExperimentConfig().with_values(values(part, entry, **settings))


def values(part: str, entry: Component, **settings: object) -> dict[str, object]:
    needed = {name: NEEDED[name] for name in entry.required}
    changes = {PARTS[part].chooser: entry.name, **needed, **settings}
    return {f"{part}.{name}": value for name, value in changes.items()}


def other_value(setting: Setting, default: Any) -> Any:
    """Return an allowed value that is not the default."""
    if setting.choices:
        return next(word for word in setting.choices if word != default)
    if isinstance(default, bool):
        return not default
    if isinstance(default, int):
        return default + 1
    if isinstance(default, float):
        low = setting.gt if setting.ge is None else setting.ge
        return ((low or 0.0) + default) / 2 if default > (low or 0.0) else default + 0.25
    return "0.5, 0.25"


@pytest.mark.parametrize(("part", "entry"), ENTRIES, ids=NAMES)
def test_the_config_takes_an_entry_and_keeps_its_settings(part: str, entry: Component) -> None:
    own: ComponentPart = getattr(chosen(part, entry), part)
    assert own.component is entry
    assert {name: value for name, value in own.values.items() if name not in entry.required} == {
        setting.name: entry.default(setting)
        for setting in entry.settings
        if setting.name not in entry.required
    }
    changed = {
        setting.name: other_value(setting, entry.default(setting))
        for setting in entry.settings
        if setting.name not in entry.required
    }
    config = chosen(part, entry, **changed)
    assert from_yaml(config.to_yaml()) == config
    assert {name: config.flat()[f"{part}.{name}"] for name in changed} == changed
    assert {name: getattr(config, part).values[name] for name in changed} == changed


@pytest.mark.parametrize(("part", "entry"), ENTRIES, ids=NAMES)
def test_a_value_outside_of_the_range_is_refused_in_words(part: str, entry: Component) -> None:
    for setting in entry.settings:
        wrong: dict[object, str] = {}
        for rule, step, words in (
            ("gt", 0.0, "be greater than"),
            ("ge", -1.0, "be at least"),
            ("lt", 0.0, "be less than"),
            ("le", 1.0, "be at most"),
        ):
            if (bound := getattr(setting, rule)) is not None:
                wrong[type(setting.default)(bound + step)] = f"{words} {bound:g}"
        if setting.choices:
            wrong["neither"] = "be "
        if setting.is_list:
            wrong["1, x"] = "be numbers with commas between"
        for value, words in wrong.items():
            with pytest.raises(ConfigError) as error:
                chosen(part, entry, **{setting.name: value})
            assert str(error.value).startswith(f"{part}.{setting.name} must {words}"), str(error.value)


@pytest.mark.parametrize(("part", "entry"), ENTRIES, ids=NAMES)
def test_the_address_of_the_form_has_what_is_chosen_alone(part: str, entry: Component) -> None:
    start = query(ExperimentConfig())
    required = {name: NEEDED[name] for name in entry.required}
    found = query(chosen(part, entry))
    added = {name: value for name, value in found.items() if start.get(name) != value}
    assert required.items() <= added.items()
    others = set(added) - set(required)
    assert others <= {part, "optimizer", "schedule", PARTS[part].chooser}
    assert bool(others) == (getattr(PARTS[part], PARTS[part].chooser) != entry.name)
    for setting in entry.settings:
        if setting.name not in entry.required:
            value = other_value(setting, entry.default(setting))
            assert len(query(chosen(part, entry, **{setting.name: value}))) == len(found) + 1


@pytest.mark.parametrize("kind", table.KINDS)
def test_the_documentation_lists_the_registry(kind: str) -> None:
    lines = [
        f"| `{row['name']}` | {row['summary']} | {row['settings']} |" for row in table.rows(table.KINDS[kind])
    ]
    text = WHERE.read_text(encoding="utf-8")
    heading = {"schedules": "Learning-rate schedules"}.get(kind, kind.capitalize())
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    assert [line for line in section.splitlines() if line.startswith("| `")] == lines


def test_one_setting_cannot_mean_two_things() -> None:
    from core.components import settings_of
    from core.components.optimizers.sgd import NESTEROV

    same = Component(name="one", summary="", settings=(NESTEROV,))
    assert settings_of([*optimizers, same])["nesterov"] is NESTEROV
    other = Component(name="two", summary="", settings=(Setting("nesterov", True, "Nesterov"),))
    with pytest.raises(ValueError, match="'nesterov' of 'two' is defined differently"):
        settings_of([*optimizers, other])


def test_entries_are_read_without_keras() -> None:
    code = "import core.components.table, core.config, sys; print('keras' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROGRAM, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", optimizers.names())
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_state_of_an_optimizer_is_what_keras_keeps(name: str, momentum: float) -> None:
    import keras

    from core.components.schedules import Length
    from core.training.optimizers import make_optimizer

    config = ExperimentConfig().with_values({"optimizer.name": name, "optimizer.momentum": momentum})
    for ema in (0.0, 0.9):
        chosen = config.with_values({"optimizer.ema": ema})
        optimizer = make_optimizer(chosen, Length(1, 1))
        weight = keras.Variable([[0.0] * 7] * 11)
        optimizer.build([weight])
        kept = sum(math.prod(one.shape) for one in optimizer.variables if one.shape == weight.shape)
        assert chosen.optimizer.state_per_weight == kept / 77


@pytest.mark.slow
@pytest.mark.parametrize("entries", TOGETHER, ids=lambda those: "-".join(entry.name for _, entry in those))
def test_a_checkpoint_continues_with_them_as_if_never_interrupted(
    entries: list[tuple[str, Component]], tmp_path: Path
) -> None:
    """Two epochs, and one that is saved and continued by another model, end with the same weights."""
    import keras
    import numpy as np

    from core.components.schedules import Length
    from core.experiment.preprocessing import preprocessing_of
    from core.training.checkpoint import Checkpoint
    from core.training.fitting import compile_model

    changes = {name: value for part, entry in entries for name, value in values(part, entry).items()}
    config = ExperimentConfig().with_values({**changes, "optimizer.learning_rate": 0.05})
    images = np.random.default_rng(0).integers(0, 256, (16, 4, 4, 3)).astype("float32")
    labels = np.arange(16) % 3
    mean = images.mean(axis=0)

    def model(seed: int) -> keras.Model:
        keras.utils.set_random_seed(seed)
        pixels = keras.Input((4, 4, 3))
        prepared = preprocessing_of(config.data, (4, 4, 3), mean)(pixels)
        answer = keras.layers.Dense(3, "softmax")(keras.layers.Flatten()(prepared))
        made = keras.Model(pixels, answer)
        compile_model(made, config, Length(2, 4), 1000)
        return made

    def fit(made: keras.Model, first: int, checkpoint: Checkpoint) -> None:
        made.fit(
            images, labels, batch_size=8, shuffle=False, verbose=0, initial_epoch=first, epochs=first + 1,
            callbacks=[checkpoint],
        )  # fmt: skip

    whole = model(seed=1)
    before = whole.get_weights()
    fit(whole, 0, Checkpoint(tmp_path / "whole.npz"))
    fit(whole, 1, Checkpoint(tmp_path / "whole.npz"))
    interrupted = model(seed=1)
    fit(interrupted, 0, Checkpoint(tmp_path / "checkpoint.npz"))
    continued = model(seed=2)
    saved = Checkpoint(tmp_path / "checkpoint.npz").read()
    assert saved is not None
    saved.apply(continued, {})
    fit(continued, 1, Checkpoint(tmp_path / "checkpoint.npz"))
    for one, other in zip(whole.get_weights(), continued.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    changed = [not np.array_equal(one, other) for one, other in zip(before, whole.get_weights(), strict=True)]
    assert any(changed)


@pytest.mark.slow
@pytest.mark.parametrize("units", [1, 3])
@pytest.mark.parametrize("name", table.KINDS["losses"].names())
def test_the_formula_of_a_loss_is_that_of_keras_where_it_has_one(name: str, units: int) -> None:
    import keras
    import numpy as np

    from core.config import TrainingConfig
    from core.training.losses import ClassLoss, make_loss

    training = TrainingConfig(loss=name)
    labels = np.array([0, 1, 1, 0])
    logits = np.random.default_rng(0).normal(size=(4, units)).astype("float32")
    probabilities = np.asarray(
        keras.ops.sigmoid(logits) if units == 1 else keras.ops.softmax(logits, axis=-1)
    )
    ours = ClassLoss(0.0, training.component, training.values).call(labels, probabilities)
    assert ours.shape == (4,)
    assert (np.asarray(ours) > 0).all()
    used = make_loss(training, units)
    if isinstance(used, str):
        theirs = keras.losses.get(used)(labels[:, None], probabilities)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
