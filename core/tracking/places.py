"""Where MLflow keeps artifacts: on this machine, as `file:` addresses, or elsewhere."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname


def local_path(place: str) -> Path | None:
    """Return the path of a `file:` address; None for any other."""
    parts = urlsplit(place)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None
