"""`python -m core.training.spare WORKER_PID`: import all that a training needs, then fork one for each run.

A fork starts with everything imported. This process itself opens no store, builds no model and touches no
GPU, so a fork inherits the loaded code and nothing of TensorFlow's state. `core.jobs.executors.spare` is the
worker's side. Linux alone.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import socket
import sys
import time

from setproctitle import setproctitle

from core.system.output import print_whatever_happens
from core.system.parent_watch import die_with_parent
from core.system.redaction import redact_output
from core.system.settings import get_settings

ADOPTED_S = 10.0  # within which the kernel makes an orphan the worker's child


def main() -> None:
    worker_pid = int(sys.argv[1])
    control = socket.socket(fileno=os.dup(0))  # without its worker it receives nothing, and ends
    import_ahead()
    from core.training.__main__ import train_run

    gc.collect()
    gc.freeze()  # or a fork's garbage collection would copy every page that it shares with this process
    control.send(b"ready")
    while True:
        message, descriptors, *_ = socket.recv_fds(control, 1 << 16, 2)
        if not message:  # the worker has ended, or needs no spare process
            return
        if _forked():
            control.close()
            log, answer = descriptors
            train_run(_begin(json.loads(message), log, answer, worker_pid))
            return
        for descriptor in descriptors:
            os.close(descriptor)


def import_ahead() -> None:
    """Import all that a training needs, and open nothing."""
    settings = get_settings()  # says where libraries may write, which they read when they are imported
    from core.tracking.ahead import import_mlflow
    from core.training.__main__ import import_training

    import_training()
    import_mlflow(settings)
    importlib.import_module("sklearn.metrics")  # for the evaluation of every run; a second


def _forked() -> bool:
    """Fork a child of the worker. Returns True in the child, and False in this process."""
    between = os.fork()
    if between:
        os.waitpid(between, 0)
        return False
    if os.fork():
        os._exit(0)  # the kernel gives its child to the worker, which adopts orphans
    return True


def _begin(request: dict, log: int, answer: int, worker_pid: int) -> str:
    """Make this fork the training process of a run, with its session, output, environment and parent.

    Returns:
        The id of the run, once the worker has taken note of this process; otherwise the process ends.
    """
    os.setsid()
    for descriptor, target in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
        os.dup2(descriptor, target)
    os.close(log)
    os.environ.update(request["environment"])
    get_settings.cache_clear()
    give_up = time.monotonic() + ADOPTED_S
    while os.getppid() != worker_pid and time.monotonic() < give_up:
        time.sleep(0.001)
    die_with_parent(worker_pid)
    print_whatever_happens()
    redact_output()
    run_id = request["run_id"]
    setproctitle(f"python -m core.training {run_id} {worker_pid}")
    with socket.socket(fileno=answer) as worker:
        worker.send(str(os.getpid()).encode())
        if not worker.recv(16):  # the worker waits no longer
            os._exit(1)
    return run_id


if __name__ == "__main__":
    main()
