"""The settings of this installation: paths, limits and roles, read once from the environment.

| variable | meaning | default |
|---|---|---|
| `ARCHLAB_HOME` | folder of everything that is written | `mlruns/` beside the program |
| `MLFLOW_TRACKING_URI` | another tracking store (a server, PostgreSQL) | SQLite in the home folder |
| `ARCHLAB_HOSTS` | names under which browsers reach the dashboard, with commas between | this machine's |
| `ARCHLAB_ROLE` | `trainer` (may launch, cancel, import) or `viewer` (may read and predict) | `trainer` |
| `ARCHLAB_SLOTS` | how many runs train at once | one per GPU, or one for every four cores |
| `ARCHLAB_MEMORY` | MiB of memory that one run on the CPU may take | no limit |
| `ARCHLAB_GPU_MEMORY` | MiB of a GPU that one run may take | all, or its share where slots share a GPU |
| `ARCHLAB_IDLE_MINUTES` | a run that computes nothing for this long is ended; 0: never | 60 |
| `ARCHLAB_SPARE_MINUTES` | how long Keras, imported ahead, waits for a run; 0: nothing starts ahead | 10 |
| `ARCHLAB_EXECUTOR` | where runs train: `local`, or `ray` (docs/cluster.md) | `local` |
| `ARCHLAB_RAY_ADDRESS` | address of the Ray head's dashboard, `http://host:8265` | none |
| `ARCHLAB_RAY_TOKEN` | the token of the cluster | none |
| `ARCHLAB_RAY_GPUS` | how many of the cluster's GPUs a run takes: 1 or 0 | 1 |
| `ARCHLAB_ARCHITECTURES` | folder with your own models, one Python file per family | none |
"""

from __future__ import annotations

import math
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from core.system.containment import contain

PROGRAM = Path(__file__).resolve().parents[2]
ROLES = ("trainer", "viewer")  # the default first
PRIVATE = 0o700  # permissions of the home
EXECUTORS = ("local", "ray")  # the default first
HOST = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+")
MOST_MIB = 1 << 30  # a PiB: more is a typing error


LOW_DISK = 32 << 20  # bytes free, below which no run starts


class SettingsError(ValueError):
    """A variable of the environment has an unusable value; the message names it and the reason."""


class NotAllowed(PermissionError):
    """The role of this server does not permit the action."""


@dataclass(frozen=True)
class Settings:
    """Paths and limits of this installation; every path is absolute."""

    home: Path
    tracking_uri: str = field(repr=False)  # may contain a password
    role: str = "trainer"
    slots: int = 0  # 0: one per GPU, or one for every four cores
    idle_minutes: float = 60.0  # a run that computes nothing for this long is ended; 0: never
    spare_minutes: float = 10.0  # how long a spare training process waits; 0: see `starts_ahead`
    memory: int = 0  # MiB of the machine's memory that one run may take; 0: no limit
    gpu_memory: int = 0  # MiB of a GPU that one run may take; 0: all, or its share where slots share it
    executor: str = "local"  # where queued runs train: `local`, or `ray` for jobs of a cluster
    ray_address: str = ""  # of the head's dashboard
    ray_token: str = field(default="", repr=False)
    ray_gpus: int = 1  # per run; 0: a CPU
    hosts: tuple[str, ...] = ()  # allowed host names, besides this machine's own
    architectures: Path | None = None  # its files are executed: never a folder that others can write to

    @property
    def database(self) -> Path:
        return self.home / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        return self.home / "artifacts"

    @property
    def datasets(self) -> Path:
        """Imported datasets, one folder each."""
        return self.home / "datasets"

    @property
    def jobs(self) -> Path:
        """Working folders of runs: their logs."""
        return self.home / "jobs"

    def checkpoint(self, run_id: str) -> Path:
        """The checkpoint that an interrupted run continues from."""
        return self.jobs / run_id / "checkpoint.npz"

    def log(self, run_id: str) -> Path:
        """The output of a run's training process."""
        return self.jobs / run_id / "log.txt"

    def progress(self, run_id: str) -> Path:
        """The progress of a run: `core.tracking.progress`."""
        return self.jobs / run_id / "progress.json"

    def memory_file(self, run_id: str) -> Path:
        """The estimated memory of a run: `core.system.memory.Memory`."""
        return self.jobs / run_id / "memory.json"

    @property
    def weights(self) -> Path:
        """Weight files that users put there for models to start from."""
        return self.home / "weights"

    @property
    def cache(self) -> Path:
        """Files that can be computed again."""
        return self.home / "cache"

    @property
    def starts_ahead(self) -> bool:
        """Whether processes that import Keras are started before they are needed."""
        return self.spare_minutes > 0

    def require_trainer(self, action: str) -> None:
        """Raise NotAllowed when this server is read-only."""
        if self.role != "trainer":
            raise NotAllowed(f"This server is read-only (ARCHLAB_ROLE={self.role}): it may not {action}.")

    def check_writable(self) -> None:
        """Create the home folder, for its owner alone. Raises SettingsError when it cannot be written."""
        try:
            self.home.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
            self._keep_private()
        except OSError as error:
            raise SettingsError(f"The folder {self.home} cannot be created: {error.strerror}.") from error
        if not os.access(self.home, os.W_OK | os.X_OK):
            raise SettingsError(
                f"The folder {self.home} is read-only. Make it writable or set ARCHLAB_HOME to another."
            )

    def _keep_private(self) -> None:
        """Remove the permissions of group and others from the home: it holds images, logs and keys."""
        state = self.home.stat()
        if os.name == "posix" and state.st_uid == os.geteuid() and state.st_mode & 0o077:
            with suppress(
                OSError
            ):  # a file system without permissions, or read-only, which the next check reports
                self.home.chmod(PRIVATE)


