"""Starts the dashboard, after the checks whose failure Streamlit would tell less clearly."""

from __future__ import annotations

import os
import socket
import sys

from core.settings import PROGRAM, Settings, SettingsError
from core.tracking.patience import be_impatient


def serve_dashboard(settings: Settings, host: str, port: int) -> None:
    """Become Streamlit's server. Raises SettingsError when the port is taken or the folder read-only."""
    settings.check_writable()
    check_port(host, port)
    be_impatient()
    os.chdir(PROGRAM)
    os.execv(
        sys.executable,
        [
            *(sys.executable, "-m", "streamlit", "run", "streamlit_app.py"),
            *("--server.address", host, "--server.port", str(port)),
        ],
    )


def check_port(host: str, port: int) -> None:
    """Raise SettingsError when nothing can listen there."""
    if not 1 <= port <= 65535:
        raise SettingsError(f"The port must be in 1 to 65535. Received: {port}.")
    try:
        socket.getaddrinfo(host, port)
    except OSError as error:
        raise SettingsError(f"There is no address '{host}' to listen on.") from error
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"The port {port} on {host} is not free ({error.strerror}). "
                f"Choose another one: make run PORT={port + 1}."
            ) from error
