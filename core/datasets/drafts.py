"""Write a dataset in a hidden folder and rename it at the end, so that no reader meets half a dataset.

The next import removes a draft that a killed process left: no process holds the lock in its folder.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from core.datasets.store import LOCK, MANIFEST, folder_of

DRAFT, REPLACED = ".importing-", ".replaced-"


class NameTaken(Exception):
    """A dataset of this name exists, and it was not to be replaced."""


@contextmanager
def draft(name: str, *, overwrite: bool) -> Iterator[Path]:
    """Yield a folder to write a dataset in; it becomes the dataset when the block ends without an exception.

    Args:
        name: of the dataset.
        overwrite: replace a dataset of that name, at the end.

    Raises:
        NameTaken: a dataset of that name exists and `overwrite` is False.
        OSError: the datasets folder cannot be written.
    """
    target = folder_of(name)
    root = target.parent
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / LOCK):
        _sweep(root)
        folder = Path(tempfile.mkdtemp(prefix=f"{DRAFT}{name}-", dir=root))
        alive = FileLock(folder / LOCK)  # held until the import ends or its process dies
        alive.acquire(timeout=0)
    try:
        yield folder
        with FileLock(root / LOCK):
            (folder / LOCK).unlink()
            folder.chmod(0o755)  # a temporary folder is its owner's alone
            _publish(folder, target, overwrite)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        alive.release()


def delete(name: str) -> None:
    """Delete a dataset: hide it at once by renaming, then remove its files."""
    target = folder_of(name)
    with FileLock(target.parent / LOCK):
        hidden = Path(tempfile.mkdtemp(prefix=DRAFT, dir=target.parent))
        target.rename(hidden / name)
    shutil.rmtree(hidden, ignore_errors=True)


def _publish(folder: Path, target: Path, overwrite: bool) -> None:
    if not target.exists():
        folder.rename(target)
        return
    if not overwrite and (target / MANIFEST).is_file():
        raise NameTaken(target.name)
    old = target.with_name(REPLACED + target.name)
    target.rename(old)
    folder.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _sweep(root: Path) -> None:
    """Remove drafts of killed processes; restore a dataset whose replacement was not completed."""
    for folder in root.glob(DRAFT + "*"):
        with suppress(Timeout, OSError), FileLock(folder / LOCK, timeout=0):  # else an import is writing it
            shutil.rmtree(folder, ignore_errors=True)
    for folder in root.glob(REPLACED + "*"):
        target = root / folder.name.removeprefix(REPLACED)
        if target.exists():
            shutil.rmtree(folder, ignore_errors=True)
        else:
            folder.rename(target)
