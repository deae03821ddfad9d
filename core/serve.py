"""Start the dashboard, after checks whose failure Streamlit reports less clearly."""

from __future__ import annotations

import os
import socket
import sys

import psutil

from core.system.settings import PROGRAM, Settings, SettingsError
from core.tracking.patience import be_impatient

EVERYWHERE = frozenset(("0.0.0.0", "::", ""))  # listening there is listening on all addresses
VIEWER_UPLOAD_MB = 32  # an image for a prediction; a trainer may upload an archive


def serve_dashboard(settings: Settings, host: str, port: int) -> None:
    """Replace this process by Streamlit's server. Raises SettingsError: port in use, read-only home."""
    settings.check_writable()
    check_port(host, port)
    be_impatient()
    os.chdir(PROGRAM)
    os.execv(
        sys.executable,
        [
            *(sys.executable, "-m", "streamlit", "run", "streamlit_app.py"),
            *("--server.address", host, "--server.port", str(port)),
            *(word for name in allowed_hosts(settings, host) for word in ("--server.allowedHosts", name)),
            *(("--server.maxUploadSize", str(VIEWER_UPLOAD_MB)) if settings.role != "trainer" else ()),
        ],
    )


def allowed_hosts(settings: Settings, host: str) -> list[str]:
    """Return the host names under which browsers may reach the server: its own and those of ARCHLAB_HOSTS.

    This stops pages of other sites whose name is mapped to this address (DNS rebinding).
    """
    names = {"localhost", "127.0.0.1", "::1", host, *settings.hosts}
    if host in EVERYWHERE:
        names |= {socket.gethostname(), socket.getfqdn()}
        names |= {
            one.address.partition("%")[0]
            for of_one in psutil.net_if_addrs().values()
            for one in of_one
            if one.family in (socket.AF_INET, socket.AF_INET6)
        }
    return sorted(names - EVERYWHERE)


def check_port(host: str, port: int) -> None:
    """Raise SettingsError if the server cannot listen there."""
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
