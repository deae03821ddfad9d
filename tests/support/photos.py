"""Fixtures of the tests of datasets and images: a temporary home, and small images made on the spot."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.datasets import store
from core.system.settings import get_settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The home folder of this test."""
    monkeypatch.setenv("ARCHLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("core.importing.importer.default_workers", lambda: 1)  # a few images need no more
    get_settings.cache_clear()
    yield tmp_path / "home"
    get_settings.cache_clear()


class Photos:
    """A folder of somebody's images, outside the home."""

    def __init__(self, root: Path):
        self.root = root

    def add(self, *paths: str, size: tuple[int, int] = (8, 8), mode: str = "RGB", seed: int = 0) -> None:
        """Save noise under each path (height × width), a different image each; the suffix is the format."""
        for number, path in enumerate(paths):
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            noise(size, mode, seed + number + hash_of(path)).save(target)

    def pair(self) -> None:
        """Two classes of four images: what goes wrong in a test goes wrong beside these."""
        self.add(*(f"{label}/{i}.png" for label in ("cat", "dog") for i in range(4)))

    def write(self, path: str, data: bytes) -> Path:
        """Write a file of these bytes."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return target

    def zipped(self, prefix: str = "") -> Path:
        """Pack the folder into an archive beside it."""
        archive = self.root.with_suffix(".zip")
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for path in sorted(self.root.rglob("*")):
                if path.is_file():
                    file.write(path, prefix + path.relative_to(self.root).as_posix())
        return archive


def hash_of(text: str) -> int:
    """A number of a text, the same in every process."""
    return int.from_bytes(text.encode("utf-8", "surrogateescape")[-6:], "little")


def noise(size: tuple[int, int], mode: str, seed: int) -> Image.Image:
    """An image of random pixels; CMYK, palettes and 16 bit included."""
    generator = np.random.default_rng(seed)
    if mode == "I;16":
        return Image.fromarray(generator.integers(0, 65536, size, dtype=np.uint16))
    grey = generator.integers(0, 256, size, dtype=np.uint8)
    if mode == "L":
        return Image.fromarray(grey)
    return Image.fromarray(generator.integers(0, 256, (*size, 3), dtype=np.uint8)).convert(mode)


@pytest.fixture(scope="session")
def photos_at() -> type[Photos]:
    """Called with a folder: the images in it."""
    return Photos


@pytest.fixture
def photos(tmp_path: Path) -> Photos:
    """An empty folder of images."""
    (tmp_path / "photos").mkdir()
    return Photos(tmp_path / "photos")


@pytest.fixture
def png() -> bytes:
    """A small valid image."""
    buffer = io.BytesIO()
    noise((8, 8), "RGB", 7).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def nothing_written(home: Path) -> Callable[[], None]:
    """Called: asserts that the datasets folder holds no dataset and nothing half-made."""

    def check() -> None:
        left = sorted(path.name for path in (home / "datasets").glob("*")) if home.is_dir() else []
        assert [name for name in left if name != store.LOCK] == []

    return check
