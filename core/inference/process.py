"""How the prediction processes are started, found, and replaced after an update of the program."""

from __future__ import annotations

from contextlib import suppress

from core.inference.protocol import address_file, read_address
from core.system.code_version import process_version
from core.system.daemon import Daemon
from core.system.settings import Settings

NOT_IMPORTED = ("commands", "jobs", "launching", "training", "ui")  # by the prediction process


def inference_of(settings: Settings) -> Daemon:
    """The prediction process of an installation: all that needs Keras."""
    return Daemon(settings, "inference", ("-m", "core.inference"))


def onnx_inference_of(settings: Settings) -> Daemon:
    """The process that predicts with ONNX files, without Keras."""
    return Daemon(settings, "inference-onnx", ("-m", "core.inference", "onnx"))


def inference_code() -> str:
    """The version of the code that a prediction process started now would run."""
    return process_version(NOT_IMPORTED)


def ensure(daemon: Daemon) -> None:
    """Have a prediction process run with the code as it is now, without waiting for it.

    One that was started before an update of the program finishes its requests and ends. Raises
    SettingsError or OSError where the home cannot be written.
    """
    address = read_address(daemon.settings, daemon.name)
    if address is not None and address.code != inference_code():
        if address.process:
            daemon.retire(address.process)
        else:  # of a version that cannot be retired
            with suppress(FileNotFoundError):  # one client removes it, and no later one stops another process
                address_file(daemon.settings, daemon.name).unlink()
                daemon.stop()
    daemon.ensure()
