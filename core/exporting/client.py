"""Exports the model of a run in a process of its own: what converts needs TensorFlow, and may crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from core.exporting.formats import FORMATS
from core.exporting.messages import FILES, REPORT, REQUEST, Report, Request
from core.system.environment import process_environment
from core.system.files import parse_object, tail, write_whole
from core.system.records import from_json_values, to_json_values
from core.system.settings import PROGRAM, Settings
from core.tracking.downloads import kept
from core.tracking.store import RunStore

LONGEST_S = 1800.0
KEPT_BYTES = 2 << 30  # of exports that the dashboard offers; the oldest are deleted
LOG = "log.txt"


class NotExported(ValueError):
    """There is no such export of a model; the message says why, in a sentence."""


@dataclass(frozen=True)
class Exported:
    """An export. path: of the file or folder."""

    path: Path
    report: Report


def export(settings: Settings, run_id: str, name: str, folder: Path) -> Exported:
    """Export the model of a finished run into a folder, which is created where it is missing.

    Args:
        name: A key of `FORMATS`.
        folder: It must not have anything of the export's name.

    Raises:
        NotExported: The model has no such form, it answers otherwise than the original, or the folder cannot
            be written. Nothing is left.
    """
    if name not in FORMATS:
        raise NotExported(f"The format must be one of {', '.join(FORMATS)}. Received: {name!r}.")
    target = folder / FORMATS[name].file
    try:
        if target.exists():
            raise NotExported(f"There is already {target}: it is not replaced.")
        if folder.exists() and not folder.is_dir():
            raise NotExported(f"{folder} is no folder.")
        beside = next(one for one in (folder, *folder.absolute().parents) if one.is_dir())  # on the same disk
        with tempfile.TemporaryDirectory(dir=beside, prefix=".export-") as work:
            report = _in_process(settings, Request(run_id, name), Path(work))
            if report.refused:
                raise NotExported(report.refused)
            folder.mkdir(parents=True, exist_ok=True)
            _hand_over(Path(work) / FILES / FORMATS[name].file, target)
    except OSError as error:
        raise NotExported(f"The export cannot be written to {folder}: {error.strerror or error}.") from error
    return Exported(target, report)


def _hand_over(made: Path, target: Path) -> None:
    """Move an export to where nothing is, also not since that was asked.

    A rename alone replaces a file. A link would not, but some disks have none.
    """
    reserve = target.mkdir if made.is_dir() else target.touch
    reserve(exist_ok=False)
    made.replace(target)


def kept_export(store: RunStore, run_id: str, name: str) -> Exported:
    """Return an export of a run's newest model, made unless it was made before; one at a time.

    Raises NotExported as `export` does, FileNotFoundError where the run has no model, NotAllowed on a
    read-only server, which makes no new ones.
    """
    store.settings.require_trainer("export a model")
    folder, model = _kept(store, run_id)

    def make(empty: Path) -> Path:
        with FileLock(folder / ".one.lock"):  # each takes a gigabyte of memory
            made = export(store.settings, run_id, name, empty / name)
        write_whole(empty / name / REPORT, json.dumps(to_json_values(Report, made.report)))
        return empty / name

    folder.mkdir(parents=True, exist_ok=True)
    return _read(kept(folder, model, name, make, limit=KEPT_BYTES), name)


def found_export(store: RunStore, run_id: str, name: str) -> Exported | None:
    """Return an export of a run's newest model if it was made before. Raises FileNotFoundError as above."""
    folder, model = _kept(store, run_id)
    return _read(folder / model / name, name) if (folder / model / name / REPORT).exists() else None


def _kept(store: RunStore, run_id: str) -> tuple[Path, str]:
    newest = store.read.newest_model(run_id)
    if newest is None:
        raise FileNotFoundError(f"The run {run_id} has no saved model.")
    return store.settings.cache / "exports", newest[0]


def _read(folder: Path, name: str) -> Exported:
    values = parse_object((folder / REPORT).read_text(encoding="utf-8"))
    return Exported(folder / FORMATS[name].file, from_json_values(Report, values))


def _in_process(settings: Settings, request: Request, work: Path) -> Report:
    (work / FILES).mkdir()
    write_whole(work / REQUEST, json.dumps(to_json_values(Request, request)))
    environment = process_environment(
        settings, {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2", "KERAS_BACKEND": "tensorflow"}
    )
    command = [sys.executable, "-m", "core.exporting", str(work), str(os.getpid())]
    with (work / LOG).open("w") as log:
        process = subprocess.Popen(
            command, cwd=PROGRAM, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            process.wait(LONGEST_S)
        except subprocess.TimeoutExpired:
            return Report(refused=f"The export took longer than {LONGEST_S / 60:.0f} minutes.")
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        said = tail(work / LOG, 2000).strip().splitlines()
        why = f" It said last: {said[-1][:300]}" if said else ""
        return Report(refused=f"The process that exports ended with {process.returncode}.{why}")
    return from_json_values(Report, parse_object((work / REPORT).read_text(encoding="utf-8")))
