"""`python -m core.inference`: the prediction process; it ends after half an hour without a request."""

from __future__ import annotations

import logging
import os
import secrets
import time
from multiprocessing.connection import Listener
from threading import Thread

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # predictions never take memory from a training
if os.environ["CUDA_VISIBLE_DEVICES"] == "-1":
    os.environ["JAX_PLATFORMS"] = "cpu"  # JAX fails where it was promised a GPU that it does not see
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from core.inference.client import inference_of
from core.inference.handlers import warm_up
from core.inference.server import Server
from core.inference.waiting_room import SWEEP_S
from core.inference.wire import Address, write_address
from core.system.daemon import DaemonExists
from core.system.output import print_whatever_happens
from core.system.redaction import redact_output
from core.system.settings import get_settings

IDLE_S = 30 * 60.0


def main() -> None:
    print_whatever_happens()
    redact_output()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = get_settings()
    key = secrets.token_bytes(32)
    server = Server(key)
    try:
        with inference_of(settings).hold(), Listener(("127.0.0.1", 0), backlog=32) as listener:
            write_address(settings, Address(listener.address[1], key.hex()))
            Thread(target=server.serve, args=(listener,), daemon=True).start()
            warm_up()
            while time.monotonic() - server.last_request < IDLE_S:
                server.waiting.sweep()
                time.sleep(SWEEP_S)
    except DaemonExists:
        return


if __name__ == "__main__":
    main()
