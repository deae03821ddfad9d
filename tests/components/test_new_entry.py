"""One new file is a new optimizer, schedule, preprocessing or loss: in config, form, lists and training."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.system.settings import PROGRAM, Settings

pytestmark = pytest.mark.slow

FILES = {
    "optimizers": """
from core.components.optimizers import Optimizer, optimizers
from core.components.settings import Setting

def build(values, **common):
    import keras
    return keras.optimizers.Adam(beta_1=values["first_decay"], **common)

optimizers.register(Optimizer(
    name="my_adam", summary="Adam with a decay of its own.", build=build, state=lambda values: 2,
    settings=(Setting("first_decay", 0.9, "First decay", "Of gradients.", ge=0, lt=1),),
))
""",
    "schedules": """
from core.components.schedules import Schedule, schedules
from core.components.settings import Setting

schedules.register(Schedule(
    name="linear", summary="Falls along a line.", ends_with_run=True,
    share=lambda values, run, warmup, step, xp: 1 - (1 - values["lowest"]) * step / run.total,
    settings=(Setting("lowest", 0.5, "Lowest share", ge=0, le=1),),
))
""",
    "preprocessing": """
from core.components.preprocessing import Preprocessing, preprocessings
from core.components.settings import Setting

def build(values, shape, mean):
    from keras import layers
    return layers.Rescaling(values["gain"] / 255, name="gained")

preprocessings.register(Preprocessing(
    name="gained", label="times a gain", summary="Scaled.", build=build, layer="Rescaling",
    settings=(Setting("gain", 2.0, "Gain", gt=0, le=8),),
))
""",
    "losses": """
from core.components.losses import Loss, losses
from core.components.settings import Setting

losses.register(Loss(
    name="brier", summary="Squared errors.", settings=(Setting("brier_scale", 1.0, "Scale", gt=0, le=10),),
    formula=lambda values, targets, probabilities, xp:
        values["brier_scale"] * xp.sum((targets - probabilities) ** 2, axis=-1),
))
""",
}

PROGRAM_TEXT = """
import sys, importlib
for kind in ("optimizers", "schedules", "preprocessing", "losses"):
    importlib.import_module(f"core.components.{kind}").__path__.append(f"{sys.argv[1]}/{kind}")

from core.config import ConfigError, ExperimentConfig, from_yaml
config = from_yaml('''
data: {preprocessing: gained, gain: 4}
optimizer: {name: my_adam, first_decay: 0.5}
schedule: {name: linear, lowest: 0.25}
training: {loss: brier, brier_scale: 2, epochs: 1}
''')
try:
    config.with_values({"optimizer.first_decay": 1})
except ConfigError as error:
    print(error)

from core.components import table
print([row["settings"] for row in table.rows(table.KINDS["optimizers"]) if row["name"] == "my_adam"])

from core.launching.checks import chosen
from core.tracking.store import get_store
from core.training.train import train_and_evaluate
store = get_store()
run_id = store.create(config, {}, chosen(config, store))
train_and_evaluate(config, store, run_id)
data = store.run(run_id).data
print(data.params["training.brier_scale"], round(data.metrics["learning_rate"] / 0.001, 2))
print(0 < data.metrics["objective"] < 2 * 2 and data.metrics["objective"] != data.metrics["loss"])
from core.experiment.pretrained import saved_preprocessing
print(saved_preprocessing(store.models.file(run_id), "the run"))

from tests.support.pages import opened
page = opened("pages/2_Train.py", optimizer="my_adam", schedule="linear", loss="brier", first_decay="0.5")
assert not page.exception, page.exception
new = ("first_decay", "lowest", "brier_scale")
print([widget.label for widget in page.number_input if widget.key in new])
print([widget.value for widget in page.number_input if widget.key == "first_decay"])
"""


def test_one_file_is_a_whole_new_entry(settings: Settings, tmp_path: Path) -> None:
    for kind, text in FILES.items():
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "another.py").write_text(text)
    script = tmp_path / "script.py"
    script.write_text(PROGRAM_TEXT)
    done = subprocess.run(
        [sys.executable, "-c", f"exec(open({str(script)!r}).read())", str(tmp_path)],
        cwd=PROGRAM, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line for line in done.stdout.splitlines() if line]
    expected = [
        "optimizer.first_decay must be less than 1. Received: 1.",
        "['first_decay 0.9 (at least 0, below 1)']",
        "2.0 0.29",  # the last of 21 steps: 1 - 0.75 * 20 / 21
        "True",
        "gained",
        "['Lowest share', 'First decay', 'Scale']",
        "[0.5]",
    ]
    assert [line for line in lines if line in expected] == expected, done.stdout
