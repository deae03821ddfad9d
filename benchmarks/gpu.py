"""Does the program use a GPU as it should? One command, one table, and the same as JSON.

    python -m benchmarks.gpu [--data cifar10-images.tar.xz] [--out gpu.json] [--minutes 8] [--only PART ...]
    python -m benchmarks.gpu --rehearse            # the same parts on a CPU, with small models and few images

The backend is TensorFlow, or JAX where TensorFlow is not installed or KERAS_BACKEND says so. Each part runs
in a process of its own, with a time limit of its own; a part that fails, or for which no time is left, is a
row of the table. The JSON file is written after every part. docs/gpu.md describes the parts.

Without --data the images are random, and the accuracy of the recipe means nothing.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from threading import Thread

from benchmarks.gpu_parts import PARTS
from benchmarks.gpu_scale import REHEARSAL, Row, Scale
from core.inference.process import inference_of
from core.jobs.logs import read_log
from core.jobs.worker import worker_of
from core.launching.continuing import cancel
from core.system import devices
from core.system import settings as settings_module
from core.system.files import write_whole
from core.system.settings import PROGRAM
from core.tracking import progress
from core.tracking.store import get_store

GRACE_S = 20.0  # between the time limit of a part and its end, in which its runs are cancelled


def choose_backend() -> None:
    """Have this process and those it starts use JAX where TensorFlow is not installed."""
    if "KERAS_BACKEND" not in os.environ and not importlib.util.find_spec("tensorflow"):
        os.environ["KERAS_BACKEND"] = "jax"


def main() -> None:
    choose_backend()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rehearse", action="store_true", help="on a CPU, with small models and few images")
    parser.add_argument(
        "--data", type=Path, help="CIFAR-10 as JPEGs in train/ and test/: .tar.xz, .tar or .zip"
    )
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--minutes", type=float, help="for all parts; default: 8, in a rehearsal 60")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--part", choices=list(PARTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    scale = REHEARSAL if options.rehearse else Scale()
    if options.part:
        for row in PARTS[options.part].measure(scale, options.rehearse):
            print("ROW", json.dumps(asdict(row)), flush=True)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    minutes = options.minutes or (60 if options.rehearse else 8)
    with tempfile.TemporaryDirectory(prefix="archlab-gpu-") as home:
        os.environ["ARCHLAB_HOME"] = home
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        settings_module.get_settings.cache_clear()
        if options.data:
            os.environ["BENCHMARK_DATA"] = str(options.data.resolve())
        failed = run_parts(options.only, options.rehearse, options.out, time.monotonic() + 60 * minutes)
    sys.exit(1 if failed else 0)


def run_parts(names: list[str], rehearse: bool, out: Path, end: float) -> bool:
    """Run parts one after the other and print their rows; returns whether any row failed."""
    rows: list[Row] = []
    began = time.monotonic()
    for name in [name for name in PARTS if name in names or name == "data"]:
        left = end - time.monotonic() - GRACE_S
        limit = left if rehearse else min(left, PARTS[name].limit_s)
        if limit < 5:
            rows.append(Row(name, "not run", "no time was left", False))
        else:
            for row in run_part(name, rehearse, limit):
                rows.append(row)
                print(line(row), flush=True)
        write(out, rows, rehearse, time.monotonic() - began)
    print(f"\n{table(rows)}\n\n{out}: written; {time.monotonic() - began:.0f} s")
    return any(row.ok is False for row in rows)


def run_part(name: str, rehearse: bool, limit_s: float) -> Iterator[Row]:
    """Run a part in a process of its own.

    Rows that it printed before a failure or its time limit are kept.
    """
    command = [sys.executable, "-m", "benchmarks.gpu", "--part", name, *(["--rehearse"] if rehearse else [])]
    process = subprocess.Popen(
        command,
        cwd=PROGRAM,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    timer = Thread(target=_end_after, args=(process, limit_s), daemon=True)
    timer.start()
    errors: list[str] = []
    reader = Thread(target=lambda: errors.extend(process.stderr or ()), daemon=True)
    reader.start()
    assert process.stdout is not None
    try:
        for text in process.stdout:
            if text.startswith("ROW "):
                yield Row(**json.loads(text.removeprefix("ROW ")))
        code = process.wait()
        reader.join(5)
    finally:  # also where the benchmark itself is ended
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        doing = phases()
        stop_worker()
    if code == -signal.SIGKILL:
        yield Row(name, "ended", f"after its limit of {limit_s:.0f} s{doing}", False)
    elif code:
        yield Row(name, "failed", (errors or [f"exit code {code}"])[-1].strip()[:300], False)


def _end_after(process: subprocess.Popen, limit_s: float) -> None:
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def phases() -> str:
    """Name the phases of the runs that have not ended, and the last line of each log."""
    settings = settings_module.get_settings()
    if not settings.database.exists():
        return ""
    store, found = get_store(), []
    for run in store.active():
        phase = progress.latest(settings, run.run_id, run.tags).get("phase", run.status)
        found.append(f"{phase}, {(read_log(store, run.run_id).strip().splitlines() or ['no log'])[-1][:200]}")
    return f"; its run: {'; '.join(found)}" if found else ""


def stop_worker() -> None:
    """Cancel the runs that a part left, and stop its worker: the next part may have other settings."""
    settings = settings_module.get_settings()
    if not settings.database.exists():
        return
    store = get_store()
    for run in store.active():
        cancel(store, run.run_id)
    until = time.monotonic() + GRACE_S
    while store.active() and time.monotonic() < until:
        time.sleep(0.2)
    daemons = (worker_of(settings), inference_of(settings))
    for daemon in daemons:
        daemon.stop()
    while any(daemon.is_running() for daemon in daemons) and time.monotonic() < until:
        time.sleep(0.1)


def write(out: Path, rows: list[Row], rehearse: bool, seconds: float) -> None:
    """Write all rows so far to the JSON file, atomically."""
    found = {
        "rehearsal": rehearse,
        "seconds": round(seconds, 1),
        "machine": devices.summary(),
        "backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
        "images": "given" if "BENCHMARK_DATA" in os.environ else "random",
        "rows": [asdict(row) for row in rows],
    }
    write_whole(out, json.dumps(found, indent=1, ensure_ascii=False))


def table(rows: list[Row]) -> str:
    return "\n".join(["| part | what | value | verdict |", "|---|---|---|---|", *map(line, rows)])


def line(row: Row) -> str:
    verdict = {True: "ok", False: "NOT OK", None: ""}[row.ok]
    return f"| {row.part} | {row.what} | {' '.join(row.value.split())} | {verdict} |"


if __name__ == "__main__":
    main()
