"""Where things lie and who may do what: read once from the environment.

| variable | meaning | default |
|---|---|---|
| `ARCHLAB_HOME` | folder of everything that is written | `mlruns/` beside the program |
| `MLFLOW_TRACKING_URI` | another tracking store (a server, PostgreSQL) | SQLite in the home folder |
| `ARCHLAB_HOSTS` | names under which browsers reach the dashboard, with commas between | this machine's |
| `ARCHLAB_ROLE` | `trainer` (may launch, cancel, import) or `viewer` (may look and predict) | `trainer` |
| `ARCHLAB_SLOTS` | how many trainings run at once | one a GPU, or one for every four cores |
| `ARCHLAB_MEMORY` | MiB of memory that one training on the CPU may take | what there is |
| `ARCHLAB_GPU_MEMORY` | MiB of a GPU that one training may take | all, or its share where slots share a GPU |
| `ARCHLAB_IDLE_MINUTES` | a training that computes nothing for so long is ended; 0: never | 60 |
| `ARCHLAB_EXECUTOR` | where runs train: `local`, or `ray` (docs/cluster.md) | `local` |
| `ARCHLAB_RAY_ADDRESS` | address of the Ray head's dashboard, `http://host:8265` | none |
| `ARCHLAB_RAY_TOKEN` | the token of the cluster | none |
| `ARCHLAB_RAY_GPUS` | how many of the cluster's GPUs a run takes: 1 or 0 | 1 |
| `ARCHLAB_ARCHITECTURES` | folder with nets of your own, one Python file a family | none |
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
ROLES = ("trainer", "viewer")
PRIVATE = 0o700  # permissions of the home
EXECUTORS = ("local", "ray")
HOST = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+")
MOST_MIB = 1 << 30  # a PiB: more is a slip of the pen


LOW_DISK = 32 << 20  # bytes free, below which no training begins


class SettingsError(ValueError):
    """The environment asks for something that cannot be; the message says which variable and why."""


class NotAllowed(PermissionError):
    """The role of this server does not permit the action."""


@dataclass(frozen=True)
class Settings:
    """Paths and limits of this installation; every path is absolute."""

    home: Path
    tracking_uri: str = field(repr=False)  # may have a password in it
    role: str = "trainer"
    slots: int = 0  # 0: one a GPU, or one for every four cores
    idle_minutes: float = 60.0  # a training that computes nothing for so long is ended; 0: never
    memory: int = 0  # MiB that one training may take of the machine's memory; 0: no limit
    gpu_memory: int = 0  # MiB that one training may take of a GPU; 0: all, or its share where slots share it
    executor: str = "local"  # where queued runs train: on this machine, or as jobs of a Ray cluster
    ray_address: str = ""  # of the head's dashboard
    ray_token: str = field(default="", repr=False)
    ray_gpus: int = 1  # of the cluster, that a run takes; 0: a CPU
    hosts: tuple[str, ...] = ()  # names in a browser's address, beside this machine's own
    architectures: Path | None = None  # its files are run as programs: never a folder others can write to

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
        """What an interrupted run goes on from."""
        return self.jobs / run_id / "checkpoint.npz"

    def log(self, run_id: str) -> Path:
        """What a run's training prints."""
        return self.jobs / run_id / "log.txt"

    def progress(self, run_id: str) -> Path:
        """How far a run is, as its training wrote it last: `core.tracking.progress`."""
        return self.jobs / run_id / "progress.json"

    def memory_file(self, run_id: str) -> Path:
        """What memory a run takes, as it was estimated: `core.system.memory.Memory`."""
        return self.jobs / run_id / "memory.json"

    @property
    def weights(self) -> Path:
        """Weight files that a person put there for nets to start from."""
        return self.home / "weights"

    @property
    def cache(self) -> Path:
        """Things that can be computed again."""
        return self.home / "cache"

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
        """Take from others what they may do in a home of ours: it holds images, logs and keys."""
        state = self.home.stat()
        if os.name == "posix" and state.st_uid == os.geteuid() and state.st_mode & 0o077:
            with suppress(OSError):  # a file system without permissions, or read-only: the next check says so
                self.home.chmod(PRIVATE)


