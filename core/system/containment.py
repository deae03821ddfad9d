"""Libraries write into the home alone and report to nobody.

They take it from the environment when they are imported, and processes hand it on to those they start.
"""

from __future__ import annotations

import os
from pathlib import Path

SILENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}
# Where libraries would write into a person's own folder: ~/.keras, ~/.config/matplotlib, ~/.nv
FOLDERS = {
    "KERAS_HOME": "keras",
    "MPLCONFIGDIR": "cache/matplotlib",
    "CUDA_CACHE_PATH": "cache/cuda",
}

_set: dict[str, str] = {}  # by this process, so that another home replaces it


def contain(home: Path) -> None:
    """Point the libraries of this process, and of all that it starts, to `home`.

    What a person has set stays. To be called before they are imported: `get_settings` does.
    """
    os.environ.update(SILENT)
    for variable, folder in FOLDERS.items():
        if os.environ.get(variable) in (None, "", _set.get(variable)):
            _set[variable] = os.environ[variable] = str(home / folder)
