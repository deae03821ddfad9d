"""Image files and small datasets."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from core.importing.importer import import_images


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, "PNG")
    return buffer.getvalue()


def imported(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (8, 10, 10, 3), dtype=np.uint8)
    for number, image in enumerate(pixels):
        folder = tmp_path / "pets" / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number}.png")
    import_images("pets", tmp_path / "pets", workers=1)


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip archive with some files."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return written.getvalue()
