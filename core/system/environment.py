"""The environment of every Python process that this program starts with its own modules."""

from __future__ import annotations

import os
from collections.abc import Mapping

from core.system.settings import Settings


def process_environment(
    settings: Settings,
    extra: Mapping[str, str] | None = None,
    *,
    inherited: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return an environment in which a process uses the same home and the same tracking store as this one.

    Decoders of images get none of this: see `core.images.limited`.

    Args:
        settings: of this process.
        extra: variables that replace all others of their name.
        inherited: what the process inherits; None: the environment of this process.
    """
    return {
        **(os.environ if inherited is None else inherited),
        "ARCHLAB_HOME": str(settings.home),
        "MLFLOW_TRACKING_URI": settings.tracking_uri,
        "PYTHONUNBUFFERED": "1",
        **(extra or {}),
    }
