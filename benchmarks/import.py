"""How fast is an import, and what does it hold in memory?

    python benchmarks/import.py ARCHIVE.zip [--rounds 5]

Imports the archive of images in two ways, alternating, and compares medians:

- `loop`: one process opens every member with zipfile and Pillow, rotates it as its EXIF tag says, converts
it,
  resizes it if necessary, writes it to a memory-mapped file, and notes size, digest, label and fingerprint.
- `import`: `core.importing.importer.import_images`, with one worker process per core.

Both end with equal pixels, which is checked. Memory is what is anonymous (not backed by a file) in this
process and its children together, read five times a second; pages of the map can be dropped at any time.
Where other programs compete for the cores, wall time says little: processor time is printed beside it, and
the ratio that it would give on an idle machine, whose cores share the children's work evenly.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import numpy as np
import psutil
from PIL import Image, ImageOps

from core.datasets.store_write import write_index
from core.images.digests import fingerprint, pixel_digest

SAMPLE_S = 0.2  # finding children reads all processes: more often would slow the import


def main() -> None:
    """Measure in processes of their own, alternating, and print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("archive", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["loop", "import"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    archive = options.archive.resolve()
    if options.only:
        print(*measure(loop if options.only == "loop" else run_import, archive))
        return
    cores = len(os.sched_getaffinity(0))
    wall: dict[str, list[float]] = {"loop": [], "import": []}
    idle: dict[str, list[float]] = {"loop": [], "import": []}
    peaks, digests = [], set()
    for number in range(options.rounds):
        for way in wall:
            command = [sys.executable, __file__, str(archive), "--only", way]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            *figures, digest = done.stdout.split()
            seconds, own, children, peak = map(float, figures)
            wall[way].append(seconds)
            idle[way].append(own + children / cores)
            peaks.append(peak)
            digests.add(digest)
            print(
                f"round {number + 1}  {way:6}  {seconds:6.2f} s; processor {own:5.2f} s here, "
                f"{children:5.2f} s in children; {peak:4.0f} MB",
                flush=True,
            )
    if len(digests) != 1:
        raise SystemExit("The two ways differ in what they wrote.")
    for what, times in (("wall time", wall), ("processor time", idle)):
        slow, fast = (statistics.median(times[way]) for way in ("loop", "import"))
        print(f"{what}: loop {slow:.2f} s, import {fast:.2f} s: {slow / fast:.2f} times on {cores} cores")
    print(f"peak anonymous memory: {max(peaks):.0f} MB")


def measure(way: Callable[[Path, Path], np.ndarray], archive: Path) -> tuple[float, float, float, float, str]:
    """Measure one way.

    Returns wall seconds, own and children's processor seconds, peak memory in MB, and a digest of the pixels.
    """
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ARCHLAB_HOME"] = folder
        watch = Watch()
        started, before = time.perf_counter(), os.times()
        images = way(archive, Path(folder))
        seconds, after = time.perf_counter() - started, os.times()
        peak = watch.stop()
        own = after.user + after.system - before.user - before.system
        children = after.children_user + after.children_system
        return seconds, own, children, peak / 1e6, blake2b(images.data, digest_size=8).hexdigest()


class Watch:
    """Follows the anonymous memory of this process and its children in a thread."""

    def __init__(self) -> None:
        self._peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """Stop watching and return the peak in bytes."""
        self._over.set()
        self._thread.join()
        return self._peak

    def _follow(self) -> None:
        me = psutil.Process()
        while not self._over.wait(SAMPLE_S):
            processes = [me, *me.children(recursive=True)]
            self._peak = max(self._peak, sum(anonymous_bytes(process.pid) for process in processes))


def anonymous_bytes(pid: int) -> int:
    """Return RssAnon of a process; 0 if it has ended."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def run_import(archive: Path, folder: Path) -> np.ndarray:
    """Run the program's own import."""
    from core import datasets
    from core.importing.importer import import_images

    import_images("measured", archive)
    return datasets.load("measured").images


def loop(archive: Path, folder: Path) -> np.ndarray:
    """Do the same work in a single-process loop over Pillow."""

    with zipfile.ZipFile(archive) as file:
        names = sorted(
            (name for name in file.namelist() if not name.endswith("/")),
            key=lambda name: (name.split("/")[0] != "train", name),
        )
        with Image.open(io.BytesIO(file.read(names[0]))) as first:
            width, height = first.size
            mode = "L" if first.mode == "L" else "RGB"
        channels = 1 if mode == "L" else 3
        shape = (len(names), height, width, channels)
        images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, shape)
        digests, sizes, labels = [], np.empty((len(names), 2), np.int32), []
        for row, name in enumerate(names):
            with Image.open(io.BytesIO(file.read(name))) as opened:
                image: Image.Image = ImageOps.exif_transpose(opened)
                sizes[row] = image.height, image.width
                if image.mode != mode:
                    image = image.convert(mode)
                if image.size != (width, height):
                    image = image.resize((width, height), Image.Resampling.BICUBIC)
                images[row] = np.asarray(image).reshape(shape[1:])
            digests.append(pixel_digest(np.ascontiguousarray(images[row])))
            labels.append(name.split("/")[-2])
    classes, codes = np.unique(labels, return_inverse=True)
    subsets = np.array([0 if name.startswith("train") else 2 for name in names], np.int8)
    fingerprint((height, width, channels), classes.tolist(), codes, subsets, digests)
    write_index(
        folder, labels=codes, subsets=subsets, source_names=names, groups=None, sizes=sizes, digests=digests
    )
    images.flush()
    return images


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    main()
