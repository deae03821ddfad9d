"""Does Keras' backend see the GPU that the machine has? Asked in another process; the answer is kept.

python -m core.system.gpu_check     # checks, stores and prints the result
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.system import devices, nvidia
from core.system.environment import process_environment
from core.system.files import write_whole
from core.system.nvidia import Gpu
from core.system.settings import PROGRAM, Settings, get_settings

TIMEOUT_S = 180.0
NAMES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
# The oldest driver for each major version of CUDA, from the release notes of the CUDA Toolkit.
OLDEST_DRIVER = {12: (525, 60), 13: (580, 65)}
CODE = (
    "import json, keras\n"
    "print('RESULT', json.dumps([keras.backend.backend(), keras.distribution.list_devices()]))"
)


def check(settings: Settings) -> str | None:
    """Ask the backend for its devices and keep the answer.

    Returns:
        One sentence on why it sees no GPU, with the remedy; None where it sees one, or the machine has none.
    """
    found = devices.gpus()
    if not found:
        return None
    environment = process_environment(
        settings,
        {
            **devices.device_environment(found[0].device, 1),
            "TF_CPP_MIN_LOG_LEVEL": "0",  # the reason is in what TensorFlow prints
        },
    )
    try:
        answer = subprocess.run(
            [sys.executable, "-c", CODE],
            cwd=PROGRAM,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        output, printed = answer.stdout, answer.stderr
    except subprocess.TimeoutExpired:
        output, printed = "", f"it did not answer in {TIMEOUT_S:.0f} s"
    sentence = verdict(output, printed, found, cuda_packages(), os.environ)
    path = _file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps({"key": _key(found), "sentence": sentence}))
    return sentence


def known(settings: Settings) -> str | None:
    """Return the problem that the last check found; None once anything that it depends on has changed."""
    return _read(settings, devices.gpus()) or None


def check_if_unknown(settings: Settings) -> None:
    """Check where there is a GPU and no check of it, its driver and the installed packages is kept."""
    found = devices.gpus()
    if found and _read(settings, found) is None:
        check(settings)


def verdict(
    output: str,
    printed: str,
    gpus: Sequence[Gpu],
    packages: Mapping[str, int],
    environment: Mapping[str, str],
) -> str | None:
    """Explain an answer to `CODE`.

    Args:
        output, printed: standard output and standard error of the process that ran it.
        gpus: those that the driver lists; at least one.
        packages: major version of CUDA by installed package, as `cuda_packages` returns it.
        environment: of this process.
    """
    match = re.search(r"^RESULT (.*)$", output, re.MULTILINE)
    if match is None:
        last = (printed.strip().splitlines() or ["no message"])[-1]
        return f"Keras cannot be imported, so nothing can be trained: {last[:300]}"
    backend, seen = json.loads(match[1])
    if any(device.startswith(("gpu", "cuda")) for device in seen):
        return None
    return f"{NAMES.get(backend, backend)} sees no GPU: " + _cause(
        backend, printed, gpus[0], packages, environment
    )


def _cause(
    backend: str, printed: str, gpu: Gpu, packages: Mapping[str, int], environment: Mapping[str, str]
) -> str:
    if backend == "jax" and "cpu" in environment.get("JAX_PLATFORMS", ""):
        return "JAX_PLATFORMS restricts it to the CPU. Unset this variable."
    cuda = max(packages.values(), default=12)
    oldest, driver = OLDEST_DRIVER.get(cuda, (0, 0)), _driver(gpu)
    too_old = "driver version is insufficient" in printed or "INSUFFICIENT_DRIVER" in printed
    if driver and (too_old or driver < oldest):
        return (
            f"the NVIDIA driver {gpu.driver} is too old for CUDA {cuda}, which needs "
            f"{oldest[0]}.{oldest[1]} or newer. Update the driver."
        )
    if backend == "tensorflow" and (not packages or "Cannot dlopen some GPU libraries" in printed):
        return "TensorFlow's CUDA libraries are missing. Install them: make run GPU=1."
    if backend == "jax" and not packages:
        version = 13 if driver >= OLDEST_DRIVER[13] else 12
        return f'its CUDA plugin is missing. Install it: pip install "jax[cuda{version}]".'
    if match := re.search(r"(?:cuInit|CUDA_ERROR_\w+|cuda\w+Error)[^\n]*", printed):
        return (
            f"CUDA does not start ({match[0].strip()[:200]}). Restart the machine; in a container, "
            "start it with access to the GPU (docker run --gpus all)."
        )
    last = (printed.strip().splitlines() or ["it gave no reason"])[-1]
    return f"{last[:200]}. The command `core doctor` asks again."


def cuda_packages() -> dict[str, int]:
    """Installed packages that bring CUDA's libraries, with CUDA's major version."""
    found = {}
    for package in importlib.metadata.distributions():
        name = (package.metadata["Name"] or "").lower()
        if match := re.fullmatch(
            r"(?:nvidia-(?:cudnn|cuda-runtime|cublas)|jax-cuda)-?(?:cu)?(\d+)?(?:-plugin)?", name
        ):
            major = match[1] or package.version.split(".")[0]
            found[name] = int(major)
    return found


def _driver(gpu: Gpu) -> tuple[int, ...]:
    return tuple(int(part) for part in gpu.driver.split(".")[:2] if part.isdecimal())


def _key(found: Sequence[Gpu]) -> list[str]:
    """What an answer depends on."""
    packages = [f"{name} {version}" for name in ("tensorflow", "jax") if (version := _version(name))]
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    cuda = [f"{name} {major}" for name, major in sorted(cuda_packages().items())]
    return [backend, *packages, *cuda, *(f"{gpu.uuid} {gpu.name} {gpu.driver}" for gpu in found)]


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _read(settings: Settings, found: Sequence[Gpu]) -> str | None:
    """The sentence that is kept, empty where all was well; None where no answer is kept."""
    if not found:
        return None
    try:
        kept = json.loads(_file(settings).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return (kept.get("sentence") or "") if kept.get("key") == _key(found) else None


def _file(settings: Settings) -> Path:
    return settings.cache / "gpu_check.json"


def main() -> None:
    print(nvidia.problem() or check(get_settings()) or devices.summary())


if __name__ == "__main__":
    main()
