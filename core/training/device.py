"""The device a process computes on."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
import sys
from typing import Any

import keras

from core.settings import PROGRAM

PACKAGES = ("keras", "tensorflow", "jax", "numpy", "mlflow", "pandas", "pillow")


def set_up_device() -> None:
    """Let a GPU's memory grow with need, so that several processes can share it."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)


def on_gpu() -> bool:
    return any(device.startswith(("gpu", "cuda")) for device in keras.distribution.list_devices())


def environment() -> dict[str, Any]:
    """What a result depends on besides its config: packages, device, code."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "backend": keras.backend.backend(),
        "devices": keras.distribution.list_devices() or ["cpu:0"],
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "code": _code_version(),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _code_version() -> str:
    """The commit of this checkout, with a + when files were changed since; empty outside of git."""
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12"],
            cwd=PROGRAM,
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()
