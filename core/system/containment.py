"""Keep libraries from writing outside the home and from sending telemetry.

They read the environment when they are imported; child processes inherit it.
"""

from __future__ import annotations

import os
from pathlib import Path

SILENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime's import alone would write a device id into ~/.cache
}
# Where libraries would write into the user's home folder: ~/.keras, ~/.config/matplotlib, ~/.nv. JAX would
# keep nothing: with a folder, a step that any training has compiled is not compiled again.
FOLDERS = {
    "KERAS_HOME": "keras",
    "MPLCONFIGDIR": "cache/matplotlib",
    "CUDA_CACHE_PATH": "cache/cuda",
    "JAX_COMPILATION_CACHE_DIR": "cache/jax",
}

_set: dict[str, str] = {}  # values that this process set itself, which another home replaces


def contain(home: Path) -> None:
    """Point the libraries of this process and its children to `home`.

    Variables that the user has set stay. Call it before the libraries are imported; `get_settings` does.
    """
    os.environ.update(SILENT)
    for variable, folder in FOLDERS.items():
        if os.environ.get(variable) in (None, "", _set.get(variable)):
            _set[variable] = os.environ[variable] = str(home / folder)
