"""The code that the Models page shows works as it is copied, also against MLflow's own server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.pyfunc.model import PythonModel
from PIL import Image

from core.datasets import load
from core.exporting.usage import usage
from core.onnx_form.session import Session
from core.tracking import registry
from core.tracking.store import RunStore, get_store
from tests.support.homes import Trained
from tests.support.servers import free_port
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # two processes import TensorFlow


def test_python_server_and_curl_answer_as_the_model(own: Trained, tmp_path: Path) -> None:
    store, digits = get_store(), load("digits")
    pixels = np.asarray(digits.images[digits.indices("test")[:1]])
    Image.fromarray(pixels[0, ..., 0]).save(tmp_path / "image.png")
    expected = Session(store.onnx_file(own.run_id)).probabilities(pixels)[0]
    version = registry.register(store, own.run_id, "my digits")
    code = usage(version.name, version.number, store.uri, (28, 28, 1), digits.info.classes, free_port())

    known = {name: value for name, value in os.environ.items() if not name.startswith(("ARCHLAB", "MLFLOW"))}
    known["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    shell: dict[str, Any] = {"cwd": tmp_path, "env": known, "text": True}
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            ["bash", "-c", code.serve], stdout=log, stderr=log, start_new_session=True, **shell
        )
    try:
        done = subprocess.run(
            [sys.executable, "-c", code.python], capture_output=True, timeout=400, check=False, **shell
        )
        assert done.returncode == 0, done.stderr
        name, probability = done.stdout.splitlines()[-1].split()  # Keras shows its progress before
        assert name == digits.info.classes[expected.argmax()]
        assert abs(float(probability) - expected.max()) < 1e-4
        address = code.curl.partition("http://")[2].partition("/")[0]

        def answers() -> bool:
            assert server.poll() is None, (tmp_path / "log").read_text()
            try:
                return urllib.request.urlopen(f"http://{address}/ping", timeout=5).status == 200
            except OSError:
                return False

        wait_for(answers, 400)
        asked = subprocess.run(
            ["bash", "-c", code.curl], capture_output=True, timeout=200, check=False, **shell
        )
        assert asked.returncode == 0, asked.stderr
        given = np.array(json.loads(asked.stdout)["predictions"][0])
        assert np.abs(given - expected).max() < 1e-4
    finally:
        with suppress(ProcessLookupError):  # it ended by itself, which is what has failed
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def test_no_name_and_no_address_runs_code_in_the_shell(tmp_path: Path) -> None:
    name, store = "it's $(touch found)'; touch found; '", "sqlite:///it's `touch found`/mlflow.db"
    code = usage(name, 1, store, (28, 28, 1), ["a", "b"])
    said = 'mlflow() { printf \'%s\\n\' "$MLFLOW_TRACKING_URI" "$@"; }\n'
    done = subprocess.run(["bash", "-c", said + code.serve], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:5] == [store, "models", "serve", "-m", f"models:/{name}/1"]
    assert not list(tmp_path.iterdir())


class OneUnit(PythonModel):
    """Answers as one sigmoid unit does: `(N, 1)`, the probability of the second class."""

    def predict(self, context: Any, model_input: np.ndarray, params: Any = None) -> np.ndarray:
        return np.full((len(model_input), 1), 0.25)


def test_one_sigmoid_unit_is_the_probability_of_the_second_class(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (9, 7)).save("image.png")
    mlflow.pyfunc.save_model("model", python_model=OneUnit(), pip_requirements=[])
    store.client.create_registered_model("pair")
    store.client.create_model_version("pair", str(tmp_path / "model"))
    capsys.readouterr()
    exec(usage("pair", 1, store.uri, (8, 6, 3), ["cat", "dog"]).python, {})
    assert capsys.readouterr().out == "cat 0.75\n"
