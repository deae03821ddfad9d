"""`python -m core.inference [onnx]`: a prediction process; it ends after half an hour without a request.

With `onnx` it predicts with ONNX files and never imports Keras; without, it has Keras and does all the rest.
"""

from __future__ import annotations

import importlib
import logging
import os
import secrets
import sys
import time
from multiprocessing.connection import Listener
from threading import Thread

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # predictions never take memory from a training
if os.environ["CUDA_VISIBLE_DEVICES"] == "-1":
    os.environ["JAX_PLATFORMS"] = "cpu"  # JAX fails where it was promised a GPU that it does not see
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from core.inference.answers import Opened
from core.inference.client import ANSWER_S
from core.inference.handlers import warm_up
from core.inference.process import inference_code, inference_of, onnx_inference_of
from core.inference.protocol import Address, write_address
from core.inference.server import Server
from core.system.daemon import DaemonExists
from core.system.output import print_whatever_happens
from core.system.process_ids import this_process
from core.system.redaction import redact_output
from core.system.settings import get_settings
from core.tracking.store import RunStore

IDLE_S = 30 * 60.0
LOOK_S = 0.5  # interval of checks whether the process is to end


def with_keras(store: RunStore, run_id: str) -> Opened:
    from core.inference.predictor import open_model

    return open_model(store, run_id)


def with_onnx(store: RunStore, run_id: str) -> Opened:
    from core.inference.onnx_models import open_model

    return open_model(store, run_id)


def main() -> None:
    print_whatever_happens()
    redact_output()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings, code = get_settings(), inference_code()
    key = secrets.token_bytes(32)
    has_keras = sys.argv[1:] != ["onnx"]
    daemon = inference_of(settings) if has_keras else onnx_inference_of(settings)
    server = Server(key, with_keras if has_keras else with_onnx, has_keras)
    try:
        with daemon.hold(), Listener(("127.0.0.1", 0), backlog=32) as listener:
            write_address(
                settings, Address(listener.address[1], key.hex(), code, this_process()), daemon.name
            )
            Thread(target=server.serve, args=(listener,), daemon=True).start()
            server.decoders.start_ahead()
            if has_keras:
                warm_up()
            else:
                importlib.import_module("core.inference.onnx_models")
            while time.monotonic() - server.last_request < IDLE_S and not daemon.is_retired():
                server.waiting.sweep()
                time.sleep(LOOK_S)
            server.close()
    except DaemonExists:
        return
    give_up = time.monotonic() + ANSWER_S
    while server.is_responding() and time.monotonic() < give_up:  # the next process serves already
        server.waiting.sweep()
        time.sleep(LOOK_S)


if __name__ == "__main__":
    main()