def from_environment() -> Settings:
    """Read the settings anew. Raises SettingsError on a value that cannot be used."""
    home = absolute(os.environ.get("ARCHLAB_HOME") or PROGRAM / "mlruns")
    role = os.environ.get("ARCHLAB_ROLE", "trainer")
    if role not in ROLES:
        raise SettingsError(f"ARCHLAB_ROLE must be one of {', '.join(ROLES)}. Received: {role!r}.")
    slots = _whole_number("ARCHLAB_SLOTS", 64, "")
    memory = _whole_number("ARCHLAB_MEMORY", MOST_MIB, " of MiB")
    gpu_memory = _whole_number("ARCHLAB_GPU_MEMORY", MOST_MIB, " of MiB")
    idle = os.environ.get("ARCHLAB_IDLE_MINUTES") or "60"
    try:
        idle_minutes = float(idle)
    except ValueError:
        idle_minutes = -1.0
    if not 0 <= idle_minutes < math.inf:
        raise SettingsError(f"ARCHLAB_IDLE_MINUTES must be a number of minutes. Received: {idle!r}.")
    executor = os.environ.get("ARCHLAB_EXECUTOR", "local")
    if executor not in EXECUTORS:
        raise SettingsError(
            f"ARCHLAB_EXECUTOR must be one of {', '.join(EXECUTORS)}. Received: {executor!r}."
        )
    address = os.environ.get("ARCHLAB_RAY_ADDRESS", "")
    if executor == "ray" and not _is_web_address(address):
        raise SettingsError(
            "ARCHLAB_RAY_ADDRESS must be the address of the Ray head's dashboard, http://host:8265. "
            f"Received: {address!r}."
        )
    gpus = os.environ.get("ARCHLAB_RAY_GPUS", "1")
    if gpus not in ("0", "1"):
        raise SettingsError(f"ARCHLAB_RAY_GPUS must be 1 or, on a cluster without, 0. Received: {gpus!r}.")
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow.db'}"
    nets = os.environ.get("ARCHLAB_ARCHITECTURES")
    return Settings(
        home=home,
        tracking_uri=uri,
        role=role,
        slots=slots,
        memory=memory,
        gpu_memory=gpu_memory,
        idle_minutes=idle_minutes,
        executor=executor,
        ray_address=address,
        ray_token=os.environ.get("ARCHLAB_RAY_TOKEN", ""),
        ray_gpus=int(gpus),
        hosts=_hosts(),
        architectures=absolute(nets) if nets else None,
    )


def absolute(path: str | Path) -> Path:
    """The path that a person wrote, absolute, with `~` and every link resolved.

    Never fails: an unknown `~name` and links in a circle stay as they are, so that opening the path says why.
    """
    return Path(os.path.realpath(os.path.expanduser(path)))


def _hosts() -> tuple[str, ...]:
    """The names in ARCHLAB_HOSTS. Raises SettingsError for what is no name of a host."""
    names = [name.strip() for name in os.environ.get("ARCHLAB_HOSTS", "").split(",") if name.strip()]
    for name in names:
        if not HOST.fullmatch(name):
            raise SettingsError(
                "ARCHLAB_HOSTS must be names of hosts without ports, as lab.example.org or *.example.org. "
                f"Received: {name[:80]!r}."
            )
    return tuple(names)


def _whole_number(variable: str, most: int, unit: str) -> int:
    """The value of a variable, 0 where it is not set. Raises SettingsError."""
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
    except ValueError:  # a port that is no number, brackets without an address
        return False


@cache
def get_settings() -> Settings:
    """The settings of this process, whose libraries are kept in its home from here on."""
    settings = from_environment()
    contain(settings.home)
    return settings
