"""Imports and downloads that a page starts, each in a process that outlives a reload of the page.

`python -m core.jobs.imports FILE` runs one and writes its progress to the file.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from core.datasets import prepare
from core.importing.importer import ImportCancelled, import_images
from core.system.daemon import spawn
from core.system.files import is_of_the_disk, read_state, write_whole
from core.system.process_ids import is_alive, lives_here, process_name
from core.system.redaction import redact, redact_output
from core.system.settings import Settings

RUNNING, DONE, REFUSED, CANCELLED = "running", "done", "refused", "cancelled"


@dataclass(frozen=True)
class ImportJob:
    """One import and its progress.

    Args:
        name: of the dataset.
        path: of the folder or archive; empty for a dataset that ships with the program or is downloaded.
        options: keywords of `import_images`.
        upload: `path` is an uploaded archive, which is removed at the end of the import.
        state: RUNNING, DONE, REFUSED or CANCELLED.
        done: images that are decoded.
        total: images of the source.
        remaining_s: estimated seconds until the end.
        message: what was imported, or why nothing was, in one sentence.
    """

    name: str
    path: str
    options: dict[str, Any]
    upload: bool = False
    state: str = RUNNING
    done: int = 0
    total: int = 0
    remaining_s: float = 0.0
    message: str = ""
    owner: str = ""


def start(settings: Settings, name: str, path: Path | None, upload: bool, options: dict[str, Any]) -> None:
    """Start an import in the background. Args: see `ImportJob`; path: None for one without a path.

    Raises:
        NotAllowed: this server is read-only.
        OSError: the disk refused a write; nothing was started.
    """
    settings.require_trainer("import datasets")
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{uuid.uuid4().hex}.json"
    job = ImportJob(name, "" if path is None else str(path), options, upload)
    _write(file, job)
    try:
        process = spawn(settings, ["-m", "core.jobs.imports", str(file)], settings.home / "imports.log")
    except OSError:
        file.unlink(missing_ok=True)
        raise
    try:
        write_whole(file.with_suffix(".owner"), process_name(process.pid))
    except OSError:
        process.kill()
        process.wait()
        file.unlink(missing_ok=True)
        raise


def jobs(settings: Settings) -> dict[str, ImportJob]:
    """Return all imports that were not dismissed, by their ids, the newest first."""
    found = {}
    for file in _folder(settings).glob("*.json"):
        with suppress(FileNotFoundError):  # dismissed in another window just now
            job = _current(file)
            if job is not None:
                found[file.stem] = (file.with_suffix(".owner").stat().st_mtime, job)
    newest_first = sorted(found.items(), key=lambda item: item[1][0], reverse=True)
    return {job_id: job for job_id, (_, job) in newest_first}


def cancel(settings: Settings, job_id: str) -> None:
    """Cancel an import; it leaves no files."""
    settings.require_trainer("cancel an import")
    owner = _owner(_folder(settings) / f"{job_id}.json")
    if lives_here(owner):
        os.kill(int(owner.rsplit(":", 2)[1]), signal.SIGTERM)


def dismiss(settings: Settings, job_id: str) -> None:
    """Remove an import that has ended from the list. Raises NotAllowed on a read-only server."""
    settings.require_trainer("dismiss an import")
    for suffix in (".json", ".owner"):
        (_folder(settings) / f"{job_id}{suffix}").unlink(missing_ok=True)


def uploads(settings: Settings) -> Path:
    """Return the folder of uploaded archives; creates it."""
    folder = settings.home / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _folder(settings: Settings) -> Path:
    return settings.home / "imports"


def _owner(file: Path) -> str:
    try:
        return file.with_suffix(".owner").read_text()
    except FileNotFoundError:
        return ""


def _read(file: Path) -> ImportJob | None:
    """Read an import from its file; None where the file is missing or damaged."""
    try:
        return ImportJob(**(read_state(file) or {}))
    except TypeError:
        return None


def _current(file: Path) -> ImportJob | None:
    job = _read(file)
    owner = _owner(file)
    if job is not None and job.state == RUNNING and owner and not is_alive(owner):
        job = _read(file)  # it may have ended between the two reads
        if job is not None and job.state == RUNNING:
            if job.upload:
                Path(job.path).unlink(missing_ok=True)
            message = "The import was ended from outside; nothing was written."
            return replace(job, state=REFUSED, message=message)
    return job


def _write(file: Path, job: ImportJob) -> None:
    write_whole(file, json.dumps(asdict(replace(job, message=redact(job.message)))))


def _give_up(signum: int, frame: object) -> None:
    """Kill the child processes and raise ImportCancelled."""
    for child in psutil.Process().children(recursive=True):
        child.kill()
    raise ImportCancelled("The download was cancelled.")


def _conclude(file: Path, job: ImportJob) -> None:
    """Write the final state of an import; on a full disk, over the existing file."""
    try:
        _write(file, job)
    except OSError:
        with suppress(OSError), file.open("r+b") as there:
            there.write(json.dumps(asdict(job)).encode())
            there.truncate()


def _run(file: Path) -> None:
    job = _read(file)
    if job is None:
        raise ValueError(f"{file} does not describe an import.")
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda signum, _: stop.append(signum))

    def progress(done: int, total: int, remaining_s: float) -> None:
        with suppress(OSError):  # decoding reports a full disk
            _write(file, replace(job, done=done, total=total, remaining_s=remaining_s))

    try:
        if job.path:
            info = import_images(
                job.name, job.path, progress=progress, cancelled=lambda: bool(stop), **job.options
            )
        else:
            signal.signal(signal.SIGTERM, _give_up)  # a download cannot poll `cancelled`
            info = prepare(job.name)
        left_out = len(info.problems)
        problems = f"; {left_out} file{'s were' if left_out > 1 else ' was'} left out" if left_out else ""
        message = f"{info.size:,} images in {info.num_classes} classes{problems}."
        _conclude(file, replace(job, state=DONE, message=message))
    except ImportCancelled as error:
        _conclude(file, replace(job, state=CANCELLED, message=str(error)))
    except Exception as error:  # shown on the page
        _conclude(file, replace(job, state=REFUSED, message=str(error)))
        if not (isinstance(error, ValueError) or is_of_the_disk(error)):
            raise
    finally:
        if job.upload:
            Path(job.path).unlink(missing_ok=True)


if __name__ == "__main__":
    redact_output()
    _run(Path(sys.argv[1]))
