"""The sizes of the GPU benchmark, for a GPU and for a rehearsal on a CPU, and the rows of its table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

CIFAR, LARGE, MANY = "cifar10", "gpu-large", "gpu-many"  # datasets of the benchmark's own home


@dataclass(frozen=True)
class Row:
    """One row of the table. ok: whether it meets its target; None: it has no target."""

    part: str
    what: str
    value: str
    ok: bool | None = None
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scale:
    """The sizes of everything. The defaults are for a GPU, `REHEARSAL` is for a CPU."""

    recipe: dict[str, Any] = field(default_factory=dict)  # settings of cifar10-fast that are changed
    aim: float = 0.94
    seconds: float = 60.0
    random_images: int = 12_000  # in place of CIFAR-10 where no --data is given
    side: int = 224
    large_images: int = 1024
    large_batch: int = 128
    batch: int = 512
    epochs: int = 4  # the first compiles and is not counted
    depth: int = 20
    precisions: tuple[str, ...] = ("bfloat16", "float32")
    models: tuple[str, ...] = ("resnet_cifar", "cuda_convnet", "resnet50")
    memory_mib: int = 6_000  # that the run with too large a batch may take: of the GPU, or of the machine
    full_batch: int = 16_384  # of resnet_cifar in float32: some 32 GiB
    full_depth: int = 20
    idle_minutes: float = 0.1
    idle_epochs: int = 30  # of resnet50: long enough for several measurements of the idle guard


REHEARSAL = Scale(
    recipe={"model.options.width": 0.125, "training.epochs": 2, "training.batch_size": 64},
    aim=0.0,
    seconds=3600.0,
    random_images=320,
    side=64,
    large_images=24,
    large_batch=8,
    batch=64,
    epochs=2,
    depth=8,
    memory_mib=3_000,
    full_batch=2_048,
    idle_epochs=4,
)
