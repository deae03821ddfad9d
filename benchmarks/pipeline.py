"""What does it cost to read batches from a memory map, and what does a large dataset hold in memory?

    python benchmarks/pipeline.py speed [--rounds 5]
    python benchmarks/pipeline.py memory [--gigabytes 6] [--steps 400]

`speed` trains lenet5 on 20,000 images of 32×32×3 through `Batches`, once from a memory-mapped file and once
from arrays in memory, alternating in one process, and compares the medians of images per second; a
warm-up epoch is not counted. `memory` trains on a sparse file of that many gigabytes and prints the peak of
anonymous memory (RssAnon), which pages of the map are not part of.

Where other programs compete for the cores, wall time says little: processor time is printed beside it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

SHAPE = (32, 32, 3)
IMAGES, BATCH = 20_000, 128
LARGE_SHAPE = (96, 96, 3)
SAMPLE_S = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["speed", "memory"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--gigabytes", type=float, default=6.0)
    parser.add_argument("--steps", type=int, default=400)
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with tempfile.TemporaryDirectory() as folder:
        if options.what == "speed":
            speed(Path(folder), options.rounds)
        else:
            memory(Path(folder), options.gigabytes, options.steps)


def speed(folder: Path, rounds: int) -> None:
    """Train from the map and from memory, alternating; print every round and the ratio of the medians."""
    generator = np.random.default_rng(0)
    in_memory = generator.integers(0, 256, (IMAGES, *SHAPE), dtype=np.uint8)
    np.save(folder / "images.npy", in_memory)
    mapped = np.load(folder / "images.npy", mmap_mode="r")
    labels = generator.integers(0, 10, IMAGES)
    model = trainer(SHAPE, IMAGES)
    found: dict[str, list[float]] = {"memory": [], "map": []}
    cost: dict[str, list[float]] = {"memory": [], "map": []}
    for number in range(rounds + 1):
        # The second one has warmer caches, so the order changes with every round.
        for way in sorted(found, reverse=number % 2 == 1):
            images = mapped if way == "map" else in_memory
            before = time.process_time()
            rate = images_per_second(model, images, labels, np.arange(IMAGES))
            processor = (time.process_time() - before) / IMAGES * 1e6
            if number:
                found[way].append(rate)
                cost[way].append(processor)
                figures = f"{rate:8,.0f} images/s, {processor:5.1f} µs of processor an image"
                print(f"round {number}  {way:6}  {figures}", flush=True)
    from_memory, from_map = (statistics.median(found[way]) for way in ("memory", "map"))
    print(
        f"memory {from_memory:,.0f}, map {from_map:,.0f} images/s: the map costs "
        f"{1 - from_map / from_memory:.1%} of the speed on {len(os.sched_getaffinity(0))} cores"
    )
    from_memory, from_map = (statistics.median(cost[way]) for way in ("memory", "map"))
    print(f"processor time: the map costs {from_map / from_memory - 1:.1%} more an image")


def memory(folder: Path, gigabytes: float, steps: int) -> None:
    """Train some steps on rows from all of a large file; print the peak of anonymous memory."""
    count = int(gigabytes * 1e9 / np.prod(LARGE_SHAPE))
    path = folder / "images.npy"
    np.lib.format.open_memmap(path, "w+", np.uint8, (count, *LARGE_SHAPE))  # sparse: zeros, hardly any disk
    images = np.load(path, mmap_mode="r")
    labels = np.random.default_rng(0).integers(0, 10, count)
    rows = np.random.default_rng(1).permutation(count)[: steps * BATCH]
    model = trainer(LARGE_SHAPE, len(rows))
    watch = Watch()
    rate = images_per_second(model, images, labels, rows)
    print(
        f"{images.nbytes / 1e9:.1f} GB of uint8, {len(rows):,} images trained at {rate:,.0f} images/s: "
        f"peak anonymous memory {watch.stop() / 1e9:.2f} GB"
    )


def trainer(shape: tuple[int, int, int], images: int) -> Any:
    """Return lenet5 compiled as in a run."""
    from core.architectures import build_model
    from core.config import ExperimentConfig
    from core.schedules import length
    from core.training.fitting import compile_model
    from core.training.models import wrap

    config = ExperimentConfig().with_values({"training.batch_size": BATCH})
    model, _ = wrap(build_model("lenet5", shape, 10), config)
    compile_model(model, config, length(config, images), macs_per_step=BATCH * 10**6)  # about lenet5's
    return model


def images_per_second(model: Any, images: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> float:
    """Measure one epoch."""
    from core.training.pipeline import Batches, fed

    batches = Batches(images, labels, rows, BATCH, seed=0)
    started = time.perf_counter()
    model.fit(fed(batches), verbose=0)
    return len(rows) / (time.perf_counter() - started)


class Watch:
    """Watch the anonymous memory of this process in a thread."""

    def __init__(self) -> None:
        self._peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """The peak in bytes."""
        self._over.set()
        self._thread.join()
        return self._peak

    def _follow(self) -> None:
        while not self._over.wait(SAMPLE_S):
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("RssAnon"):
                    self._peak = max(self._peak, int(line.split()[1]) * 1024)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    main()
