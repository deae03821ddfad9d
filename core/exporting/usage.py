"""Code that uses a registered model, for other programs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

PYTHON = """import mlflow
import numpy as np
from PIL import Image

mlflow.set_tracking_uri({store!r})
model = mlflow.pyfunc.load_model({uri!r})
image = Image.open("image.png").convert({mode!r}).resize(({width}, {height}), Image.Resampling.BICUBIC)
images = np.asarray(image, "float32").reshape(1, {height}, {width}, {channels})  # pixels of 0 to 255
probabilities = np.asarray(model.predict(images))[0]
classes = {classes!r}
{one_unit}print(classes[probabilities.argmax()], probabilities.max())
"""
ONE_UNIT = """if len(probabilities) == 1:  # of the second class, by one sigmoid unit
    probabilities = np.append(1 - probabilities, probabilities)
"""
SERVE = """MLFLOW_TRACKING_URI={store} \\
mlflow models serve -m {uri} --env-manager local --host 127.0.0.1 --port {port}
"""
CURL = """python -c '
import json, numpy as np
from PIL import Image
image = Image.open("image.png").convert("{mode}").resize(({width}, {height}), Image.Resampling.BICUBIC)
images = np.asarray(image, "float32").reshape(1, {height}, {width}, {channels})
json.dump({{"inputs": images.tolist()}}, open("image.json", "w"))
'
curl -s http://127.0.0.1:{port}/invocations -H "Content-Type: application/json" -d @image.json
"""


@dataclass(frozen=True)
class Usage:
    """Python code, and two pieces for a shell: the server, and what asks it."""

    python: str
    serve: str
    curl: str


def usage(
    name: str, number: int, store: str, shape: Sequence[int], classes: Sequence[str], port: int = 5001
) -> Usage:
    """Return code that uses a version of a registered model.

    Args:
        store: Address of the tracking store.
        shape: `(H, W, C)` of its images.
        port: That the server listens on.
    """
    height, width, channels = shape
    facts = {
        "store": store,
        "height": height,
        "width": width,
        "channels": channels,
        "mode": "L" if channels == 1 else "RGB",
        "port": port,
    }
    uri = f"models:/{name}/{number}"
    quoted = {"uri": shlex.quote(uri), "store": shlex.quote(store)}
    one_unit = ONE_UNIT if len(classes) == 2 else ""
    python = PYTHON.format(**facts, uri=uri, classes=list(classes), one_unit=one_unit)
    return Usage(python, SERVE.format(**facts | quoted), CURL.format(**facts))
