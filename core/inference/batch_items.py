"""The images of a batch: uploaded files, the members of a zip archive, a folder of this machine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from core.images.archive import ArchiveRefused, list_archive, read_member
from core.importing.layout import is_ignored
from core.importing.walk import walk
from core.inference.batch import MOST_IMAGES, Item
from core.system.settings import Settings

MOST_ENTRIES = 100_000  # files and folders that are looked at in a folder: about a second
ENDINGS = frozenset(
    (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2", ".avif")
)


class Items(NamedTuple):
    """What was found. note: what was left out, in a sentence. close: to be called when all were read."""

    items: list[Item]
    note: str = ""
    close: Callable[[], None] = lambda: None


def of_zip(settings: Settings, name: str, data: bytes) -> Items:
    """List the images of an archive, which is kept on disk, without a name, until the items are closed.

    Raises ValueError, a sentence, when it cannot be read, OSError when it cannot be kept.
    """
    settings.cache.mkdir(parents=True, exist_ok=True)
    number, path = tempfile.mkstemp(dir=settings.cache, suffix=".zip")
    kept = open(number, "w+b")  # noqa: SIM115, closed with the items
    try:
        kept.write(data)
        kept.flush()
        contents = list_archive(Path(path))
    except ArchiveRefused as error:
        kept.close()
        raise ValueError(str(error).replace(Path(path).name, name)) from error
    except BaseException:
        kept.close()
        raise
    finally:
        Path(path).unlink(missing_ok=True)  # members are read by the descriptor; a killed process leaves none
    found = [
        Item(member, at.size, partial(read_member, kept.fileno(), at))
        for member, at in contents.members
        if _is_image(member)
    ]
    others = len(contents.members) + len(contents.problems) - len(found)
    return _bounded(found, others, kept.close)


def of_folder(settings: Settings, path: str) -> Items:
    """List the images of a folder of this machine; links that lead out of it are not followed.

    Raises NotAllowed on a read-only server, ValueError, a sentence, where there is no such folder or it holds
    more than `MOST_ENTRIES`.
    """
    settings.require_trainer("read folders of this machine")
    root = Path(os.path.expanduser(path))
    if not path or not root.is_dir():
        raise ValueError(f"There is no folder '{path}' on this machine.")
    walked, found = walk(root, most=MOST_ENTRIES), list[Item]()
    for name in sorted(filter(_is_image, walked.files)):
        with suppress(OSError):  # gone since it was listed
            found.append(Item(name, (root / name).stat().st_size, (root / name).read_bytes))
    return _bounded(found, len(walked.files) + len(walked.refused) - len(found))


def label_of(name: str, classes: Sequence[str]) -> str | None:
    """Return the class that the folder of an image is named after; None where it is none.

    The nearest folder counts; capitals do not, unless two classes differ in them alone.
    """
    by_name = {one.casefold(): one for one in classes}
    exact = len(by_name) < len(classes)
    for folder in reversed(PurePosixPath(name).parent.parts):
        found = folder if folder in classes else None if exact else by_name.get(folder.casefold())
        if found is not None:
            return found
    return None


def _is_image(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in ENDINGS and not is_ignored(path.parts)


def _bounded(found: list[Item], others: int, close: Callable[[], None] = lambda: None) -> Items:
    told = []
    if others:
        told.append(f"{others:,} other file{'s are' if others > 1 else ' is'} left out.")
    if len(found) > MOST_IMAGES:
        told.append(f"Of {len(found):,} images the first {MOST_IMAGES:,} are classified.")
    return Items(found[:MOST_IMAGES], " ".join(told), close)
