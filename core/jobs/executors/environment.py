"""The environment of a training process, on this machine and on a cluster."""

from __future__ import annotations

import os
from collections.abc import Mapping

from core.system.environment import process_environment
from core.system.settings import Settings
from core.tracking.patience import without_impatience

RUN = "ARCHLAB_RUN"  # variable with the run's id, in the environment of its process and all children


def training_environment(
    settings: Settings, extra: Mapping[str, str], *, inherited: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment of a training or of the speed probe.

    MLflow's timeouts are as the user set them: a training waits longer for the store than the worker does.

    Args:
        settings: of this process.
        extra: variables of this training: its run, its device.
        inherited: what it inherits; None: the environment of this process.
    """
    return process_environment(
        settings,
        {"TF_CPP_MIN_LOG_LEVEL": "2", **extra},
        inherited=without_impatience(dict(os.environ if inherited is None else inherited)),
    )
