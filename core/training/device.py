"""The device a process computes on, and how exactly it computes there."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import keras

from core.config import TrainingConfig
from core.system import devices
from core.system.settings import PROGRAM, get_settings

PACKAGES = ("keras", "tensorflow", "jax", "numpy", "mlflow", "pandas", "pillow")

# Compute capabilities from which on a GPU has tensor cores for a format of 16 bits.
BFLOAT16_FROM, FLOAT16_FROM = (8, 0), (7, 0)

COMPILED_BYTES = 2 << 30  # of compiled steps that JAX keeps in the home; the ones used last stay


class DeviceError(RuntimeError):
    """This machine cannot compute as the config asks."""


def set_up_device(training: TrainingConfig | None = None) -> None:
    """Take of each GPU what is needed, or the part that the settings allow.

    With a config, compute as exactly and as repeatably as it says.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        limit = get_settings().gpu_memory
        for gpu in tf.config.list_physical_devices("GPU"):
            if limit:
                part = tf.config.LogicalDeviceConfiguration(memory_limit=limit)
                tf.config.set_logical_device_configuration(gpu, [part])
            else:
                tf.config.experimental.set_memory_growth(gpu, True)
        if training is not None and training.deterministic:
            tf.config.experimental.enable_op_determinism()
    elif keras.backend.backend() == "jax":
        import jax

        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # read when the first device is used
        # Pass arrays that a layer holds to the compiled step instead of writing them into it: with the 150 MB
        # of CIFAR-10 in `FromDevice` compiling took 60 to 80 s on a CPU, and 0.6 s so.
        jax.config.update("jax_use_simplified_jaxpr_constants", True)
        jax.config.update("jax_compilation_cache_max_size", COMPILED_BYTES)  # else it grows for ever
    if training is not None:
        name = precision(training)
        keras.config.set_dtype_policy(name if name == "float32" else f"mixed_{name}")
        if not on_gpu() and (missed := devices.gpus()):
            print(
                f"This training computes on the CPU: Keras sees none of the {len(missed)} GPUs that the "
                "driver lists. The command `core doctor` says why."
            )


def on_gpu() -> bool:
    return any(device.startswith(("gpu", "cuda")) for device in keras.distribution.list_devices())


def precision(training: TrainingConfig) -> str:
    """The format of activations: what the config says, or with `auto` what the device is fastest in.

    A CPU computes 16-bit formats by way of 32 bits, so they cost time there.
    """
    if training.precision != "auto":
        return training.precision
    capability = _compute_capability()
    if capability >= BFLOAT16_FROM:
        return "bfloat16"
    return "float16" if capability >= FLOAT16_FROM else "float32"


def compiles_with_xla(training: TrainingConfig) -> bool:
    """Whether steps are compiled by XLA.

    With `auto` on a GPU, and always under JAX, which otherwise computes operation by operation; on a CPU it
    halves TensorFlow's speed.
    """
    if training.xla == "auto":
        return on_gpu() or keras.backend.backend() == "jax"
    return training.xla == "on"


@contextmanager
def across_devices(count: int) -> Iterator[None]:
    """Share each batch of the models built and compiled inside among `count` devices, GPUs where there are.

    Raises DeviceError when there are fewer.
    """
    if count == 1:
        with nullcontext():
            yield
        return
    if keras.backend.backend() != "tensorflow":
        raise DeviceError("Several devices need the TensorFlow backend.")
    import tensorflow as tf

    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(found) < count:
        raise DeviceError(
            f"training.devices must be at most the number of devices here, {len(found)}. Received: {count}."
        )
    with tf.distribute.MirroredStrategy([device.name for device in found[:count]]).scope():
        yield


@contextmanager
def exact_float32() -> Iterator[None]:
    """Products of 32-bit numbers inside have all their digits: GPUs compute them in TF32, with three."""
    if keras.backend.backend() != "tensorflow":
        import jax

        with jax.default_matmul_precision("highest"):
            yield
        return
    import tensorflow as tf

    enabled = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(enabled)


@contextmanager
def float32_layers() -> Iterator[None]:
    """Layers made inside compute in 32 bits, whatever the policy is."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


def environment() -> dict[str, Any]:
    """What a result depends on besides its config: packages, device, code."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "backend": keras.backend.backend(),
        "devices": keras.distribution.list_devices() or ["cpu:0"],
        "precision": keras.config.dtype_policy().name,
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "code": _code_version(),
    }


def peak_bytes() -> int | None:
    """Most memory that this process has held on its GPUs at once, in bytes; None without a GPU."""
    if not on_gpu():
        return None
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        found = [
            tf.config.experimental.get_memory_info(device.name.removeprefix("/device:"))["peak"]
            for device in tf.config.list_logical_devices("GPU")
        ]
    elif keras.backend.backend() == "jax":
        import jax

        found = [(device.memory_stats() or {}).get("peak_bytes_in_use", 0) for device in jax.local_devices()]
    else:
        return None
    return sum(found) or None


def _compute_capability() -> tuple[int, int]:
    """Of the first GPU; (0, 0) where there is none, or the backend does not say."""
    if not on_gpu():
        return (0, 0)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])
        return details.get("compute_capability", (0, 0))
    if keras.backend.backend() == "jax":
        import jax

        major, _, minor = str(getattr(jax.local_devices()[0], "compute_capability", "")).partition(".")
        return (int(major), int(minor or 0)) if major.isdecimal() else (0, 0)
    return (0, 0)


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