def from_environment() -> Settings:
    """Read the settings. Raises SettingsError for an unusable value."""
    home = absolute(os.environ.get("ARCHLAB_HOME") or PROGRAM / "mlruns")
    executor = _one_of("ARCHLAB_EXECUTOR", EXECUTORS)
    models = os.environ.get("ARCHLAB_ARCHITECTURES")
    return Settings(
        home=home,
        tracking_uri=os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow.db'}",
        role=_one_of("ARCHLAB_ROLE", ROLES),
        slots=_whole_number("ARCHLAB_SLOTS", 64, ""),
        memory=_whole_number("ARCHLAB_MEMORY", MOST_MIB, " of MiB"),
        gpu_memory=_whole_number("ARCHLAB_GPU_MEMORY", MOST_MIB, " of MiB"),
        idle_minutes=_minutes("ARCHLAB_IDLE_MINUTES", 60),
        spare_minutes=_minutes("ARCHLAB_SPARE_MINUTES", 10),
        executor=executor,
        ray_address=_ray_address(executor),
        ray_token=os.environ.get("ARCHLAB_RAY_TOKEN", ""),
        ray_gpus=_ray_gpus(),
        hosts=_hosts(),
        architectures=absolute(models) if models else None,
    )


def _one_of(variable: str, allowed: tuple[str, ...]) -> str:
    """Return the value of a variable, by default the first that is allowed. Raises SettingsError."""
    value = os.environ.get(variable, allowed[0])
    if value not in allowed:
        raise SettingsError(f"{variable} must be one of {', '.join(allowed)}. Received: {value!r}.")
    return value


def _minutes(variable: str, default: float) -> float:
    """Return the value of a variable that is a number of minutes. Raises SettingsError."""
    text = os.environ.get(variable) or str(default)
    try:
        minutes = float(text)
    except ValueError:
        minutes = -1.0
    if not 0 <= minutes < math.inf:
        raise SettingsError(f"{variable} must be a number of minutes. Received: {text!r}.")
    return minutes


def _ray_address(executor: str) -> str:
    """Return the value of ARCHLAB_RAY_ADDRESS, which only a cluster needs. Raises SettingsError."""
    address = os.environ.get("ARCHLAB_RAY_ADDRESS", "")
    if executor == "ray" and not _is_web_address(address):
        raise SettingsError(
            "ARCHLAB_RAY_ADDRESS must be the address of the Ray head's dashboard, http://host:8265. "
            f"Received: {address!r}."
        )
    return address


def _ray_gpus() -> int:
    """Return the value of ARCHLAB_RAY_GPUS. Raises SettingsError."""
    gpus = os.environ.get("ARCHLAB_RAY_GPUS", "1")
    if gpus not in ("0", "1"):
        raise SettingsError(f"ARCHLAB_RAY_GPUS must be 1 or, on a cluster without, 0. Received: {gpus!r}.")
    return int(gpus)


def absolute(path: str | Path) -> Path:
    """Return a path in absolute form, with `~` and every link resolved.

    Never fails: an unknown `~name` and circular links stay as they are; opening the path reports them.
    """
    return Path(os.path.realpath(os.path.expanduser(path)))


def _hosts() -> tuple[str, ...]:
    """Return the names in ARCHLAB_HOSTS. Raises SettingsError for an invalid host name."""
    names = [name.strip() for name in os.environ.get("ARCHLAB_HOSTS", "").split(",") if name.strip()]
    for name in names:
        if not HOST.fullmatch(name):
            raise SettingsError(
                "ARCHLAB_HOSTS must be names of hosts without ports, as lab.example.org or *.example.org. "
                f"Received: {name[:80]!r}."
            )
    return tuple(names)


def _whole_number(variable: str, most: int, unit: str) -> int:
    """Return the value of a variable from 0 to `most`; 0 where it is not set. Raises SettingsError."""
    text = os.environ.get(variable) or "0"
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= most):
        raise SettingsError(
            f"{variable} must be a whole number{unit} from 0 to {most}. Received: {text[:40]!r}."
        )
    return int(text)


def _is_web_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is not a number, or brackets without an address
        return False


@cache
def get_settings() -> Settings:
    """Return the settings of this process. The first call points libraries to its home (`contain`)."""
    settings = from_environment()
    contain(settings.home)
    return settings
